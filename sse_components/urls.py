"""Include as `path("", include("sse_components.urls"))`: what pages call."""

from __future__ import annotations

from django.core.exceptions import ImproperlyConfigured
from django.urls import path

from sse_components import bundles, conf, runtime
from sse_components.components.views import call
from sse_components.console import views as console
from sse_components.edge import views
from sse_components.renewal import renew

app_name = "sse_components"


def _settings() -> conf.Settings:
    try:
        return runtime.settings()
    except ImproperlyConfigured:  # the system check, which comes here, tells it better
        return conf.Settings()


if _settings().console:
    console.register()
_base = _settings().prefix.removeprefix("/")

urlpatterns = [
    path(f"{_base}components/<str:component>/<str:method>", call, name="call"),
    path(f"{_base}grants", renew, name="grants"),
    path(f"{_base}static/<str:name>", bundles.serve),
    path(f"{_base}stream", views.stream, name="stream"),
    path(f"{_base}groups/<str:group>", views.stream, name="group"),
    path(f"{_base}grip", views.follow, name="grip"),
    path(f"{_base}grip/<str:further>", views.follow),
    path(f"{_base}console", console.overview, name="console"),
    path(f"{_base}console/groups", console.groups, name="console_groups"),
    path(f"{_base}console/groups/<str:name>", console.group, name="console_group"),
    path(f"{_base}console/people", console.people, name="console_people"),
    path(f"{_base}console/people/<path:user>", console.person, name="console_person"),
    path(f"{_base}console/visitors", console.visitors, name="console_visitors"),
    path(f"{_base}console/events", console.events, name="console_events"),
    path(f"{_base}console/why", console.why, name="console_why"),
]
