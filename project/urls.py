"""The addresses of the project; those of streams are answered before Django."""

from __future__ import annotations

from django.contrib import admin
from django.urls import include, path

from project.demo.visitors import AdminForm

admin.site.login_form = AdminForm
admin.site.site_header = admin.site.site_title = "django-sse-components"
admin.site.index_title = "The demo's tables"

handler404 = "project.demo.views.missing"
urlpatterns = [
    path("", include("project.demo.urls")),
    path("", include("sse_components.urls")),
    path("admin/", admin.site.urls),
    path("api/", include("api.urls")),  # yours: include("sse_components.api.urls")
]
