"""The addresses of the project; those of streams are answered before Django."""

from __future__ import annotations

from django.urls import include, path

urlpatterns = [
    path("", include("project.demo.urls")),
    path("", include("sse_components.urls")),
    path("api/", include("api.urls")),  # yours: include("sse_components.api.urls")
]
