"""Whether the setting can be read."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from django.apps import AppConfig
from django.conf import settings
from django.core.checks import CheckMessage, Error, register
from django.core.exceptions import ImproperlyConfigured

from sse_components import conf


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


def valid_settings() -> conf.Settings | None:
    """Return the settings in force, or None if there is an error to tell first."""
    try:
        return conf.load(getattr(settings, conf.NAME, {}))
    except ImproperlyConfigured:
        return None
