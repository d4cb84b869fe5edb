"""The addresses of the demo."""

from __future__ import annotations

from django.contrib.auth.views import LogoutView
from django.urls import path

from project.demo import views
from project.demo.visitors import StaffLogin

urlpatterns = [
    path("", views.news, name="news"),
    path("plain", views.plain, name="plain"),
    path("client", views.client, name="client"),
    path("bare", views.bare, name="bare"),
    path("publish", views.publish, name="publish"),
    path("alert", views.alert, name="alert"),
    path("todo", views.todo, name="todo"),
    path("job", views.job, name="job"),
    path("chat", views.chat, name="chat"),
    path("leave", LogoutView.as_view(next_page="chat"), name="leave"),
    path("staff/", StaffLogin.as_view(), name="staff"),
    path("staff/online", views.online, name="online"),
    path("staff/keys", views.keys, name="keys"),
]
