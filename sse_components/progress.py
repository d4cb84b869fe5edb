"""How far a client has got where that differs from group to group."""

from __future__ import annotations

from collections.abc import Callable

from sse_components.events import Position, names_over
from sse_components.wire import Vector


class Progress:
    """Reads a vector: what a client has had of which names.

    Of a name that isn't in it the client has what isn't newer than the oldest: it may
    have come under another name, or the name is a new one. What came under a group has
    come under its pattern too, and the other way round.
    """

    def __init__(self, vector: Vector, tag_of: Callable[[str], str]) -> None:
        """Raise `ValueError` for a vector of more than one epoch.

        `tag_of` returns what stands for a name in it.
        """
        (self._epoch,) = {position.epoch for position in vector.positions.values()}
        self._seqs = {tag: one.seq for tag, one in vector.positions.items()}
        self._tag_of = tag_of
        self._had: dict[str, int] = {}
        self.newest = max(self._seqs.values())
        """The seq after which nothing has come that the vector speaks of."""

    @property
    def oldest(self) -> Position:
        """The position up to which the client has had everything."""
        return Position(self._epoch, min(self._seqs.values()))

    def of(self, name: str) -> int:
        """Return the seq up to which it has had all events of a group or pattern."""
        if name not in self._had:
            tags = map(self._tag_of, names_over(name))
            self._had[name] = max(self._seqs.get(tag, 0) for tag in tags)
        return self._had[name]

    def at(self, seq: int) -> Vector:
        """Return where the client is when it has had everything up to a seq as well."""
        return Vector(
            {
                tag: Position(self._epoch, max(had, seq))
                for tag, had in self._seqs.items()
            }
        )
