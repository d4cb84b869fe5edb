"""Which key each component of a page has, and which of them are there twice."""

from __future__ import annotations

import logging
from collections import Counter
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field

from django.conf import settings
from django.core.exceptions import ImproperlyConfigured

from sse_components.events import component_key

logger = logging.getLogger("sse_components.components")

_told: set[tuple[str, str]] = set()
"""Mistakes that a component was warned of, which is done once in a process."""


@dataclass
class _Parent:
    """A component whose template is being rendered, or the page itself."""

    name: str | None = None
    seen: set[tuple[str, str]] = field(default_factory=set)
    numbered: set[str] = field(default_factory=set)


class Keys:
    """Of one page: numbers what has no key, and finds what can't be told apart."""

    def __init__(self) -> None:
        self._counted: Counter[str] = Counter()
        self._parents = [_Parent()]

    def begin(self, counted: Mapping[str, int]) -> None:
        """Go on where those had got that stood before a component on its page."""
        self._counted.update(counted)

    def number(self, name: str) -> str | None:
        """Return the key of one that has none: its number, and none for the first."""
        parent = self._parents[-1]
        if parent.name and name in parent.numbered and settings.DEBUG:
            _warn(
                "numbered",
                name,
                f"{parent.name} has several {name} without a key: what is typed into "
                "one stays in its place when they change theirs. Give each a key.",
            )
        parent.numbered.add(name)
        self._counted[name] += 1
        number = self._counted[name]
        return self._noted(name, str(number)) if number > 1 else None

    def own(self, name: str, key: object) -> str:
        """Return the key that one was given, as it stands in an id.

        Raises `ImproperlyConfigured` in DEBUG if its parent has another with that key.
        """
        return self._noted(name, component_key(key))

    @contextmanager
    def inside(self, name: str) -> Iterator[dict[str, int]]:
        """Have what is rendered meanwhile be inside a component.

        In the end the value is how many without a key stood before that, by name.
        """
        before = dict(self._counted)
        self._parents.append(_Parent(name))
        try:
            yield before
        finally:
            around = [parent.name for parent in self._parents]
            self._parents.pop()
        for one in around:  # of whose kind there is none inside, or it would be endless
            if one and self._counted[one] == before.get(one):
                del before[one]

    def _noted(self, name: str, key: str) -> str:
        parent = self._parents[-1]
        if (name, key) in parent.seen:
            fault = (
                f"{parent.name or 'The page'} has two {name} with the key {key!r}, "
                "which can't be told apart. Give each another one."
            )
            if settings.DEBUG:
                raise ImproperlyConfigured(fault)
            _warn("twice", name, fault)
        parent.seen.add((name, key))
        return key


def _warn(mistake: str, name: str, fault: str) -> None:
    if (mistake, name) not in _told:
        _told.add((mistake, name))
        logger.warning("%s", fault)
