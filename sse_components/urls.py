"""Include as `path("", include("sse_components.urls"))`: the addresses of calls."""

from __future__ import annotations

from django.urls import path

from sse_components import runtime
from sse_components.components.views import call

app_name = "sse_components"

urlpatterns = [
    path(
        f"{runtime.settings().prefix.removeprefix('/')}components/<str:component>/<str:method>",
        call,
        name="call",
    )
]
