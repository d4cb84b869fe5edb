"""Public methods: what calls them, how often, and what they take."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from functools import cached_property
from inspect import Parameter
from typing import Any, Final, TypeVar, cast

from sse_components.events import check_text

MOST_WATCHED: Final = 3
"""Arguments of a method that watches: the value, the old value, the name."""

_BY_NAME: Final = (Parameter.KEYWORD_ONLY, Parameter.VAR_KEYWORD)

F = TypeVar("F", bound=Callable[..., Any])


@dataclass(frozen=True, slots=True)
class PublicMethod:
    """How a method may be called from a page."""

    update: bool = True
    """Whether the component is rendered afterwards."""
    listens: tuple[str, ...] = ()
    """The events that call it."""
    watches: tuple[str, ...] = ()
    """The public properties that call it when they are changed in the page."""
    debounce: int | None = None
    """Milliseconds without another call after which the last one is made."""
    throttle: int | None = None
    """Milliseconds in which at most one call is made."""

    def __post_init__(self) -> None:
        if self.debounce is not None and self.throttle is not None:
            raise ValueError("A method has debounce() or throttle(), not both.")


class Marks:
    """Makes a method public, as was said of it; each word returns what takes more."""

    def __init__(self, *marks: Callable[[PublicMethod], PublicMethod]) -> None:
        self._marks = marks

    def __call__(self, method: F, /) -> F:
        if not _is_function(method):
            raise TypeError(
                f"What is marked as public is a method with self, not {method!r}."
            )
        public = method_of(method) or PublicMethod()
        for mark in self._marks:
            public = mark(public)
        _check(method, public)
        cast(Any, method).public_method = public
        return method

    def listen(self, *event_names: str) -> Marks:
        """Have it called at notifications, once for each component."""
        for name in _names("listen", "an event", event_names):
            check_text("The name of an event", name)
        return self._and(
            lambda public: replace(public, listens=_all(public.listens, event_names))
        )

    def watch(self, *properties: str) -> Marks:
        """Have it called when the visitor changes a public property.

        It is given as many of the value, the old value and the name as it takes.
        """
        for name in _names("watch", "a public property", properties):
            if not name.isidentifier():
                raise ValueError(f"{name!r} is not the name of a public property.")
        return self._and(
            lambda public: replace(public, watches=_all(public.watches, properties))
        )

    def debounce(self, ms: int) -> Marks:
        """Have calls wait until there was none for so long; the last one is made."""
        _check_milliseconds("debounce", ms)
        return self._and(lambda public: replace(public, debounce=ms))

    def throttle(self, ms: int) -> Marks:
        """Have at most one call made in so long; the last one isn't lost."""
        _check_milliseconds("throttle", ms)
        return self._and(lambda public: replace(public, throttle=ms))

    def _and(self, mark: Callable[[PublicMethod], PublicMethod]) -> Marks:
        return Marks(*self._marks, mark)


def _is_function(method: object) -> bool:
    """Whether a component's attribute of it would be a method, with a name."""
    return (
        callable(method)
        and hasattr(method, "__get__")
        and hasattr(method, "__qualname__")
        and not isinstance(method, type | staticmethod | classmethod)
    )


def method_of(method: object) -> PublicMethod | None:
    """Return how a method may be called, if it is public."""
    found = getattr(method, "public_method", None)
    return found if isinstance(found, PublicMethod) else None


def check_kind(member: object) -> None:
    """Raise `TypeError` if a class's member has made something else of a method."""
    match member:
        case staticmethod() | classmethod():
            inner: object = member.__func__
        case property():
            inner = member.fget
        case cached_property():
            inner = member.func
        case _:
            return
    if method_of(inner):
        kind = type(member).__name__
        raise TypeError(
            f"{getattr(inner, '__qualname__', inner)} is marked as public and is a "
            f"{kind}, and a public method is one with self: leave out @{kind}."
        )


def watched_arguments(method: Callable[..., Any]) -> int:
    """Return how many of the value, the old value and the name a method takes."""
    return next(n for n in range(MOST_WATCHED, -1, -1) if _takes(method, n))


def _takes(method: Callable[..., Any], count: int) -> bool:
    try:
        inspect.signature(method).bind(None, *range(count))
    except TypeError:
        return False
    return True


def _check(method: Callable[..., Any], public: PublicMethod) -> None:
    name = method.__qualname__
    if inspect.iscoroutinefunction(method):
        raise TypeError(
            f"{name} is a coroutine, and a public method is a plain function. "
            "ComponentDispatcher.sync has the operations for those."
        )
    if inspect.isgeneratorfunction(method) or inspect.isasyncgenfunction(method):
        raise TypeError(
            f"{name} is a generator, and a public method is a plain function, which "
            "returns what it has to say at once."
        )
    parameters = inspect.signature(method).parameters.values()
    if all(one.kind in _BY_NAME for one in parameters):
        raise TypeError(
            f"{name} has no self, and a public method is one of a component. A default "
            "is a value: what is made anew for each component, load() sets."
        )
    if public.listens and not _takes(method, 1):
        raise TypeError(
            f"{name} listens, so it takes one argument: what the event says."
        )
    if public.watches and not any(_takes(method, n) for n in range(MOST_WATCHED + 1)):
        raise TypeError(
            f"{name} watches, so it takes at most {MOST_WATCHED} arguments: "
            "the value, the old value, and the property's name."
        )
    _check_names(name, parameters)


def _check_names(name: str, parameters: Iterable[Parameter]) -> None:
    needed = [
        one.name
        for one in parameters
        if one.kind is Parameter.KEYWORD_ONLY and one.default is Parameter.empty
    ]
    if needed:
        raise TypeError(
            f"{name} needs {', '.join(needed)} by name, and a page gives arguments by "
            "their place only."
        )


def _names(word: str, what: str, names: tuple[str, ...]) -> tuple[str, ...]:
    if not names or not all(isinstance(name, str) for name in names):
        raise TypeError(f"public.{word}() takes the name of {what}, as a text.")
    return names


def _all(before: tuple[str, ...], more: tuple[str, ...]) -> tuple[str, ...]:
    return tuple(dict.fromkeys((*before, *more)))


def _check_milliseconds(word: str, ms: int) -> None:
    if not isinstance(ms, int) or isinstance(ms, bool):
        raise TypeError(f"public.{word}() takes milliseconds as an int, not {ms!r}.")
    if ms < 1:
        raise ValueError(f"public.{word}() takes at least 1 millisecond, not {ms!r}.")
