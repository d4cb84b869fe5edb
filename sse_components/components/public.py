"""What of a component its page may know: public properties and public methods."""

from __future__ import annotations

from collections.abc import Callable
from copy import deepcopy
from dataclasses import dataclass, field
from typing import Any, Protocol, TypeVar, cast, get_type_hints, overload

from pydantic import TypeAdapter

T = TypeVar("T")
F = TypeVar("F", bound=Callable[..., Any])


@dataclass
class Watch:
    """Notes which public properties of a component are read and set, by name."""

    reads: set[str] = field(default_factory=set)
    writes: set[str] = field(default_factory=set)


class HasWatch(Protocol):
    """An object whose public properties are being watched."""

    watch: Watch


class PublicProperty:
    """A typed property that travels to the page and back.

    Its type is that of the annotation, else that of the default. Values from a page
    are validated, those from Python are taken as they are.
    """

    def __init__(self, default: object) -> None:
        self._default = default
        self._adapter: TypeAdapter[Any] | None = None
        self.name = ""

    def __set_name__(self, owner: type, name: str) -> None:
        self.name = name

    def __get__(self, instance: HasWatch | None, owner: type | None = None) -> Any:
        if instance is None:
            return self
        instance.watch.reads.add(self.name)
        values = vars(instance)
        if self.name not in values:
            values[self.name] = deepcopy(self._default)  # a list is nobody else's
        return values[self.name]

    def __set__(self, instance: HasWatch, value: Any) -> None:
        instance.watch.writes.add(self.name)
        vars(instance)[self.name] = value

    def validate(self, owner: type, value: object) -> Any:
        """Return a value from a page; raises pydantic's `ValidationError`."""
        if self._adapter is None:
            self._adapter = TypeAdapter(self._type(owner))
        return self._adapter.validate_python(value)

    def _type(self, owner: type) -> Any:
        hints = get_type_hints(owner)
        if self.name in hints:
            return hints[self.name]
        return Any if self._default is None else type(self._default)


@dataclass(frozen=True)
class PublicMethod:
    """How a method may be called from a page."""

    update: bool = True
    """Whether the component is rendered afterwards."""
    listens: tuple[str, ...] = ()
    """The events that call it."""


class _Public:
    """`public(default)`, `@public`, `@public(update=False)`, `@public.listen(name)`."""

    @overload
    def __call__(self, default: F) -> F: ...
    @overload
    def __call__(self, default: T) -> T: ...
    @overload
    def __call__(self, *, update: bool) -> Callable[[F], F]: ...
    def __call__(self, default: Any = None, *, update: bool | None = None) -> Any:
        if update is not None:
            return lambda method: _marked(method, update=update)
        if callable(default) and not isinstance(default, type):
            return _marked(default)
        # A descriptor stands in for the value, as a dataclass's field() does.
        return PublicProperty(default)

    def listen(self, event_name: str) -> Callable[[F], F]:
        """Have a method called at a notification, once for each component."""
        return lambda method: _marked(method, listens=event_name)


def _marked(method: F, *, update: bool | None = None, listens: str | None = None) -> F:
    before = method_of(method) or PublicMethod()
    after = PublicMethod(
        update=before.update if update is None else update,
        listens=before.listens if listens is None else (*before.listens, listens),
    )
    cast(Any, method).public_method = after
    return method


def method_of(method: object) -> PublicMethod | None:
    """Return how a method may be called, if it is public."""
    found = getattr(method, "public_method", None)
    return found if isinstance(found, PublicMethod) else None


public = _Public()
