"""Values as signed JSON holds them: what comes back is what was put in."""

from __future__ import annotations

import sys
from collections.abc import Callable
from datetime import date, datetime, time, timedelta
from decimal import Decimal
from enum import Enum
from typing import Any, Final
from uuid import UUID

from django.apps import apps
from django.core.exceptions import ObjectDoesNotExist
from django.db.models import Model
from django.utils.dateparse import parse_duration
from django.utils.duration import duration_string
from django.utils.functional import Promise
from django.utils.safestring import SafeString, mark_safe

_AS_TEXT: Final[
    dict[str, tuple[type, Callable[[Any], str], Callable[[str], object]]]
] = {
    "datetime": (datetime, datetime.isoformat, datetime.fromisoformat),  # a date too
    "date": (date, date.isoformat, date.fromisoformat),
    "time": (time, time.isoformat, time.fromisoformat),
    "duration": (timedelta, duration_string, parse_duration),
    "decimal": (Decimal, str, Decimal),
    "uuid": (UUID, str, UUID),
    "safe": (SafeString, str, mark_safe),  # by whoever signs, and nobody else
}


def packed(value: Any) -> Any:
    """Return what JSON has for a value; raises `TypeError` if that is nothing."""
    if isinstance(value, Enum):  # which may be a text or a number too
        return {"enum": _packed_member(value)}
    for kind, (type_, text, _) in _AS_TEXT.items():
        if isinstance(value, type_):
            return {kind: text(value)}
    match value:
        case None | bool() | int() | float() | str():
            return value
        case list():
            return [packed(one) for one in value]
        case tuple():
            return {"tuple": [packed(one) for one in value]}
        case dict():
            return {"dict": [[packed(key), packed(one)] for key, one in value.items()]}
        case Promise():
            return str(value)
        case Model() if value.pk is not None:
            return {"model": [value._meta.label_lower, packed(value.pk)]}
        case Model():
            raise TypeError(f"the type {type(value).__name__}, not saved")
    raise TypeError(f"the type {type(value).__name__}")


def is_packable(value: object) -> bool:
    """Whether a value comes back."""
    try:
        packed(value)
    except TypeError:
        return False
    return True


def unpacked(value: Any) -> Any:
    """Return the value, its models fetched.

    Raises `LookupError` at what another release has packed, and `ObjectDoesNotExist`
    if a model's row is gone.
    """
    if isinstance(value, list):
        return [unpacked(one) for one in value]
    if not isinstance(value, dict):
        return value
    ((kind, inner),) = value.items()
    match kind:
        case "tuple":
            return tuple(unpacked(one) for one in inner)
        case "dict":
            return {unpacked(key): unpacked(one) for key, one in inner}
        case "model":
            return _row(*inner)
        case "enum":
            return _member(*inner)
    return _AS_TEXT[kind][2](inner)


def _packed_member(member: Enum) -> list[Any]:
    kind = type(member)
    if _enum(kind.__module__, kind.__qualname__) is not kind:  # as of a function's own
        raise TypeError(f"the type {kind.__name__}, which isn't found by its name")
    return [kind.__module__, kind.__qualname__, packed(member.value)]


def _member(module: str, name: str, value: Any) -> Enum:
    kind = _enum(module, name)
    if kind is None:
        raise LookupError(f"There is no enum {module}.{name}.")
    try:
        return kind(unpacked(value))
    except ValueError as error:  # the member is another release's
        raise LookupError(str(error)) from None


def _enum(module: str, name: str) -> type[Enum] | None:
    # Nothing is imported for a name, and nothing is found but an enum.
    found: Any = sys.modules.get(module)
    for part in name.split("."):
        found = getattr(found, part, None)
    return found if isinstance(found, type) and issubclass(found, Enum) else None


def _row(label: str, pk: Any) -> Model:
    model = apps.get_model(label)
    row: Model | None = model._default_manager.filter(pk=unpacked(pk)).first()
    if row is None:
        raise ObjectDoesNotExist
    return row
