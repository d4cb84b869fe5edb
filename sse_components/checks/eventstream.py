"""Whether django-eventstream, where it is installed, is plugged in."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final

from django.apps import AppConfig, apps
from django.conf import settings
from django.core.checks import CheckMessage, Warning, register

from sse_components import conf
from sse_components.checks.settings import valid_settings

STORAGE: Final = "sse_components.eventstream.Storage"
CHANNEL_MANAGER: Final = "sse_components.eventstream.ChannelManager"

PROXIES: Final = ("GRIP_URL", "GRIP_PROXIES")
"""Its own settings, at the top level."""


@register
def eventstream_is_plugged_in(
    app_configs: Sequence[AppConfig] | None, **kwargs: Any
) -> list[CheckMessage]:
    if getattr(settings, "EVENTSTREAM_STORAGE_CLASS", None) != STORAGE:
        if not apps.is_installed("django_eventstream"):
            return []
        return [
            Warning(
                "What django_eventstream.send_event sends reaches no stream of "
                "sse_components.",
                hint=f"Set EVENTSTREAM_STORAGE_CLASS = {STORAGE!r}.",
                id="sse_components.W004",
            )
        ]
    if not hasattr(settings, "EVENTSTREAM_CHANNELMANAGER_CLASS"):
        return [
            Warning(
                "django_eventstream's own view lets anybody read every group.",
                hint=f"Set EVENTSTREAM_CHANNELMANAGER_CLASS = {CHANNEL_MANAGER!r}.",
                id="sse_components.W005",
            )
        ]
    return []


@register
def eventstream_publishes_to_no_proxy(
    app_configs: Sequence[AppConfig] | None, **kwargs: Any
) -> list[CheckMessage]:
    valid = valid_settings()
    given = [name for name in PROXIES if getattr(settings, name, None)]
    if valid is None or not valid.grip_url or not given:
        return []
    return [
        Warning(
            f"django_eventstream.send_event publishes to {' and '.join(given)} by "
            "itself, beside what we publish, and in another form.",
            hint=f"Remove {' and '.join(given)}: {conf.NAME}['GRIP_URL'] is enough, "
            "for send_event too.",
            id="sse_components.W035",
        )
    ]
