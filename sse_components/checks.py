"""System checks."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from django.apps import AppConfig, apps
from django.conf import settings
from django.core.checks import CheckMessage, Error, Warning, register
from django.core.exceptions import ImproperlyConfigured
from django.template import TemplateDoesNotExist
from django.template.loader import get_template

from sse_components import conf
from sse_components.components import registry
from sse_components.components.base import ReactiveComponent

STORAGE = "sse_components.eventstream.Storage"
CHANNEL_MANAGER = "sse_components.eventstream.ChannelManager"


@register
def settings_are_valid(
    app_configs: Sequence[AppConfig] | None, **kwargs: Any
) -> list[CheckMessage]:
    try:
        conf.load(getattr(settings, conf.NAME, {}))
    except ImproperlyConfigured as error:
        return [
            Error(fault, id="sse_components.E001") for fault in str(error).splitlines()
        ]
    return []


@register
def components_are_valid(
    app_configs: Sequence[AppConfig] | None, **kwargs: Any
) -> list[CheckMessage]:
    clashes: list[CheckMessage] = [
        Error(f"Several components are named {name}.", id="sse_components.E002")
        for name in registry.duplicates()
    ]
    missing = [
        Error(
            f"There is no template {component.template_name!r}.",
            obj=registry.name_of(component),
            id="sse_components.E003",
        )
        for component in registry.all_components()
        if not _has_template(component)
    ]
    return clashes + missing


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


def _has_template(component: type[ReactiveComponent]) -> bool:
    if component.template is not None:
        return True
    try:
        get_template(str(component.template_name))
    except TemplateDoesNotExist:
        return False
    return True
