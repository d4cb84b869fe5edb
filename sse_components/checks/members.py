"""Whether a page can use a component's public properties and methods."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any, Final

from django.apps import AppConfig
from django.core.checks import CheckMessage, Error, register
from django.http import HttpRequest
from pydantic import PydanticUserError, ValidationError

from sse_components.components import jsonable, registry
from sse_components.components.base import ReactiveComponent
from sse_components.components.validators import of_arguments
from sse_components.errors import InvalidPayload

Component = type[ReactiveComponent]

_UNKNOWN = (PydanticUserError, AttributeError, NameError, SyntaxError, TypeError)
"""Raised by types that pydantic doesn't know, and by texts that name none."""

RESERVED: Final = {"component", "init", "destroy"}
"""In a template it is the component; in a page Alpine calls the others by itself."""

KEYWORDS: Final = {
    "await", "break", "case", "catch", "class", "const", "continue", "debugger",
    "default", "delete", "do", "else", "enum", "export", "extends", "false", "finally",
    "for", "function", "if", "import", "in", "instanceof", "new", "null", "return",
    "super", "switch", "this", "throw", "true", "try", "typeof", "var", "void",
    "while", "with",
}  # fmt: skip
"""What no expression in a page can have for a name (ECMA-262 12.7.2)."""


@register
def names_are_free(
    app_configs: Sequence[AppConfig] | None, **kwargs: Any
) -> list[CheckMessage]:
    taken = {
        *dir(ReactiveComponent),
        *vars(ReactiveComponent(HttpRequest(), "/")),
        *RESERVED,
    }
    return [
        Error(
            f"{name!r} can't be public, because that name is a component's own.",
            hint="Give it another name, which doesn't begin with _.",
            obj=registry.name_of(component),
            id="sse_components.E014",
        )
        for component in registry.all_components()
        for name in (*component.public_properties(), *component.public_methods())
        if name in taken or name.startswith("_")
    ]


@register
def names_are_no_words_of_javascript(
    app_configs: Sequence[AppConfig] | None, **kwargs: Any
) -> list[CheckMessage]:
    return [
        Error(
            f"{name!r} can't be used in a page, where it is a word of JavaScript.",
            hint=f"Give it another name, such as {name + '_it'!r}.",
            obj=registry.name_of(component),
            id="sse_components.E019",
        )
        for component in registry.all_components()
        for name in (*component.public_properties(), *component.public_methods())
        if name in KEYWORDS
    ]


@register
def what_is_watched_exists(
    app_configs: Sequence[AppConfig] | None, **kwargs: Any
) -> list[CheckMessage]:
    return [
        Error(
            f"{name!r} watches {watched!r}, which is no public property.",
            hint=f"It has {', '.join(component.public_properties()) or 'none'}.",
            obj=registry.name_of(component),
            id="sse_components.E015",
        )
        for component in registry.all_components()
        for name, method in component.public_methods().items()
        for watched in method.watches
        if watched not in component.public_properties()
    ]


@register
def types_can_be_validated(
    app_configs: Sequence[AppConfig] | None, **kwargs: Any
) -> list[CheckMessage]:
    return [
        fault
        for component in registry.all_components()
        for fault in (*_faults_of_properties(component), *_faults_of_methods(component))
    ]


def _faults_of_properties(component: Component) -> Iterator[CheckMessage]:
    for name, public in component.public_properties().items():
        try:
            public.validate(component, jsonable.plain(public.default))
        except (ValidationError, InvalidPayload) as error:
            yield Error(
                f"The page may not send back the default of {name!r}, "
                f"{public.default!r}: {_reason(error)}.",
                hint="Give it a default that its annotation allows, or an annotation "
                "that allows it, such as int | None.",
                obj=registry.name_of(component),
                id="sse_components.E017",
            )
        except _UNKNOWN as error:
            yield _unknown(component, name, error)


def _faults_of_methods(component: Component) -> Iterator[CheckMessage]:
    for name in component.public_methods():
        try:
            of_arguments(getattr(component, name))
        except _UNKNOWN as error:
            yield _unknown(component, name, error)


def _reason(error: ValidationError | InvalidPayload) -> str:
    found = error.errors()[0]["msg"] if isinstance(error, ValidationError) else error
    return str(found).rstrip(".")


def _unknown(component: Component, name: str, error: Exception) -> CheckMessage:
    return Error(
        f"{name!r} has a type that can't be validated: {error}",
        hint="Annotate it with one that pydantic knows, imported not only for type "
        "checkers.",
        obj=registry.name_of(component),
        id="sse_components.E016",
    )
