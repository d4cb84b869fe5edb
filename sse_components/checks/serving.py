"""Whether what is published can reach anybody."""

from __future__ import annotations

from collections.abc import Sequence
from importlib.abc import InspectLoader
from importlib.util import find_spec
from typing import Any

from django.apps import AppConfig
from django.conf import settings
from django.core.checks import CheckMessage, Error, Info, Warning, register

from sse_components import conf
from sse_components.checks.settings import valid_settings


@register
def streams_are_served(
    app_configs: Sequence[AppConfig] | None, **kwargs: Any
) -> list[CheckMessage]:
    wsgi = getattr(settings, "WSGI_APPLICATION", None)
    if not wsgi or getattr(settings, "ASGI_APPLICATION", None) or not _is_embedded():
        return []
    package = wsgi.rpartition(".")[0].rpartition(".")[0]
    if _names_us(f"{package}.asgi".lstrip(".")):  # as startproject has it
        return []
    return [
        Warning(
            f"{wsgi!r} serves no streams, and the embedded broker reaches no process "
            "that does: pages stay as they are, and events are lost.",
            hint="Serve what sse_components.asgi.get_asgi_application() returns, and "
            "name it in ASGI_APPLICATION; or set "
            f"{conf.NAME}['BROKER_URL'] to a Redis.",
            id="sse_components.W011",
        )
    ]


@register(deploy=True)
def one_process_is_enough(
    app_configs: Sequence[AppConfig] | None, **kwargs: Any
) -> list[CheckMessage]:
    if not _is_embedded():
        return []
    return [
        Info(
            "With the embedded broker, only the one process that serves the streams "
            "can publish.",
            hint=f"Set {conf.NAME}['BROKER_URL'] to a Redis if there are more workers, "
            "task queues or commands that do.",
            id="sse_components.I012",
        )
    ]


@register
def metrics_can_be_served(
    app_configs: Sequence[AppConfig] | None, **kwargs: Any
) -> list[CheckMessage]:
    valid = valid_settings()
    if valid is None or not valid.metrics or find_spec("prometheus_client"):
        return []
    return [
        Error(
            f"{conf.NAME}['METRICS'] names an address, and prometheus-client isn't "
            "installed.",
            hint="Install django-sse-components[metrics].",
            id="sse_components.E032",
        )
    ]


def _is_embedded() -> bool:
    valid = valid_settings()
    return valid is not None and valid.broker_url == conf.EMBEDDED


def _names_us(module: str) -> bool:
    """Whether a module's source does: to import it would start the application."""
    try:
        spec = find_spec(module)
    except ImportError:
        return False
    loader = spec and spec.loader
    source = loader.get_source(module) if isinstance(loader, InspectLoader) else None
    return "sse_components" in (source or "")
