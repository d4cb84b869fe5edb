"""The addresses of the demo."""

from __future__ import annotations

from django.urls import path

from project.demo import views

urlpatterns = [
    path("", views.news, name="news"),
    path("publish", views.publish, name="publish"),
]
