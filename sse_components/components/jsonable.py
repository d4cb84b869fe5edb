"""What the page gets of Python's values, as JSON."""

from __future__ import annotations

import dataclasses
import json
import re
from datetime import datetime, time
from enum import Enum
from typing import Any

from pydantic import BaseModel

from sse_components import operations, wire


def text(value: object) -> str:
    """Return a value as JSON; raises `InvalidPayload`."""
    return wire.dumps(value, _encode).decode()


def plain(value: object) -> Any:
    """Return a value with nothing in it but JSON's own types; raises as `text`."""
    return json.loads(text(value))


def _encode(value: Any) -> Any:
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        return {one.name: getattr(value, one.name) for one in dataclasses.fields(value)}
    if isinstance(value, BaseModel):
        return value.model_dump(by_alias=True)
    if isinstance(value, set | frozenset):
        return list(value)
    if isinstance(value, Enum):
        return value.value
    if isinstance(value, datetime | time):  # an event has them without microseconds
        return re.sub(r"\+00:00$", "Z", value.isoformat())
    return operations.encode(value)
