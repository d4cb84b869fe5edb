"""The Django app of the demo."""

from __future__ import annotations

from django.apps import AppConfig


class DemoConfig(AppConfig):
    name = "project.demo"
    label = "demo"

    def ready(self) -> None:
        from project.demo import receivers

        receivers.connect()
