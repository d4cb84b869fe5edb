"""System checks."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from django.apps import AppConfig
from django.conf import settings
from django.core.checks import CheckMessage, Error, register
from django.core.exceptions import ImproperlyConfigured
from django.template import TemplateDoesNotExist
from django.template.loader import get_template

from sse_components import conf
from sse_components.components import registry
from sse_components.components.base import ReactiveComponent


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


def _has_template(component: type[ReactiveComponent]) -> bool:
    if component.template is not None:
        return True
    try:
        get_template(str(component.template_name))
    except TemplateDoesNotExist:
        return False
    return True
