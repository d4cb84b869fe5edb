"""The addresses of the demo."""

from __future__ import annotations

from django.urls import path

from project.demo import views

urlpatterns = [
    path("", views.news, name="news"),
    path("plain", views.plain, name="plain"),
    path("bare", views.bare, name="bare"),
    path("publish", views.publish, name="publish"),
    path("alert", views.alert, name="alert"),
]
