"""The contract of a broker: what carries events between processes and keeps history.

`tests/brokers/test_contract.py` has a test for every sentence of the two classes.

Two more parts of the contract will follow the same rules as publishing, and their
names are taken. Each of their operations is one atomic step that changes the state and
publishes the event of the change:

- Revocations: `revoke(subject, pattern, until)` notes a revocation under a position
  of its own and announces it as a `Revocation` on every feed; `revocations()` are
  those noted and not past `until`, which a process reads before its first stream.
- Presence: `beat(node)` renews the one lease of a process; `join(node, group, member,
  connection)` and `leave(...)` are idempotent and refused without a lease;
  `sweep()` turns expired leases and spent grace into leaves, each exactly once
  whoever sweeps; `members(groups)` is a snapshot with the position it holds at.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import AsyncIterator, Collection, Mapping, Sequence
from dataclasses import dataclass

from sse_components.events import Draft, Event, Position


@dataclass(frozen=True, slots=True)
class Published:
    """What became of a draft."""

    position: Position
    duplicate: bool
    """Whether an earlier call with the same idempotency key had published it."""


@dataclass(frozen=True, slots=True)
class Idempotency:
    """How a broker knows that a call is a repetition of another."""

    key: str
    fingerprint: str
    """Of the body; the same key with another one is a mistake of the caller."""


@dataclass(frozen=True, slots=True)
class Resumption:
    """What lies between a cursor and the present of some groups."""

    position: Position
    """With `events` and after a reset of `lost`, a client is complete up to here."""
    events: Sequence[Event]
    """Of the groups that are not lost, ascending, each once."""
    lost: Mapping[str, int]
    """The names that may have had events which can't be given any more.

    With the seq of the newest of these; who is past it by other ways has lost nothing.
    """
    present: Position
    """Where the broker was when this was read; a state fetched later has all of it."""
    usable: bool
    """Whether the cursor can be compared at all. If not, all groups are lost."""
    more: bool
    """Whether the present is further on than `position`."""


@dataclass(frozen=True, slots=True)
class Delivery:
    """An event heard under a name that was subscribed to: its group or a pattern."""

    name: str
    previous: int
    """The seq of the event before it under the same name.

    0 if none is known; for a pattern's first event, where the pattern was noted.
    """
    event: Event


@dataclass(frozen=True, slots=True)
class Watermark:
    """All that was published up to here has been heard."""

    position: Position


@dataclass(frozen=True, slots=True)
class Interruption:
    """What was announced before may lack events; from here on none is missing."""


Announcement = Delivery | Watermark | Interruption


class Feed(ABC):
    """What one process hears: the events of the names it is subscribed to.

    It is an iterator of batches. Announcements come in the order of their
    positions, those of one event one after the other, though not always in one
    batch. A feed that may have lost
    events says so with an `Interruption`, as soon as it hears everything again; what
    it hears before that comes after it. It comes back by itself, as often as it takes.
    """

    @abstractmethod
    async def subscribe(self, names: Collection[str]) -> Position:
        """Start to hear groups and patterns; return the present.

        Every event of the names after the returned position is announced. A pattern
        is noted with the broker first, so that from the returned position on every
        publisher feeds its history, until nobody has been subscribed to it for
        as long as groups are remembered. Raises `BrokerUnavailable`, and then
        doesn't hear them.
        """

    @abstractmethod
    async def unsubscribe(self, names: Collection[str]) -> None:
        """Stop to hear names; those that aren't heard are passed over."""

    @abstractmethod
    async def probe(self) -> None:
        """Have a watermark announced, behind all that was announced before.

        Called every few seconds, it also finds out that nothing is heard any more,
        and keeps patterns noted. Raises `BrokerUnavailable`.
        """

    @abstractmethod
    def __aiter__(self) -> AsyncIterator[Sequence[Announcement]]:
        """Iterate over what is heard, in batches that aren't empty."""

    @abstractmethod
    async def close(self) -> None:
        """Stop to hear anything, and end the iteration."""


class Broker(ABC):
    """Stores, numbers and announces events, in one atomic step for each.

    An event gets `seq = max(last + 1, microseconds since 1970)`, where last is the
    seq of whatever was published before it to whichever group. The epoch changes
    whenever the broker may have forgotten something that it doesn't know of.

    It keeps of each group the last events, as many and as long as it was told, and
    the seq of the newest for longer. What it has dropped shows in `resume`.
    Whatever it is asked raises `BrokerUnavailable` within seconds if it is away.
    """

    @abstractmethod
    async def check(self) -> None:
        """Raise `BrokerRefused` if it can't keep this contract as it is set up.

        What only endangers it is logged, once.
        """

    @abstractmethod
    def publish(
        self, drafts: Sequence[Draft], idempotency: Idempotency | None = None
    ) -> list[Published]:
        """Publish to groups, in order; may be called from any thread.

        A call with an idempotency key that was used in the last 5 minutes publishes
        nothing, and returns the positions from then as duplicates. Raises
        `IdempotencyConflict`, having published nothing, if the fingerprint differs;
        `BrokerUnavailable` if it can't be known that all was published, and the same
        call with the same key may be made again.
        """

    @abstractmethod
    async def apublish(
        self, drafts: Sequence[Draft], idempotency: Idempotency | None = None
    ) -> list[Published]:
        """Publish as `publish` does, without blocking the loop."""

    @abstractmethod
    async def resume(
        self, cursor: Position, names: Collection[str], limit: int
    ) -> Resumption:
        """Return what was published to groups and patterns after a cursor.

        At most `limit` events are returned; with `more`, the rest follows from the
        returned position. A cursor is unusable when it is of another epoch, ahead of
        the present, or older than the broker's memory of groups. A name is
        lost when its history no longer reaches back to the cursor, a pattern also
        when it wasn't noted then. An event that came under a group and a pattern is
        returned once. A name that was never published to has lost nothing.
        """

    @abstractmethod
    async def position(self) -> Position:
        """Return the present: every event from now on has a greater seq."""

    @abstractmethod
    async def feed(self) -> Feed:
        """Return a feed that hears nothing yet, for the running loop."""

    @abstractmethod
    async def close(self) -> None:
        """Let go of everything; feeds end."""
