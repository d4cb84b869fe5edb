"""Who is where, in the embedded broker's memory: the rules of presence."""

from __future__ import annotations

from bisect import bisect_left, bisect_right, insort
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass, field
from heapq import nsmallest
from typing import TypeVar

from sse_components import wire
from sse_components.brokers.base import (
    COUNT_SECONDS,
    COUNTS_AT_ONCE,
    LAST_SEEN_SECONDS,
    ONLINE,
    Audience,
    Member,
    Report,
    Status,
    Transition,
)
from sse_components.events import Position

MAX_LAST_SEEN = 100_000
"""Users of whom it is known when they were online last. The oldest are forgotten."""

COUNT_MICROSECONDS = COUNT_SECONDS * 1_000_000
LAST_SEEN_MICROSECONDS = LAST_SEEN_SECONDS * 1_000_000

K = TypeVar("K")

Publish = Callable[[str, str, bytes], Position]
"""Publishes to a group an event of a type with a payload."""


@dataclass(frozen=True, slots=True)
class Moment:
    """When something is done: leases and graces go by the clock, positions don't."""

    now: int
    present: int
    """The seq, which is ahead of a clock that went back."""


@dataclass(slots=True)
class _Node:
    turn: int = 0
    lease_end: int = 0
    members: dict[tuple[str, str], int] = field(default_factory=dict)
    subscribers: dict[str, int] = field(default_factory=dict)


@dataclass(slots=True)
class _Counting:
    """Of a group that is large, or was so a moment ago."""

    large: bool = False
    next: int = 0
    """When the next count may be published."""
    due: int | None = None
    """When it is to be, if there is a change to tell."""


class Attendance:
    """What nodes have reported, and who came and went because of it.

    The broker calls it under its lock; each call is one step.
    """

    def __init__(
        self, publish: Publish, lease: int, grace: int, large_group: int
    ) -> None:
        self._publish = publish
        self._lease = lease
        self._grace = grace
        self._large_group = large_group
        self._nodes: dict[str, _Node] = {}
        self._groups: dict[str, dict[str, Member]] = {}
        self._leaving: dict[tuple[str, str], int] = {}
        """Whose last connection in a group has gone, and when the grace ends."""
        self._subscribers: dict[str, int] = {}
        self._names: list[str] = []
        """Of those that have any, ascending."""
        self._last_seen: OrderedDict[str, int] = OrderedDict()
        self._counting: dict[str, _Counting] = {}

    def report(self, report: Report, moment: Moment) -> list[Transition] | None:
        node = self._nodes.get(report.node)
        if node is None:
            if report.after:
                return None
            node = self._nodes[report.node] = _Node()
        elif node.lease_end <= moment.now:
            return None
        elif report.turn <= node.turn:
            node.lease_end = moment.now + self._lease
            return []
        elif report.after != node.turn:
            return None
        node.turn, node.lease_end = report.turn, moment.now + self._lease
        told = []
        for (group, user), number in report.members.items():
            change = number - _replace(node.members, (group, user), number)
            grace_end = moment.now + self._grace
            if self._change(group, user, change, grace_end, moment.present):
                told += self._came(group, user, report.silent, moment.now)
        for group, number in report.subscribers.items():
            change = number - _replace(node.subscribers, group, number)
            self._hear(group, change)
        self._publish_counts(moment.now)
        return told

    def withdraw(self, name: str, moment: Moment, grace: int | None = None) -> None:
        if name in self._nodes:
            grace_end = moment.now + (self._grace if grace is None else grace)
            node = self._nodes[name]
            everything = len(node.members) + len(node.subscribers)
            self._withdraw(name, everything, grace_end, moment.present)

    def sweep(self, limit: int, moment: Moment) -> list[Transition]:
        left = limit
        for name, node in list(self._nodes.items()):
            if node.lease_end <= moment.now:
                seen = node.lease_end - self._lease
                left -= self._withdraw(name, left, moment.now + self._grace, seen)
        over = ((end, key) for key, end in self._leaving.items() if end <= moment.now)
        told = []
        for _, (group, user) in nsmallest(limit, over):
            del self._leaving[group, user]
            members = self._groups[group]
            del members[user]
            if not members:
                del self._groups[group]
            told += self._went(group, user, moment.now)
        self._publish_counts(moment.now)
        self._forget(moment)
        return told

    def members(self, group: str) -> list[Member]:
        members = self._groups.get(group, {})
        return [members[user] for user in sorted(members)]

    def status(self, user: str, present: int) -> Status:
        if member := self._groups.get(ONLINE, {}).get(user):
            return Status(user, member.connections, member.since, None)
        seen = self._last_seen.get(user)
        if seen is not None and seen < present - LAST_SEEN_MICROSECONDS:
            seen = None
        return Status(user, 0, None, seen)

    def subscribers(self, group: str) -> int:
        return self._subscribers.get(group, 0)

    def groups(self, prefix: str, after: str, limit: int) -> list[Audience]:
        names = self._names
        start = max(bisect_left(names, prefix), bisect_right(names, after))
        return [
            Audience(name, self._subscribers[name])
            for name in names[start : start + limit]
            if name.startswith(prefix)
        ]

    def _withdraw(self, name: str, limit: int, grace_end: int, seen: int) -> int:
        """Forget some of what a node has reported; return how much, and it at last."""
        node, done = self._nodes[name], 0
        while node.members and done < limit:
            (group, user), number = node.members.popitem()
            self._change(group, user, -number, grace_end, seen)
            done += 1
        while node.subscribers and done < limit:
            group, number = node.subscribers.popitem()
            self._hear(group, -number)
            done += 1
        if not node.members and not node.subscribers:
            del self._nodes[name]
        return done

    def _change(
        self, group: str, user: str, change: int, grace_end: int, seq: int
    ) -> bool:
        """Add to a user's connections in a group; return whether the user came."""
        if not change:
            return False
        known = self._groups.get(group, {}).get(user)
        before, since = (known.connections, known.since) if known else (0, seq)
        total = before + change
        self._groups.setdefault(group, {})[user] = Member(user, total, since)
        if not total:
            self._leaving[group, user] = grace_end
            if group == ONLINE:
                self._note_last_seen(user, seq)
        elif not before:
            self._leaving.pop((group, user), None)
        return known is None

    def _hear(self, group: str, change: int) -> None:
        total = self.subscribers(group) + change
        before = _replace(self._subscribers, group, total)
        if total and not before:
            insort(self._names, group)
        elif before and not total:
            del self._names[bisect_left(self._names, group)]

    def _note_last_seen(self, user: str, seen: int) -> None:
        self._last_seen[user] = seen
        self._last_seen.move_to_end(user)
        if len(self._last_seen) > MAX_LAST_SEEN:
            self._last_seen.popitem(last=False)

    # What is told.

    def _came(self, group: str, user: str, silent: bool, now: int) -> list[Transition]:
        if self._is_large(group):
            if not silent:
                self._count_soon(group, now)
            return []
        if silent:
            return []
        if group == ONLINE:
            return [self._tell("presence.online", group, user, {"last_seen": None})]
        return [self._tell("presence.join", group, user, {})]

    def _went(self, group: str, user: str, now: int) -> list[Transition]:
        if self._is_large(group):
            self._count_soon(group, now)
            return []
        if group == ONLINE:
            seen = self._last_seen.get(user)
            known = {"last_seen": None if seen is None else _text(seen)}
            return [self._tell("presence.offline", group, user, known, seen)]
        return [self._tell("presence.leave", group, user, {})]

    def _tell(
        self,
        type: str,
        group: str,
        user: str,
        more: dict[str, str | None],
        seen: int | None = None,
    ) -> Transition:
        position = self._publish(group, type, wire.dumps({"user": user, **more}))
        return Transition(position, type, group, user, seen)

    def _is_large(self, group: str) -> bool:
        """Whether a group is only counted; it may have become so just now."""
        if group == ONLINE:
            return False
        counting = self._counting.get(group)
        if counting and counting.large:
            return True
        if len(self._groups.get(group, ())) <= self._large_group:
            return False
        self._counting.setdefault(group, _Counting()).large = True
        return True

    def _count_soon(self, group: str, now: int) -> None:
        counting = self._counting[group]
        if counting.due is None:
            counting.due = max(now, counting.next)

    def _publish_counts(self, now: int) -> None:
        """Publish the counts that are due; the groups may be small again then."""
        due = (
            (counting.due, group)
            for group, counting in self._counting.items()
            if counting.due is not None and counting.due <= now
        )
        for _, group in nsmallest(COUNTS_AT_ONCE, due):
            members = len(self._groups.get(group, ()))
            self._publish(group, "presence.count", wire.dumps({"members": members}))
            self._counting[group] = _Counting(
                large=members > self._large_group * 9 // 10,
                next=now + COUNT_MICROSECONDS,
            )

    def _forget(self, moment: Moment) -> None:
        """Drop what is too old: when users were online, and when groups were large."""
        too_old = moment.present - LAST_SEEN_MICROSECONDS
        while self._last_seen and next(iter(self._last_seen.values())) < too_old:
            self._last_seen.popitem(last=False)
        self._counting = {
            group: counting
            for group, counting in self._counting.items()
            if counting.large or counting.next > moment.now
        }


def _replace(numbers: dict[K, int], key: K, number: int) -> int:
    """Set a number, which isn't kept as 0; return the one before it."""
    before = numbers.pop(key, 0)
    if number:
        numbers[key] = number
    return before


def _text(seq: int) -> str:
    """Return a seq as the moment it stands for, as events have it in their `ts`."""
    moment = Position("", seq).time.isoformat(timespec="microseconds")
    return moment.removesuffix("+00:00") + "Z"
