"""The contract of a broker: what carries events between processes and keeps history.

`tests/brokers/test_contract.py`, `test_revocations.py` and `test_presence.py` beside it
have a test for every sentence of the two classes.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import AsyncIterator, Collection, Mapping, Sequence
from dataclasses import dataclass, field

from sse_components.events import (
    Draft,
    Event,
    Position,
    check_group,
    check_subscribable,
)
from sse_components.meters import RoundTrips, Tally

ONLINE = "presence.users"
"""The group of who is online, with events of its own and never only counted."""

LEASE_SECONDS = 15
GRACE_SECONDS = 10
LARGE_GROUP = 1000
"""A group with more members is told how many there are, and not who comes and goes."""

COUNT_SECONDS = 5
"""How far apart these counts are at least."""

COUNTS_AT_ONCE = 100
"""Groups whose counts one report or sweep publishes; the next ones do the others."""

LAST_SEEN_SECONDS = 30 * 86_400
"""How long it is known when a user was online last."""

MAX_USER = 1000
"""Characters of a user: it stands in a payload."""


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
    newest: Mapping[str, int] = field(default_factory=dict)
    """Of `resume`: the seq of the newest event of each name, read with its events.

    It is what the next one has for its `previous`: for a pattern without any, where it
    was noted. A name of which none is remembered isn't in it. Unlike the events it is
    there for an unusable cursor too.
    """


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


@dataclass(frozen=True, slots=True)
class Revocation:
    """What was granted to a subject before a position isn't any more.

    As an announcement it is a watermark too.
    """

    position: Position
    subject: str
    """Whoever revokes and whoever asks agree on what it stands for."""
    pattern: str
    """Of the groups it is about; "" for whatever the subject was granted."""


Announcement = Delivery | Watermark | Interruption | Revocation


@dataclass(frozen=True, slots=True)
class Report:
    """What changed at a node since its last report: of how many it has how many."""

    node: str
    """A process, from its start to its end."""
    turn: int
    """Counts the reports of a node, from 1."""
    after: int
    """The turn of the last report that was taken in; 0 to begin."""
    members: Mapping[tuple[str, str], int]
    """Connections of a user in a group, by group and user; 0 when the last has gone."""
    subscribers: Mapping[str, int]
    """Connections that hear a group or pattern; 0 when the last has gone."""
    silent: bool = False
    """Whether nobody is to be told of who joins: they have been there all along."""


@dataclass(frozen=True, slots=True)
class Transition:
    """A user has come or gone, and an event with the position says so."""

    position: Position
    type: str
    """`presence.online` and `presence.offline`, or `presence.join` and `.leave`."""
    group: str
    user: str
    last_seen: int | None
    """The seq at which the last connection of a user went who is offline now."""


@dataclass(frozen=True, slots=True)
class Member:
    """A user in a group, with at least one connection or in grace."""

    user: str
    connections: int
    since: int
    """The seq since which the user has been there."""


@dataclass(frozen=True, slots=True)
class Membership:
    """Who is in a group; whoever hears what comes after the position stays right."""

    position: Position
    members: Sequence[Member]
    """By user, ascending."""


@dataclass(frozen=True, slots=True)
class Status:
    """Whether a user is online."""

    user: str
    connections: int
    """0 in grace, when the user still counts as online."""
    since: int | None
    """The seq since which the user has been online; None when offline."""
    last_seen: int | None
    """The seq at which the last connection went; None when online or not known."""


@dataclass(frozen=True, slots=True)
class Audience:
    """A group or pattern that somebody hears."""

    name: str
    subscribers: int
    """Connections, at least one."""


@dataclass(frozen=True, slots=True)
class Statuses:
    """Of users, in the order in which they were asked for, at a position."""

    position: Position
    statuses: Sequence[Status]


def check_report(report: Report) -> None:
    """Raise `ValueError` if a report can't be taken in, whatever was before it."""
    for group, user in report.members:
        check_group(group)
        check_user(user)
    for name in report.subscribers:
        check_subscribable(name)
    if any(
        number < 0
        for part in (report.members, report.subscribers)
        for number in part.values()
    ):
        raise ValueError("A report counts connections, and none of them is below 0.")


def check_user(user: str) -> str:
    """Return a user that can be reported or asked for; raise `ValueError`."""
    if len(user) > MAX_USER:
        raise ValueError(f"A user is a text of at most {MAX_USER} characters.")
    return check_line("A user", user)


def check_line(what: str, text: str) -> str:
    """Return a text that can stand among others; raise `ValueError`."""
    if "\n" in text or "\0" in text:
        raise ValueError(f"{what} can't hold LF or NUL: {text[:80]!r}.")
    text.encode()  # UnicodeEncodeError is a ValueError
    return text


class Feed(ABC):
    """What one process hears: the events of the names it is subscribed to.

    It is an iterator of batches. Announcements come in the order of their
    positions, those of one event one after the other, though not always in one
    batch. A feed that may have lost
    events says so with an `Interruption`, as soon as it hears everything again; what
    it hears before that comes after it. It comes back by itself, as often as it takes.

    Every feed hears every revocation, whatever names it is subscribed to, be it none:
    those after the first `subscribe` has returned, or after its first watermark. It
    says an `Interruption` if it may have lost one. So who reads `revocations()` after
    one of the two, and again at each `Interruption`, never misses any.
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
    async def subscribe_all(self) -> Position:
        """Start to hear every name, until the feed is closed; return the present.

        Every event after the returned position is announced under its group and, while
        the pattern over it is noted, under that, each once. Hearing all notes no
        pattern, and from now on that is all that `subscribe` and `unsubscribe` do.
        Raises `BrokerUnavailable`, and then hears what it heard before, maybe after
        an `Interruption`.
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

    published: Tally
    """Events that this object has published, without duplicates."""
    round_trips: RoundTrips | None = None
    """Of one that is another process."""

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
    async def history(self, group: str, limit: int) -> Resumption:
        """Return the events of a group that are remembered, the oldest first.

        At most `limit` events are returned, and nothing is lost. With `more`, `resume`
        returns the rest from the returned position, as long as it is remembered.
        Raises `InvalidGroup` for a pattern too, whose history has only what came while
        it was noted.
        """

    @abstractmethod
    async def position(self) -> Position:
        """Return the present: every event from now on has a greater seq."""

    @abstractmethod
    async def note(self, patterns: Collection[str]) -> Position:
        """Note patterns, as a feed that subscribes to them does; return the present.

        For who has no feed. They stay noted for as long as groups are remembered.
        """

    @abstractmethod
    async def feed(self) -> Feed:
        """Return a feed that hears nothing yet, for the running loop."""

    # Revocations.

    @abstractmethod
    def revoke(self, subject: str, pattern: str, seconds: float) -> Position:
        """Note a revocation for so long, and announce it on every feed.

        It has a position of its own, as an event has. A later one of the same subject
        and pattern takes its place, and doesn't end before it would have. May be called
        from any thread. Raises `ValueError`, having noted nothing, if one of the two
        texts has a line feed or NUL; `BrokerUnavailable` if it can't be known that it
        was noted, and it may be called again.
        """

    @abstractmethod
    async def arevoke(self, subject: str, pattern: str, seconds: float) -> Position:
        """Revoke as `revoke` does, without blocking the loop."""

    @abstractmethod
    async def revocations(self) -> Sequence[Revocation]:
        """Return what is noted, in no order.

        Whatever was noted before the call is in it, until its time is over. What a
        feed announces in the meantime may be in it too.
        """

    # Presence. A node is a process; what it reports holds while its lease does. A user
    # is in a group from the first connection at any node until the last has been gone
    # for the grace. Both are told by an event, in the same atomic step, which is
    # published to the group as any other:
    #
    #   presence.online, presence.offline  {"user": "7", "last_seen": null}, in `ONLINE`
    #   presence.join, presence.leave      {"user": "7"}, in any other group
    #   presence.count                     {"members": 1001}, in a large group
    #
    # `last_seen` is a time, and null in presence.online. In a group with more than
    # `LARGE_GROUP` members nobody is told of single ones. How many there are is told
    # while it changes, every `COUNT_SECONDS` at most, by whatever report or sweep
    # comes first. At nine tenths or below, a last count makes the group small again.

    @abstractmethod
    async def report(self, report: Report) -> list[Transition] | None:
        """Take in what changed at a node, and renew its lease.

        Each number stands for all before it, so that a report may be made again.
        Returns who came because of it and was told of. Returns None, and takes in
        nothing, if the last report isn't the one this one follows: the lease has
        ended, or the broker has lost its memory. The node is then to `withdraw`, and
        to begin with everything it has. A turn that was taken in already changes
        nothing, but renews the lease. Raises `ValueError` if a name is no group, a user
        has a line feed, NUL or more than `MAX_USER` characters, or a number is
        below 0.
        """

    @abstractmethod
    async def withdraw(self, node: str, grace_seconds: float | None = None) -> None:
        """Forget all that a node has reported, and its lease.

        Who has no connection left stays for the grace, or for so many seconds. No
        report of the node is taken in before all is forgotten. What a call that
        failed has left is forgotten by the next one, or by `sweep`.
        """

    @abstractmethod
    async def sweep(self, limit: int = 1000) -> list[Transition]:
        """Withdraw the nodes whose lease has ended, and let go of whose grace has.

        Who was seen at such a node was seen last when its lease was renewed last. Each
        of the two handles about `limit` members at most; any process may call it at
        any time. Returns who went and was told of: each is returned once, to whoever
        asks first.
        """

    @abstractmethod
    def members(self, group: str) -> Membership:
        """Return who is in a group, from any thread.

        In a large group they may be ahead of the last count that was published.
        """

    @abstractmethod
    async def amembers(self, group: str) -> Membership:
        """Return who is in a group, without blocking the loop."""

    @abstractmethod
    def statuses(self, users: Sequence[str]) -> Statuses:
        """Return whether users are online, from any thread.

        When one was seen last is known for `LAST_SEEN_SECONDS`.
        """

    @abstractmethod
    async def astatuses(self, users: Sequence[str]) -> Statuses:
        """Return whether users are online, without blocking the loop."""

    @abstractmethod
    def subscribers(self, groups: Sequence[str]) -> list[int]:
        """Return how many connections hear each of some names, from any thread.

        Those of a pattern count for the pattern, and not for the groups below it.
        """

    @abstractmethod
    async def asubscribers(self, groups: Sequence[str]) -> list[int]:
        """Return how many hear each of some names, without blocking the loop."""

    @abstractmethod
    def groups(self, prefix: str, after: str, limit: int) -> Sequence[Audience]:
        """Return the groups and patterns that somebody hears, from any thread.

        By name, ascending in the order of its characters: of those that begin with
        `prefix` and come after `after`, the first `limit`. Both may be any text, and
        need not be in use. They are counted as by `subscribers`, and in it from the
        first connection until the last has gone or its node is withdrawn.
        """

    @abstractmethod
    async def agroups(self, prefix: str, after: str, limit: int) -> Sequence[Audience]:
        """Return who is heard as `groups` does, without blocking the loop."""

    @abstractmethod
    async def close(self) -> None:
        """Let go of everything; feeds end."""
