"""Whether django-eventstream, where it is installed, is plugged in."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final

from django.apps import AppConfig, apps
from django.conf import settings
from django.core.checks import CheckMessage, Warning, register

STORAGE: Final = "sse_components.eventstream.Storage"
CHANNEL_MANAGER: Final = "sse_components.eventstream.ChannelManager"


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
