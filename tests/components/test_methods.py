from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Iterator
from datetime import datetime
from functools import cached_property, partial
from typing import Any

import pytest
from django.utils import timezone

from sse_components import ReactiveComponent, public
from sse_components.components.methods import (
    Marks,
    PublicMethod,
    method_of,
    watched_arguments,
)
from sse_components.errors import InvalidEvent

Method = Callable[..., Any]


def one(self: object, value: object = None) -> None: ...


def marked(marks: Method) -> PublicMethod:
    """Return what is known of a method that is marked so."""

    def method(self: object, value: object = None) -> None: ...

    found = method_of(marks(method))
    assert found
    return found


def test_a_method_is_public_if_it_says_so() -> None:
    assert marked(public) == PublicMethod(update=True)
    assert marked(public(update=True)) == PublicMethod(update=True)
    assert marked(public(update=False)) == PublicMethod(update=False)
    assert method_of(one) is None
    assert method_of("no method") is None


def test_what_is_said_of_a_method_is_said_in_any_order() -> None:
    said = PublicMethod(listens=("a",), watches=("title",), debounce=300)
    orders: list[Marks] = [
        public.listen("a").watch("title").debounce(300),
        public.debounce(300).watch("title").listen("a"),
        public.watch("title").debounce(300).listen("a"),
    ]
    assert [marked(order) for order in orders] == 3 * [said]
    quiet = PublicMethod(update=False, listens=("a",), throttle=100)
    assert marked(public(update=False).listen("a").throttle(100)) == quiet


def test_marks_above_each_other_add_to_each_other() -> None:
    class Stacked(ReactiveComponent):
        @public.listen("a")
        @public.listen("b")
        @public.watch("title")
        @public(update=False)
        @public.throttle(100)
        def move(self, value: object) -> None: ...

    assert Stacked.public_methods()["move"] == PublicMethod(
        update=False, listens=("b", "a"), watches=("title",), throttle=100
    )


def test_several_names_may_be_given_at_once_and_count_once() -> None:
    assert marked(public.listen("a", "b").listen("a")).listens == ("a", "b")
    assert marked(public.watch("title", "done", "title")).watches == ("title", "done")


def test_a_chain_can_be_gone_on_with_in_two_ways() -> None:
    listening = public.listen("a")
    assert marked(listening.debounce(1)) == PublicMethod(listens=("a",), debounce=1)
    assert marked(listening.throttle(2)) == PublicMethod(listens=("a",), throttle=2)
    assert marked(listening) == PublicMethod(listens=("a",))


@pytest.mark.parametrize("ms", [0, -1])
@pytest.mark.parametrize("word", ["debounce", "throttle"])
def test_less_than_a_millisecond_is_refused(word: str, ms: int) -> None:
    with pytest.raises(ValueError, match=rf"public\.{word}\(\) takes at least 1"):
        getattr(public, word)(ms)


@pytest.mark.parametrize("ms", ["300", 0.3, None, True, one])
@pytest.mark.parametrize("word", ["debounce", "throttle"])
def test_what_is_no_number_of_milliseconds_is_refused(word: str, ms: object) -> None:
    with pytest.raises(TypeError, match=rf"public\.{word}\(\) takes milliseconds"):
        getattr(public, word)(ms)


@pytest.mark.parametrize(
    "marks",
    [
        lambda: public.debounce(1).throttle(1),
        lambda: public.throttle(1).debounce(1),
        lambda: lambda method: public.throttle(1)(public.debounce(1)(method)),
    ],
)
def test_debounce_and_throttle_exclude_each_other(marks: Method) -> None:
    with pytest.raises(ValueError, match=r"debounce\(\) or throttle\(\), not both"):
        marked(marks())


@pytest.mark.parametrize("names", [(), (one,), (5,), ("a", None)])
@pytest.mark.parametrize("word", ["listen", "watch"])
def test_what_is_no_name_is_refused(word: str, names: tuple[object, ...]) -> None:
    with pytest.raises(TypeError, match=rf"public\.{word}\(\) takes the name of a"):
        getattr(public, word)(*names)


@pytest.mark.parametrize("name", ["", "a\nb", 201 * "x"])
def test_a_name_that_no_event_can_have_is_refused(name: str) -> None:
    with pytest.raises(InvalidEvent):
        public.listen(name)


@pytest.mark.parametrize("name", ["", "a b", "a.b", "self.title", "1"])
def test_a_name_that_no_property_can_have_is_refused(name: str) -> None:
    with pytest.raises(ValueError, match="is not the name of a public property"):
        public.watch(name)


class Decorated:
    """A method that is no function, and has no name."""

    def __call__(self, component: object) -> None: ...
    def __get__(self, instance: object, owner: type) -> object:
        return partial(self, instance)


def test_only_a_method_can_be_marked() -> None:
    values: list[Any] = [
        "", 5, None, int, datetime.now, partial(one), staticmethod(one),
        classmethod(one), Decorated(),
    ]  # fmt: skip
    for value in values:
        with pytest.raises(TypeError, match="What is marked as public is a method"):
            public.listen("a")(value)


@pytest.mark.parametrize("value", [classmethod(one), staticmethod(one), property(one)])
def test_what_is_no_method_does_not_become_a_property(value: Any) -> None:
    with pytest.raises(TypeError, match="What is marked as public is a method with se"):
        public(value)


@pytest.mark.parametrize("kind", [staticmethod, classmethod, property, cached_property])
def test_a_public_method_can_not_be_made_something_else(kind: Method) -> None:
    fault = rf"save is marked as public and is a {kind.__name__}.* leave out @"
    with pytest.raises(TypeError, match=fault):

        class Saves(ReactiveComponent):
            @kind
            @public
            def save(self) -> None: ...


def test_what_is_not_public_may_be_anything() -> None:
    class Others(ReactiveComponent):
        a = staticmethod(one)
        b: Any = classmethod(one)
        c = property(one)
        d = cached_property(one)
        e = property()

    assert Others.public_methods() == {}


@pytest.mark.parametrize("arguments", [{}, {"default": "", "update": False}])
def test_public_takes_a_default_or_what_it_says_of_a_method(
    arguments: dict[str, Any],
) -> None:
    with pytest.raises(TypeError, match=r"public\(\) takes a default, or update"):
        public(**arguments)


def test_a_coroutine_is_no_public_method() -> None:
    async def save(self: object) -> None: ...

    with pytest.raises(TypeError, match=r"save is a coroutine.*Dispatcher\.sync"):
        public(save)


def test_a_generator_is_no_public_method() -> None:
    def each(self: object) -> Iterator[int]:
        yield 1

    async def each_later(self: object) -> AsyncIterator[int]:
        yield 1

    for method in (each, each_later):
        with pytest.raises(TypeError, match=r"each\w* is a generator"):
            public(method)


def test_what_has_no_self_is_no_public_method_and_stays_as_it_is() -> None:
    def named(*, value: object = None) -> None: ...
    def any_name(**values: object) -> None: ...

    for function in (timezone.now, named, any_name):
        with pytest.raises(TypeError, match="has no self"):
            public(function)
        assert method_of(function) is None


def test_a_page_gives_no_argument_by_name() -> None:
    def move(self: object, *, x: int, y: int, by: int = 1) -> None: ...
    def stay(self: object, *, x: int = 1, **others: object) -> None: ...

    with pytest.raises(TypeError, match="move needs x, y by name"):
        public(move)
    assert method_of(public(stay))


def test_what_listens_takes_what_the_event_says() -> None:
    def none(self: object) -> None: ...
    def two(self: object, detail: object, more: object) -> None: ...
    def named(self: object, *, detail: object) -> None: ...

    for method in (none, two, named):
        with pytest.raises(TypeError, match="listens, so it takes one argument"):
            public.listen("a")(method)


def test_what_watches_takes_no_more_than_it_is_given() -> None:
    def four(self: object, a: int, b: int, c: int, d: int) -> None: ...
    def named(self: object, *, value: int) -> None: ...

    for method in (four, named):
        with pytest.raises(TypeError, match="watches, so it takes at most 3 arguments"):
            public.watch("title")(method)


@pytest.mark.parametrize(
    ("method", "count"),
    [
        (lambda self: None, 0),
        (lambda self, value: None, 1),
        (lambda self, value, old: None, 2),
        (lambda self, value, old, name: None, 3),
        (lambda self, value, old=None, name=None, more=None: None, 3),
        (lambda self, *values: None, 3),
        (lambda self, value, *, by=1: None, 1),
    ],
)
def test_what_watches_gets_as_many_arguments_as_it_takes(
    method: Method, count: int
) -> None:
    assert watched_arguments(method) == count
