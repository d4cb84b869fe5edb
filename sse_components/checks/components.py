"""Whether components have names, templates and groups that work."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any, Final

from django.apps import AppConfig
from django.core.checks import CheckMessage, Error, register
from django.core.exceptions import ImproperlyConfigured
from django.template import TemplateDoesNotExist, TemplateSyntaxError

from sse_components.components import registry
from sse_components.components.base import ReactiveComponent
from sse_components.components.rendering import template_of
from sse_components.events import is_pattern, is_subscribable
from sse_components.groups import BROADCAST, USERS, is_reserved, wire_name

GROUPS: Final = (
    "A group is letters, digits, - and _ in parts with dots between, 'news.updates'; a "
    "pattern ends in '.*'. 'session' and 'user' are the visitor's own, other visitors' "
    "are reserved."
)
PATTERNS: Final = "It is a pattern that covers groups, such as 'demo.todo.*'."

Component = type[ReactiveComponent]


@register
def names_are_unique(
    app_configs: Sequence[AppConfig] | None, **kwargs: Any
) -> list[CheckMessage]:
    return [
        Error(
            f"Several components are named {name!r}.",
            hint=f"Rename one; they are in {_listed(_modules_of(name))}.",
            id="sse_components.E002",
        )
        for name in registry.duplicates()
    ]


@register
def templates_compile(
    app_configs: Sequence[AppConfig] | None, **kwargs: Any
) -> list[CheckMessage]:
    return [
        fault
        for component in registry.all_components()
        for fault in _faults_of_template(component)
    ]


@register
def groups_can_be_subscribed_to(
    app_configs: Sequence[AppConfig] | None, **kwargs: Any
) -> list[CheckMessage]:
    return [
        Error(
            f"{attribute!r} can't have {name!r} in it.",
            hint=hint,
            obj=registry.name_of(component),
            id="sse_components.E018",
        )
        for component in registry.all_components()
        for attribute, is_allowed, hint in (
            ("subscription", _may_be_subscribed_to, GROUPS),
            ("covers", _may_cover, PATTERNS),
        )
        for name in _constants(component, attribute)
        if not is_allowed(name)
    ]


def _modules_of(name: str) -> list[str]:
    return sorted(
        {
            component.__module__
            for component in registry.all_components()
            if registry.name_of(component) == name
        }
    )


def _faults_of_template(component: Component) -> Iterator[CheckMessage]:
    name = registry.name_of(component)
    try:
        template_of(component)
    except TemplateDoesNotExist as error:
        yield Error(
            f"There is no template {component.template_name!r}.",
            hint=f"Create it, or correct template_name; {_searched(error)}.",
            obj=name,
            id="sse_components.E003",
        )
    except (TemplateSyntaxError, ImproperlyConfigured) as error:
        yield Error(
            f"{component.template_name or 'template'!r} doesn't compile: {error}",
            obj=name,
            id="sse_components.E013",
        )


def _searched(error: TemplateDoesNotExist) -> str:
    tried = [str(origin) for one in (error, *error.chain) for origin, _ in one.tried]
    return f"it was looked for as {_listed(tried)}" if tried else "no engine has any"


def _listed(names: Sequence[str]) -> str:
    return ", ".join(map(repr, names))


def _constants(component: Component, attribute: str) -> Sequence[object]:
    """Return the names that a class has written down; a property's aren't known."""
    value: object = getattr(component, attribute, None)
    if isinstance(value, str):
        return [value]
    return value if isinstance(value, list | tuple) else []


def _may_be_subscribed_to(name: object) -> bool:
    if not isinstance(name, str):
        return False
    if name in ("session", "user", BROADCAST, USERS):
        return True
    return is_subscribable(wire_name(name)) and not is_reserved(name)


def _may_cover(name: object) -> bool:
    return _may_be_subscribed_to(name) and is_pattern(str(name))
