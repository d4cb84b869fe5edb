"""Validators of what a page sends, made of annotations when they are first needed."""

from __future__ import annotations

import inspect
import sys
from collections.abc import Callable, Mapping
from functools import cache
from inspect import Parameter
from types import SimpleNamespace
from typing import Any, get_type_hints

from pydantic import TypeAdapter

Validator = TypeAdapter[Any]

_BY_PLACE = (
    Parameter.POSITIONAL_ONLY,
    Parameter.POSITIONAL_OR_KEYWORD,
    Parameter.VAR_POSITIONAL,
)


def of_attribute(owner: type, name: str, otherwise: Any) -> Validator:
    """Return that of a class's attribute, of the type `otherwise` if it has no other.

    Raises pydantic's errors at what it can't validate, and `NameError` where an
    annotation names what only type checkers import.
    """
    for one in owner.__mro__:
        found = inspect.get_annotations(one)
        if name in found:
            names = vars(sys.modules[one.__module__])
            return TypeAdapter(_evaluated(found[name], names, vars(one)))
    return TypeAdapter(otherwise)


@cache
def of_arguments(method: Callable[..., Any]) -> Callable[[int], Validator | None]:
    """Return what has those of a method's arguments, the first of which is 0.

    It has None for one without an annotation. Raises as `of_attribute` does.
    """
    names = inspect.unwrap(method).__globals__
    _, *parameters = inspect.signature(method).parameters.values()  # without self
    found = [_of_parameter(one, names) for one in parameters if one.kind in _BY_PLACE]
    rest = any(one.kind is Parameter.VAR_POSITIONAL for one in parameters)
    last = len(found) - 1 if rest else len(found)
    return lambda number: found[min(number, last)]


def _of_parameter(parameter: Parameter, names: dict[str, Any]) -> Validator | None:
    if parameter.annotation is Parameter.empty:
        return None
    return TypeAdapter(_evaluated(parameter.annotation, names, {}))


def _evaluated(annotation: Any, names: dict[str, Any], own: Mapping[str, Any]) -> Any:
    # One at a time: what the others name needn't be there.
    alone = SimpleNamespace(__annotations__={"it": annotation})
    return get_type_hints(alone, names, dict(own), include_extras=True)["it"]
