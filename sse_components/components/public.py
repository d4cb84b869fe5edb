"""What of a component its page may know: public properties and public methods."""

from __future__ import annotations

from collections.abc import Callable, Set
from copy import deepcopy
from dataclasses import dataclass, field, replace
from typing import Any, Final, Protocol, TypeVar, overload

from django.utils.functional import Promise

from sse_components.components import validators
from sse_components.components.methods import Marks
from sse_components.components.validators import Validator

T = TypeVar("T")
F = TypeVar("F", bound=Callable[..., Any])

_NOTHING: Final = object()


@dataclass
class Watch:
    """Notes which public properties of a component are read, and what is set on it."""

    reads: set[str] = field(default_factory=set)
    writes: set[str] = field(default_factory=set)
    kept: set[str] = field(default_factory=set)
    """What has been set outside of `load`."""
    loaded: Set[str] = frozenset()
    """What `load` has set the last time."""
    given: set[str] = field(default_factory=set)
    """The public properties whose values are the page's now."""
    ever: set[str] = field(default_factory=set)
    """Those that were read while they were, since the component was made."""

    def fresh(self) -> Watch:
        """Return one for the same component that has noted nothing yet."""
        kept = set(self.kept)
        return Watch(kept=kept, loaded=self.loaded, given=self.given, ever=self.ever)


class HasWatch(Protocol):
    """An object whose public properties are being watched."""

    watch: Watch


class PublicProperty:
    """A typed property that travels to the page and back.

    Its type is that of the annotation, else that of the default. Values from a page
    are validated, those from Python are taken as they are.
    """

    def __init__(self, default: object) -> None:
        self.default = default
        self._validators: dict[type, Validator] = {}
        self.name = ""

    def __set_name__(self, owner: type, name: str) -> None:
        self.name = name

    def __get__(self, instance: HasWatch | None, owner: type | None = None) -> Any:
        if instance is None:
            return self
        instance.watch.reads.add(self.name)
        if self.name in instance.watch.given:
            instance.watch.ever.add(self.name)
        values = vars(instance)
        if self.name not in values:
            values[self.name] = deepcopy(self.default)  # a list is nobody else's
        return values[self.name]

    def __set__(self, instance: HasWatch, value: Any) -> None:
        vars(instance)[self.name] = value

    def validate(self, owner: type, value: object) -> Any:
        """Return a value from a page; raises pydantic's `ValidationError`."""
        if owner not in self._validators:
            kind = _type_of(self.default)
            found = validators.of_attribute(owner, self.name, kind)
            self._validators[owner] = found
        return self._validators[owner].validate_python(value)


def _type_of(default: object) -> Any:
    if default is None:
        return Any
    return str if isinstance(default, Promise) else type(default)


class _Public(Marks):
    """`public(default)`, `@public`, `@public(update=False)`, `@public.listen(name)`."""

    @overload
    def __call__(self, default: F) -> F: ...
    @overload
    def __call__(self, default: T) -> T: ...
    @overload
    def __call__(self, *, update: bool) -> Marks: ...
    def __call__(self, default: Any = _NOTHING, *, update: bool | None = None) -> Any:
        if (default is _NOTHING) == (update is None):
            raise TypeError("public() takes a default, or update=False for a method.")
        if update is not None:
            return Marks(lambda method: replace(method, update=update))
        is_member = callable(default) or hasattr(type(default), "__get__")
        if is_member and not isinstance(default, type):
            return super().__call__(default)
        # A descriptor stands in for the value, as a dataclass's field() does.
        return PublicProperty(default)


public = _Public()
