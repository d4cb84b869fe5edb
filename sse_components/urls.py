"""Include as `path("", include("sse_components.urls"))`: what pages call."""

from __future__ import annotations

from django.core.exceptions import ImproperlyConfigured
from django.urls import path

from sse_components import bundles, conf, runtime
from sse_components.components.views import call
from sse_components.renewal import renew

app_name = "sse_components"


def _prefix() -> str:
    try:
        return runtime.settings().prefix
    except ImproperlyConfigured:  # the system check, which comes here, tells it better
        return conf.Settings().prefix


_base = _prefix().removeprefix("/")

urlpatterns = [
    path(f"{_base}components/<str:component>/<str:method>", call, name="call"),
    path(f"{_base}grants", renew, name="grants"),
    path(f"{_base}static/<str:name>", bundles.serve),
]
