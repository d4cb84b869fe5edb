"""What a component needs to be made again, as a signed text in its page."""

from __future__ import annotations

import json
import logging
from collections.abc import Iterable, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any, Final

from django.conf import settings
from django.core import signing
from django.core.exceptions import ImproperlyConfigured, ObjectDoesNotExist

from sse_components.components.packing import packed, unpacked

SALT: Final = "sse_components.state"
VERSION: Final = 1
"""Of the shape: a state of another one is none."""

LARGE: Final = 32 * 1024
"""Characters of a state, above which it is refused with `DEBUG`, else warned of."""

MAX_STATE: Final = 256 * 1024
"""Above so many it always is: a tenth of what Django takes as a request's body."""

logger = logging.getLogger("sse_components.components")


class InvalidState(ValueError):
    """A text is not a state of ours."""


@dataclass(frozen=True, slots=True)
class Own:
    """What the server would have given a component without values of the browser's."""

    args: tuple[Any, ...] = ()
    kwargs: Mapping[str, Any] = field(default_factory=dict)
    subscribe: str | list[str] | None = None


@dataclass(frozen=True, slots=True)
class State:
    """How a component was put on a page, and what it keeps."""

    name: str
    key: str | None = None
    args: tuple[Any, ...] = ()
    kwargs: Mapping[str, Any] = field(default_factory=dict)
    subscribe: str | list[str] | None = None
    user: str | None = None
    language: str | None = None
    zone: str | int | None = None
    attributes: Mapping[str, Any] = field(default_factory=dict)
    """What was set on it outside of `load`."""
    touched: bool = False
    """Whether the browser had a say in what was set."""
    own: Own | None = None
    """Stands in for `args`, `kwargs` and `subscribe`, where those are touched too."""
    counted: Mapping[str, int] = field(default_factory=dict)
    """How many components without a key stood before those inside it, by name."""

    def signed(self) -> str:
        """Return the state as text; models travel as their primary key.

        Raises `TypeError` if a value can't travel, and `ImproperlyConfigured` if all
        of it is too much.
        """
        content = {
            "c": self.name,
            "k": self.key,
            "a": self._packed_args(self.args),
            "w": self._packed_kwargs(self.kwargs),
            "s": self.subscribe,
            "u": self.user,
            "l": self.language,
            "z": self.zone,
            "i": {n: self._packed(f"self.{n}", v) for n, v in self.attributes.items()},
            "t": (self.touched and bool(self.attributes)) or None,
            "o": self.own
            and [
                self._packed_args(self.own.args),
                self._packed_kwargs(self.own.kwargs),
                self.own.subscribe,
            ],
            "n": dict(self.counted),
        }
        given = {name: value for name, value in content.items() if _is_something(value)}
        text = signing.dumps(
            {"v": VERSION} | given, salt=SALT, serializer=_Serializer, compress=True
        )
        self._check_size(len(text))
        return text

    def _check_size(self, size: int) -> None:
        if size <= LARGE:
            return
        fault = (
            f"{self.name} keeps {size} characters, which are in the page and in each "
            f"call, and may be {LARGE}: keep primary keys, and have load() fetch the "
            "rest."
        )
        if settings.DEBUG or size > MAX_STATE:
            raise ImproperlyConfigured(fault)
        logger.warning(fault)

    def _packed_args(self, args: tuple[Any, ...]) -> list[Any]:
        return [self._packed(f"argument {n}", v) for n, v in enumerate(args, 1)]

    def _packed_kwargs(self, kwargs: Mapping[str, Any]) -> dict[str, Any]:
        return {n: self._packed(f"argument {n}", v) for n, v in kwargs.items()}

    def _packed(self, what: str, value: object) -> Any:
        try:
            return packed(value)
        except TypeError as error:
            raise TypeError(
                f"{self.name} can't keep {what}: a value in it is of {error}. It keeps "
                "JSON's types, dates and times, decimals, UUIDs, enums and models that "
                "are saved, and neither what load() sets nor what begins with _."
            ) from None


def read(text: object, name: str) -> State:
    """Return the state of a component of a name, its models fetched.

    An attribute whose row is gone is left out. Raises `InvalidState`, and
    `ObjectDoesNotExist` if the row of an argument is gone.
    """
    try:
        content = signing.loads(str(text), salt=SALT, serializer=_Serializer)
        if content["v"] != VERSION:
            raise InvalidState("The state is of another version.")
        if content["c"] != name:
            raise InvalidState("The state is another component's.")
        return State(
            name=name,
            key=content.get("k"),
            args=_args(content.get("a", ())),
            kwargs=_kwargs(content.get("w", {})),
            subscribe=content.get("s"),
            user=content.get("u"),
            language=content.get("l"),
            zone=content.get("z"),
            attributes=_attributes(content.get("i", {})),
            touched=content.get("t", False),
            own=_own(content.get("o")),
            counted=content.get("n", {}),
        )
    except signing.BadSignature:
        raise InvalidState("The state is not one of ours.") from None
    except LookupError:  # no such member, no such model: of another release
        raise InvalidState("The state is of another version.") from None


def _args(given: Iterable[Any]) -> tuple[Any, ...]:
    return tuple(unpacked(value) for value in given)


def _kwargs(given: Mapping[str, Any]) -> dict[str, Any]:
    return {name: unpacked(value) for name, value in given.items()}


def _own(given: Any) -> Own | None:
    if given is None:
        return None
    args, kwargs, subscribe = given
    return Own(_args(args), _kwargs(kwargs), subscribe)


def _attributes(given: Mapping[str, Any]) -> dict[str, Any]:
    found = {}
    for name, value in given.items():
        with suppress(ObjectDoesNotExist):
            found[name] = unpacked(value)
    return found


def _is_something(value: object) -> bool:
    return value is not None and value not in ([], {})


class _Serializer(signing.JSONSerializer):
    def dumps(self, obj: Any) -> bytes:
        return json.dumps(obj, separators=(",", ":")).encode("latin-1")
