"""The Django app of the demo."""

from __future__ import annotations

from django.apps import AppConfig
from django.conf import settings


class DemoConfig(AppConfig):
    name = "project.demo"
    label = "demo"

    def ready(self) -> None:
        from project.demo import receivers

        if settings.DEBUG:  # like all that has users in the demo
            receivers.connect()
