from __future__ import annotations

from datetime import UTC, date, datetime, time
from typing import Any

import pytest
from django.utils.translation import gettext_lazy
from pydantic import ValidationError

from sse_components import ReactiveComponent, public
from sse_components.components.methods import PublicMethod
from sse_components.components.public import Watch
from sse_components.testing import render_component
from tests.components.pages import request_for


class Typed(ReactiveComponent):
    headline = public("")
    count = public(0)
    tags = public(["new"])
    anything = public(None)
    day: date | None = public(None)
    lazy = public(gettext_lazy("Yes"))
    private = "x"

    def load(self) -> None: ...

    @public
    def save(self) -> None: ...

    @public(update=False)
    def touch(self) -> None: ...

    @public.listen("tetra:alert")
    @public.listen("tetra:calm")
    @public(update=False)
    def show(self, detail: object) -> None: ...

    def internal(self) -> None: ...


class Narrowed(Typed):
    headline = "its own, and no longer public"
    more = public(1)

    def save(self) -> None: ...


def made(kind: type[Typed] = Typed) -> Typed:
    return kind(request_for(), "/")


def validated(name: str, value: object) -> Any:
    return Typed.public_properties()[name].validate(Typed, value)


def test_a_property_begins_with_its_default() -> None:
    component = made()
    assert component.headline == ""
    assert component.props == {
        "headline": "", "count": 0, "tags": ["new"], "anything": None, "day": None,
        "lazy": "Yes",
    }  # fmt: skip


def test_a_default_is_nobody_elses() -> None:
    one, other = made(), made()
    one.tags.append("changed")
    assert one.tags == ["new", "changed"]
    assert other.tags == ["new"]
    assert made().tags == ["new"]


def test_values_from_python_are_taken_as_they_are() -> None:
    component = made()
    component.count = "seven"  # type: ignore[assignment]
    assert component.props["count"] == "seven"


@pytest.mark.parametrize(
    ("name", "value", "kept"),
    [
        ("headline", "x", "x"),
        ("count", 3, 3),
        ("tags", ["a", "b"], ["a", "b"]),
        ("anything", {"deep": [1]}, {"deep": [1]}),
        ("day", "2026-11-22", date(2026, 11, 22)),
        ("day", None, None),
        ("lazy", "No", "No"),
    ],
)
def test_a_value_from_a_page_becomes_what_the_type_says(
    name: str, value: object, kept: object
) -> None:
    assert validated(name, value) == kept


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("headline", 5),
        ("headline", None),
        ("headline", {"toString": 1}),
        ("count", "many"),
        ("tags", "new"),
        ("day", "yesterday"),
        ("lazy", 5),
    ],
)
def test_a_value_of_another_type_is_refused(name: str, value: object) -> None:
    with pytest.raises(ValidationError):
        validated(name, value)


class Timed(ReactiveComponent):
    at: datetime | None = public(None)
    end: time | None = public(None)
    template = "<p></p>"

    @public(update=False)
    def begin(self) -> None:
        self.at, self.end = MOMENT, MOMENT.time()

    @public
    def is_as_it_was(self, at: datetime) -> bool:
        return (self.at, self.end, at) == (MOMENT, MOMENT.time(), MOMENT)


MOMENT = datetime(2026, 11, 22, 8, 24, 5, 123456, UTC)


def test_a_time_comes_back_from_its_page_as_it_was_set() -> None:
    begun = render_component(Timed).call("begin")
    assert begun.call("is_as_it_was", MOMENT).result is True
    given = begun.call("is_as_it_was", MOMENT, at=MOMENT, end=MOMENT.time())
    assert given.refresh().call("is_as_it_was", MOMENT).result is True


def test_what_is_not_marked_is_not_public() -> None:
    assert list(Typed.public_properties()) == [
        "headline", "count", "tags", "anything", "day", "lazy"
    ]  # fmt: skip
    assert list(Typed.public_methods()) == ["save", "touch", "show"]


def test_a_method_renders_afterwards_unless_it_says_otherwise() -> None:
    methods = Typed.public_methods()
    assert methods["save"] == PublicMethod(update=True)
    assert methods["touch"] == PublicMethod(update=False)


# A33
def test_a_method_can_listen_to_several_events() -> None:
    show = Typed.public_methods()["show"]
    assert set(show.listens) == {"tetra:alert", "tetra:calm"}
    assert show.update is False


def test_a_subclass_inherits_what_it_does_not_replace() -> None:
    assert list(Narrowed.public_properties()) == [
        "count", "tags", "anything", "day", "lazy", "more"
    ]  # fmt: skip
    assert list(Narrowed.public_methods()) == ["touch", "show"]
    assert "more" not in Typed.public_properties()
    assert "save" in Typed.public_methods()


def test_what_is_read_and_what_is_set_is_watched() -> None:
    component = made()
    component.watch = Watch()
    assert component.headline == ""
    component.count = 1
    assert component.watch.reads == {"headline"}
    assert component.watch.writes == {"count"}


def test_reading_all_properties_at_once_is_not_watched() -> None:
    component = made()
    assert component.props
    assert component.watch.reads == set()
