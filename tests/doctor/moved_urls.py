"""Addresses of a project that has the API at another place."""

from __future__ import annotations

from django.urls import include, path

urlpatterns = [path("elsewhere/", include("api.urls"))]
