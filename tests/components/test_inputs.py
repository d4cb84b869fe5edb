from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from typing import Annotated, Any, Literal

import pytest
from django.test import Client
from pydantic import BaseModel, Field

from sse_components import ReactiveComponent, public
from tests.components.pages import Answer, call

TYPED = "tests.Takes"


@dataclass
class Point:
    x: int
    y: int = 0


class Filter(BaseModel):
    until: date
    kind: Literal["new", "old"] = "new"


class Takes(ReactiveComponent):
    """Takes arguments of many types, and tells what became of them."""

    numbers: list[int] = public([1])
    until: date = public(date(2026, 11, 22))
    price: Decimal = public(Decimal("1.50"))
    kind: Literal["new", "old"] = public("new")
    limit: int | None = public(None)
    small: Annotated[int, Field(le=10)] = public(1)
    point: Point = public(Point(1))
    filter: Filter = public(Filter(until=date(2026, 11, 22)))
    untyped = public(None)
    template = "<p>{{ price }}</p>"

    @public(update=False)
    def look(self) -> str:
        return repr(
            [self.numbers, self.until, self.price, self.limit, self.point, self.filter]
        )

    @public(update=False)
    def typed(self, pk: int, day: date | None = None, *rest: Decimal) -> str:
        return repr((pk, day, *rest))

    @public(update=False)
    def untyped_too(self, pk, point: Point | None = None):  # type: ignore[no-untyped-def]
        return repr((pk, point))

    @public(update=False)
    def structured(self, given: Filter, points: list[Point]) -> object:
        return {"given": given, "points": points, "sum": sum(p.x for p in points)}

    @public.listen("a")
    def hear(self, detail: dict[str, Any]) -> Any:
        return detail


def typed(client: Client, *args: object, method: str = "typed") -> Answer:
    return call(client, TYPED, method, args=list(args))


@pytest.mark.parametrize(
    ("args", "method", "result"),
    [
        ([5], "typed", "(5, None)"),
        (["5"], "typed", "(5, None)"),
        ([5, "2026-11-22"], "typed", "(5, datetime.date(2026, 11, 22))"),
        ([5, None, "1.5", 2], "typed", "(5, None, Decimal('1.5'), Decimal('2'))"),
        (["5"], "untyped_too", "('5', None)"),
        ([{"any": [1]}, {"x": "3"}], "untyped_too", "({'any': [1]}, Point(x=3, y=0))"),
        ([{"data": {"a": 1}}], "hear", {"data": {"a": 1}}),
        (
            [{"until": "2026-11-22"}, [{"x": 1}, {"x": 2}]],
            "structured",
            {
                "given": {"until": "2026-11-22", "kind": "new"},
                "points": [{"x": 1, "y": 0}, {"x": 2, "y": 0}],
                "sum": 3,
            },
        ),
    ],
)
def test_arguments_become_what_the_annotations_say(
    client: Client, args: list[object], method: str, result: object
) -> None:
    answer = typed(client, *args, method=method)
    assert (answer.status, answer.json["result"]) == (200, result)


@pytest.mark.parametrize(
    ("args", "method", "pointers"),
    [
        (["x"], "typed", ["/args/0"]),
        ([None], "typed", ["/args/0"]),
        ([5, "yesterday"], "typed", ["/args/1"]),
        (["x", "yesterday", "1", "x", "2", "y"], "typed", [0, 1, 3, 5]),
        (["anything", {"y": 1}], "untyped_too", ["/args/1"]),
        (["text"], "hear", ["/args/0"]),
        ([{"until": "2026-11-22", "kind": "x"}, 5], "structured", [0, 1]),
        ([], "typed", ["/args"]),
        ([1, 2, 3], "untyped_too", ["/args"]),
    ],
)
def test_arguments_of_another_type_are_refused_by_their_place(
    client: Client, args: list[object], method: str, pointers: list[int | str]
) -> None:
    answer = typed(client, *args, method=method)
    assert (answer.status, answer.code) == (422, "args")
    assert [error["pointer"] for error in answer.json["errors"]] == [
        place if isinstance(place, str) else f"/args/{place}" for place in pointers
    ]
    assert all(error["message"] for error in answer.json["errors"])


def test_properties_become_what_the_annotations_say(client: Client) -> None:
    props = {
        "numbers": ["1", 2], "until": "2027-01-01", "price": "2.50", "limit": 5,
        "point": {"x": 3}, "filter": {"until": "2027-01-01", "kind": "old"},
    }  # fmt: skip
    answer = call(client, TYPED, "look", props=props)
    assert answer.json["result"] == (
        "[[1, 2], datetime.date(2027, 1, 1), Decimal('2.50'), 5, Point(x=3, y=0), "
        "Filter(until=datetime.date(2027, 1, 1), kind='old')]"
    )
    back = answer.json["props"]
    assert {name: back[name] for name in props} == props | {
        "numbers": [1, 2], "point": {"x": 3, "y": 0}
    }  # fmt: skip


def test_what_a_page_is_given_it_may_give_back(client: Client) -> None:
    given = call(client, TYPED, "look").json
    again = call(client, TYPED, "look", props=given["props"]).json
    assert (again["result"], again["props"]) == (given["result"], given["props"])


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("numbers", ["x"]),
        ("numbers", None),
        ("until", "yesterday"),
        ("price", "a lot"),
        ("kind", "other"),
        ("limit", "none"),
        ("small", 11),
        ("point", {"y": 1}),
        ("filter", {"until": "2026-11-22", "kind": "x"}),
    ],
)
def test_properties_of_another_type_are_refused_by_name(
    client: Client, name: str, value: object
) -> None:
    answer = call(client, TYPED, props={name: value})
    assert (answer.status, answer.code) == (422, "props")
    assert [error["pointer"] for error in answer.json["errors"]] == [f"/props/{name}"]


def test_a_method_that_is_refused_is_not_run(client: Client) -> None:
    ran.clear()
    assert call(client, "tests.Runs", "run", args=["x"]).status == 422
    assert call(client, "tests.Runs", "run", props={"count": "x"}).status == 422
    assert ran == []
    assert call(client, "tests.Runs", "run", args=["1"]).status == 200
    assert ran == [1]


ran: list[int] = []


class Runs(ReactiveComponent):
    count = public(0)
    template = "<p></p>"

    @public
    def run(self, number: int = 0) -> None:
        ran.append(number)


def decorated(method: Callable[..., Any]) -> Callable[..., Any]:
    def wrapper(self: object, *args: Any) -> Any:
        return method(self, *args)

    return wrapper


class Decorated(ReactiveComponent):
    template = "<p></p>"

    @public(update=False)
    @decorated
    def run(self, number: int) -> object:
        return number


def test_a_decorator_that_hides_the_annotations_takes_what_comes(
    client: Client,
) -> None:
    answer = call(client, "tests.Decorated", "run", args=["1"])
    assert answer.json["result"] == "1"
