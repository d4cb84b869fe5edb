"""The Django app."""

from __future__ import annotations

from django.apps import AppConfig


class ApiConfig(AppConfig):
    name = __name__.rpartition(".")[0]  # "api" here, "sse_components.api" in the wheel
    label = "sse_components_api"
    default_auto_field = "django.db.models.BigAutoField"
    verbose_name = "SSE components API"

    def ready(self) -> None:
        from sse_components.groups import register_authenticator

        from . import receivers  # noqa: F401  # they are connected by this
        from .auth import integrator

        register_authenticator(integrator)
