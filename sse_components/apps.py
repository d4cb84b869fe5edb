"""The Django app."""

from __future__ import annotations

from django.apps import AppConfig


class SSEComponentsConfig(AppConfig):
    name = "sse_components"
    verbose_name = "SSE components"

    def ready(self) -> None:
        from sse_components import (
            checks,  # noqa: F401  # registers them
            receivers,
        )
        from sse_components.components import registry

        registry.discover()
        receivers.connect()
