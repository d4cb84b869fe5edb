"""What Redis is asked and told about who is where, and what its answers mean."""

from __future__ import annotations

from collections.abc import Sequence

from sse_components.brokers.base import (
    COUNT_SECONDS,
    COUNTS_AT_ONCE,
    LAST_SEEN_SECONDS,
    Audience,
    Member,
    Membership,
    Report,
    Status,
    Statuses,
    Transition,
    check_report,
    check_user,
)
from sse_components.brokers.redis.calls import Argument, Question
from sse_components.brokers.redis.scripts import Scripts, new_epoch
from sse_components.events import Position, check_group, check_subscribable

WITHDRAWN_AT_ONCE = 1000
"""Of the numbers of a node; in between, others are served."""

LAST_SEEN_MICROSECONDS = LAST_SEEN_SECONDS * 1_000_000


class Presence:
    """Makes the questions; `history` is the size and age of that of events, and for
    how long groups are remembered."""

    def __init__(
        self,
        scripts: Scripts,
        history: tuple[int, int, int],
        lease_seconds: float,
        grace_seconds: float,
        large_group: int,
    ) -> None:
        self._scripts = scripts
        self._grace = int(grace_seconds * 1e6)
        self._common: list[Argument] = [
            *history,
            int(lease_seconds * 1e6),
            self._grace,
            LAST_SEEN_MICROSECONDS,
            large_group,
            COUNT_SECONDS * 1_000_000,
            COUNTS_AT_ONCE,
        ]

    def report(self, report: Report) -> Question[list[Transition] | None]:
        check_report(report)
        arguments: list[Argument] = [
            new_epoch(),
            *self._common,
            report.node,
            report.turn,
            report.after,
            int(report.silent),
            len(report.members),
        ]
        for (group, user), connections in report.members.items():
            arguments += (group, user, connections)
        for group, subscribers in report.subscribers.items():
            arguments += (group, subscribers)
        return Question(
            self._scripts.report,
            arguments,
            lambda answer: None if answer is None else _transitions(answer),
        )

    def withdraw(self, node: str, grace_seconds: float | None) -> Question[bool]:
        """Return what is to be asked until the answer is that all is forgotten."""
        grace = self._grace if grace_seconds is None else int(grace_seconds * 1e6)
        own: list[Argument] = [node, grace, WITHDRAWN_AT_ONCE]
        return Question(
            self._scripts.withdraw, [new_epoch(), *self._common, *own], bool
        )

    def sweep(self, limit: int) -> Question[list[Transition]]:
        arguments = [new_epoch(), *self._common, limit]
        return Question(self._scripts.sweep, arguments, _transitions)

    def members(self, group: str) -> Question[Membership]:
        arguments = [new_epoch(), check_group(group)]
        return Question(self._scripts.members, arguments, _membership)

    def statuses(self, users: Sequence[str]) -> Question[Statuses]:
        given = [check_user(user) for user in users]
        return Question(
            self._scripts.statuses,
            [new_epoch(), LAST_SEEN_MICROSECONDS, *given],
            lambda answer: _statuses(given, answer),
        )

    def subscribers(self, groups: Sequence[str]) -> Question[list[int]]:
        return Question(
            self._scripts.subscribers, [*map(check_subscribable, groups)], list
        )

    def groups(self, prefix: str, after: str, limit: int) -> Question[list[Audience]]:
        # Not compared in Lua, where the order is that of the server's locale.
        first = f"[{prefix}" if after < prefix else f"({after}"
        last = b"(%b\xff" % prefix.encode()  # a byte that no text has
        return Question(self._scripts.groups, [first, last, limit], _audiences)


def _audiences(answer: Sequence[bytes]) -> list[Audience]:
    return [
        Audience(name.decode(), int(subscribers))
        for name, subscribers in zip(answer[::2], answer[1::2], strict=True)
    ]


def _transitions(answer: Sequence[bytes]) -> list[Transition]:
    epoch, *parts = [part.decode() for part in answer]
    return [
        Transition(
            Position(epoch, int(seq)), type, group, user, int(seen) if seen else None
        )
        for type, group, user, seq, seen in zip(*[iter(parts)] * 5, strict=True)
    ]


def _membership(answer: tuple[bytes, bytes, Sequence[bytes]]) -> Membership:
    epoch, seq, rows = answer
    members = [
        Member(user.decode(), *map(int, known.split()))
        for user, known in zip(rows[::2], rows[1::2], strict=True)
    ]
    members.sort(key=lambda member: member.user)
    return Membership(Position(epoch.decode(), int(seq)), members)


def _statuses(
    users: Sequence[str], answer: tuple[bytes, bytes, Sequence[bytes]]
) -> Statuses:
    epoch, seq, rows = answer
    statuses = []
    for user, online, seen in zip(users, rows[::2], rows[1::2], strict=True):
        if online:
            connections, since = map(int, online.split())
            statuses.append(Status(user, connections, since, None))
        else:
            statuses.append(Status(user, 0, None, int(seen) if seen else None))
    return Statuses(Position(epoch.decode(), int(seq)), statuses)
