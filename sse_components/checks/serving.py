"""Whether what is published can reach anybody."""

from __future__ import annotations

import re
from collections.abc import Sequence
from importlib.abc import InspectLoader
from importlib.util import find_spec
from typing import Any

from django.apps import AppConfig
from django.conf import settings
from django.core.checks import CheckMessage, Error, Info, Warning, register

from sse_components import conf
from sse_components.checks.settings import valid_settings

LOGBOOK_SIZE = 100
LOGBOOK_SECONDS = 30


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
    valid = valid_settings()
    if valid and valid.grip_url:
        return [
            Error(
                f"{conf.NAME}['GRIP_URL'] names a proxy, and {wsgi!r} with the "
                "embedded broker publishes nothing to it.",
                hint=f"Set {conf.NAME}['BROKER_URL'] to a Redis, and run "
                "`manage.py sse_relay`.",
                id="sse_components.E033",
            )
        ]
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


@register
def the_logbook_is_kept_long_enough(
    app_configs: Sequence[AppConfig] | None, **kwargs: Any
) -> list[CheckMessage]:
    valid = valid_settings()
    if valid is None or not valid.console:
        return []
    if valid.history_size >= LOGBOOK_SIZE and valid.history_seconds >= LOGBOOK_SECONDS:
        return []
    return [
        Warning(
            "The console's logbook is kept as history is, and so short that it can't "
            "say much of who was connected.",
            hint=f"Have HISTORY_SIZE of at least {LOGBOOK_SIZE}, and HISTORY_SECONDS "
            f"of at least {LOGBOOK_SECONDS}; or set {conf.NAME}['CONSOLE'] to False.",
            id="sse_components.W037",
        )
    ]


@register
def history_outlasts_a_proxy(
    app_configs: Sequence[AppConfig] | None, **kwargs: Any
) -> list[CheckMessage]:
    valid = valid_settings()
    if valid is None or not valid.grip_url:
        return []
    is_kept = valid.history_size and valid.history_seconds >= 2 * valid.grip_seconds
    if is_kept and valid.group_memory_seconds >= 4 * valid.grip_seconds:
        return []
    return [
        Warning(
            "What the proxy has missed may be forgotten before it asks: it does so "
            f"within twice {conf.NAME}['GRIP_SECONDS'], and pages fetch anew what "
            "isn't remembered then.",
            hint="Have HISTORY_SIZE above 0, HISTORY_SECONDS at least twice "
            "GRIP_SECONDS, and GROUP_MEMORY_SECONDS four times.",
            id="sse_components.W034",
        )
    ]


@register
def a_proxy_is_not_redirected(
    app_configs: Sequence[AppConfig] | None, **kwargs: Any
) -> list[CheckMessage]:
    valid = valid_settings()
    if valid is None or not valid.grip_url or not settings.SECURE_SSL_REDIRECT:
        return []
    path = f"{valid.prefix}grip".removeprefix("/")
    if any(re.search(one, path) for one in settings.SECURE_REDIRECT_EXEMPT):
        return []
    return [
        Warning(
            "SECURE_SSL_REDIRECT sends away what the proxy asks by itself, where TLS "
            "ends before it: streams break off, and events come late.",
            hint=f"Add r'^{path}' to SECURE_REDIRECT_EXEMPT: these requests are "
            "signed, and never a browser's.",
            id="sse_components.W036",
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
