from __future__ import annotations

import json
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta, timezone
from decimal import Decimal
from enum import Enum
from typing import Any
from uuid import UUID

import pytest
from django.contrib.auth.models import User
from django.utils.translation import gettext_lazy
from pydantic import BaseModel, Field
from pydantic.dataclasses import dataclass as pydantic_dataclass

from sse_components.components.jsonable import plain, text
from sse_components.errors import InvalidPayload


@dataclass
class Point:
    x: int
    since: date


@pydantic_dataclass
class Checked:
    x: int


class Filter(BaseModel):
    until: date
    points: list[Point]
    sort_by: str = Field("x", alias="sortBy")


class Kind(Enum):
    NEW = "new"


DAY = date(2026, 11, 22)
EARLY = timezone(timedelta(seconds=30))


@pytest.mark.parametrize(
    ("value", "found"),
    [
        ({"a": [1, None, True, 0.5, "ü"]}, {"a": [1, None, True, 0.5, "ü"]}),
        ((1, 2), [1, 2]),
        (DAY, "2026-11-22"),
        (datetime(2026, 11, 22, 8, tzinfo=UTC), "2026-11-22T08:00:00Z"),
        (datetime(2026, 11, 22, 8, 0, 0, 1, UTC), "2026-11-22T08:00:00.000001Z"),
        (datetime(2026, 11, 22, 8, 0, 0, 130001), "2026-11-22T08:00:00.130001"),
        (datetime(2026, 11, 22, 8, tzinfo=EARLY), "2026-11-22T08:00:00+00:00:30"),
        (time(8, 24, 5, 130001), "08:24:05.130001"),
        (Decimal("1.50"), "1.50"),
        (UUID(int=1), "00000000-0000-0000-0000-000000000001"),
        (gettext_lazy("Yes"), "Yes"),
        (User(pk=7), 7),
        (Kind.NEW, "new"),
        ({"x"}, ["x"]),
        (frozenset({"x"}), ["x"]),
        (Point(1, DAY), {"x": 1, "since": "2026-11-22"}),
        (Checked(1), {"x": 1}),
        (
            Filter(until=DAY, points=[Point(1, DAY)]),
            {
                "until": "2026-11-22",
                "points": [{"x": 1, "since": "2026-11-22"}],
                "sortBy": "x",
            },
        ),
    ],
)
def test_a_page_gets_json_of_every_value(value: Any, found: object) -> None:
    assert plain(value) == found
    assert json.loads(text(value)) == found
    assert plain([{"inside": value}]) == [{"inside": found}]


@pytest.mark.parametrize("value", [object(), float("nan"), Point, b"x"])
def test_what_is_nothing_in_json_is_refused(value: object) -> None:
    with pytest.raises(InvalidPayload):
        text(value)
