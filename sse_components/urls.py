"""Include as `path("", include("sse_components.urls"))`: the addresses of calls."""

from __future__ import annotations

from django.core.exceptions import ImproperlyConfigured
from django.urls import path

from sse_components import conf, runtime
from sse_components.components.views import call

app_name = "sse_components"


def _prefix() -> str:
    try:
        return runtime.settings().prefix
    except ImproperlyConfigured:  # the system check, which comes here, tells it better
        return conf.Settings().prefix


urlpatterns = [
    path(
        f"{_prefix().removeprefix('/')}components/<str:component>/<str:method>",
        call,
        name="call",
    )
]
