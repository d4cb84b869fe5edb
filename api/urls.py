"""Include as `path("api/", include("sse_components.api.urls"))`."""

from __future__ import annotations

from django.urls import path, re_path

from .api import api, unknown_address

urlpatterns = [path("", api.urls), re_path(r"^v1(?:/|$)", unknown_address)]
