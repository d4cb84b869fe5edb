"""Single values that go in and out: names, ids, moments, each with its grammar."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Any

from pydantic import AfterValidator, Field, PlainSerializer, WithJsonSchema

from sse_components.events import (
    MAX_NAME,
    check_group,
    check_pattern,
    check_text,
    is_subscribable,
)
from sse_components.groups import is_reserved, wire_name
from sse_components.revoking import user_id
from sse_components.wire import parse_position


def _group(name: str) -> str:
    return _without_key(check_group(name))


def _pattern(name: str) -> str:
    return _without_key(check_pattern(name))


def _without_key(name: str) -> str:
    if wire_name(name) != name:
        raise ValueError("A session is known here as session.h-…, never by its key.")
    return name


def _grantable(name: str) -> str:
    if not is_subscribable(name):
        raise ValueError("This is neither a group nor a pattern group like news.*.")
    if is_reserved(name):
        raise ValueError("This group is reserved, and isn't granted.")
    return name


def _user(user: str) -> str:
    try:
        return user_id(user)
    except ValueError:
        raise ValueError("This can't be the primary key of a user.") from None


def _cursor(text: str) -> str:
    parse_position(text)
    return text


def _event_name(name: str) -> str:
    return check_text("The name of an event", name)


def _component_id(id: str) -> str:
    return check_text("The id of a component", id)


GroupName = Annotated[
    str,
    AfterValidator(_group),
    WithJsonSchema(
        {
            "type": "string",
            "pattern": r"^[A-Za-z0-9_-]+(\.[A-Za-z0-9_-]+)*$",
            "maxLength": MAX_NAME,
            "examples": ["news.updates"],
        }
    ),
]
HeardName = Annotated[
    str,
    WithJsonSchema(
        {
            "type": "string",
            "pattern": r"^[A-Za-z0-9_-]+(\.[A-Za-z0-9_-]+)*(\.\*)?$",
            "maxLength": MAX_NAME,
            "examples": ["news.*"],
        }
    ),
]
"""Of a group or a pattern group."""

GrantedName = Annotated[HeardName, AfterValidator(_grantable)]
PatternName = Annotated[
    str,
    AfterValidator(_pattern),
    WithJsonSchema(
        {"type": "string", "maxLength": MAX_NAME, "examples": ["project.5.**"]}
    ),
]
UserId = Annotated[
    str,
    Field(
        min_length=1,
        max_length=200,
        pattern=r"^[^\x00-\x1f\x7f-\x9f]+$",
        description="The primary key as text.",
        examples=["7"],
    ),
]
KnownUserId = Annotated[UserId, AfterValidator(_user)]
"""In the form in which it is known."""

Cursor = Annotated[
    str,
    AfterValidator(_cursor),
    WithJsonSchema(
        {
            "type": "string",
            # No number that it allows is too large.
            "pattern": r"^[A-Za-z0-9]{1,16}:(0|[1-9][0-9]{0,14}|[1-8][0-9]{15})$",
            "examples": ["7f3a9c21:1763799845130001"],
        }
    ),
]
Data = Annotated[dict[str, Any], Field(examples=[{"headline": "Hello"}])]
Sender = Annotated[
    str,
    Field(
        pattern=r"^[A-Za-z0-9_-]{1,64}\.[A-Za-z0-9_-]{1,64}$",
        examples=["Vb3kQ9xZ.4-2"],
    ),
]
ComponentId = Annotated[
    str,
    AfterValidator(_component_id),
    WithJsonSchema(
        {
            "type": "string",
            "minLength": 1,
            "maxLength": MAX_NAME,
            "pattern": r"^[^\r\n\x00]+$",
            "examples": ["news.NewsTicker:5"],
        }
    ),
]
EventName = Annotated[
    str,
    AfterValidator(_event_name),
    WithJsonSchema(
        {
            "type": "string",
            "minLength": 1,
            "maxLength": MAX_NAME,
            "examples": ["tetra:alert"],
        }
    ),
]


def _text_of(moment: datetime) -> str:
    return moment.isoformat(timespec="microseconds").removesuffix("+00:00") + "Z"


Id = Annotated[str, Field(examples=["7f3a9c21:1763799845130001"])]
Moment = Annotated[
    datetime,
    PlainSerializer(_text_of),
    WithJsonSchema(
        {
            "type": "string",
            "format": "date-time",
            "examples": ["2026-11-22T08:24:05.130001Z"],
        }
    ),
]
"""In UTC, as events have it in their `ts`."""
