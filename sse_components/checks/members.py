"""Whether a page can use a component's public properties and methods."""

from __future__ import annotations

import inspect
from collections.abc import Iterator, Sequence
from typing import Any, Final

from django.apps import AppConfig
from django.core.checks import CheckMessage, Error, Warning, register
from django.http import HttpRequest
from pydantic import PydanticUserError, ValidationError

from sse_components.components import jsonable, registry
from sse_components.components.base import ReactiveComponent
from sse_components.components.methods import method_of
from sse_components.components.public import PublicProperty
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
def what_is_public_stays_so(
    app_configs: Sequence[AppConfig] | None, **kwargs: Any
) -> list[CheckMessage]:
    return [
        Warning(
            f"{name!r} is public in {base.__name__!r}, and is not in {named!r}, which "
            "has another one.",
            hint="Mark it as public there too; or give it another name, if no page is "
            "to have it.",
            obj=named,
            id="sse_components.W029",
        )
        for component in registry.all_components()
        for named in [registry.name_of(component)]
        for name, base in _hidden(component).items()
    ]


@register
def loading_is_done_at_once(
    app_configs: Sequence[AppConfig] | None, **kwargs: Any
) -> list[CheckMessage]:
    return [
        Error(
            "'load' is a coroutine, and nobody awaits it.",
            hint="Make it a plain function, in which async_to_sync() calls coroutines.",
            obj=registry.name_of(component),
            id="sse_components.E028",
        )
        for component in registry.all_components()
        if inspect.iscoroutinefunction(component.load)
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


def _hidden(component: Component) -> dict[str, type]:
    """Return what only other classes' members of that name are public in."""
    known = component.public_properties().keys() | component.public_methods().keys()
    return {
        name: base
        for base in reversed(component.__mro__)
        for name, member in vars(base).items()
        if isinstance(member, PublicProperty) or method_of(member)
        if name not in known
    }


def _faults_of_properties(component: Component) -> Iterator[CheckMessage]:
    for name, public in component.public_properties().items():
        try:
            public.validate(component, jsonable.plain(public.default))
        except _UNKNOWN as error:
            yield _unknown(component, name, error)
        except Exception as error:  # a validator of the project's own may raise any
            yield Error(
                f"The page may not send back the default of {name!r}, "
                f"{public.default!r}: {_reason(error)}.",
                hint="Give it a default that its annotation allows, or an annotation "
                "that allows it, such as int | None.",
                obj=registry.name_of(component),
                id="sse_components.E017",
            )


def _faults_of_methods(component: Component) -> Iterator[CheckMessage]:
    for name in component.public_methods():
        try:
            of_arguments(getattr(component, name))
        except _UNKNOWN as error:
            yield _unknown(component, name, error)


def _reason(error: Exception) -> str:
    if isinstance(error, ValidationError):
        return error.errors()[0]["msg"].rstrip(".")
    if isinstance(error, InvalidPayload):
        return str(error).rstrip(".")
    return repr(error)


def _unknown(component: Component, name: str, error: Exception) -> CheckMessage:
    return Error(
        f"{name!r} has a type that can't be validated: {error}",
        hint="Annotate it with one that pydantic knows, imported not only for type "
        "checkers.",
        obj=registry.name_of(component),
        id="sse_components.E016",
    )
