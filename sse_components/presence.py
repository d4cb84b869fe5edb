"""Who is online and who is in a group, for Django code of any process."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sse_components import runtime
from sse_components.brokers import base
from sse_components.events import check_group, time_of

__all__ = [
    "Member",
    "Members",
    "Status",
    "Statuses",
    "amembers",
    "astatuses",
    "is_online",
    "members",
    "status",
    "statuses",
]


@dataclass(frozen=True, slots=True)
class Status:
    """Whether a user is online."""

    user: str
    """The primary key as text."""
    online: bool
    connections: int
    """Open streams; 0 for a few seconds more while a user counts as online."""
    since: datetime | None
    """Since when, if online."""
    last_seen: datetime | None
    """When last, if offline and that was in the last 30 days."""


@dataclass(frozen=True, slots=True)
class Statuses:
    """Users in the order asked for."""

    statuses: Sequence[Status]
    last_id: str
    """Who reads the events of `presence.users` after this id stays right."""


@dataclass(frozen=True, slots=True)
class Member:
    """A user in a group."""

    user: str
    connections: int
    since: datetime


@dataclass(frozen=True, slots=True)
class Members:
    """The users in a group that `PRESENCE_GROUPS` covers, by primary key."""

    members: Sequence[Member]
    last_id: str
    """Who reads the events of the group after this id stays right."""


def is_online(user: Any) -> bool:
    """Whether a user, or the one with a primary key, is online."""
    return status(user).online


def status(user: Any) -> Status:
    """Return whether a user is online, and since when or until when."""
    return statuses([user]).statuses[0]


def statuses(users: Iterable[Any]) -> Statuses:
    """Return whether users are online, given users or primary keys.

    Raises `BrokerUnavailable` if the broker is away, or is the embedded one of another
    process.
    """
    return _statuses(runtime.publisher().statuses(_ids(users)))


async def astatuses(users: Iterable[Any]) -> Statuses:
    """Return statuses as `statuses` does, without blocking the loop."""
    return _statuses(await runtime.publisher().astatuses(_ids(users)))


def members(group: str) -> Members:
    """Return who is in a group.

    Raises `InvalidGroup`, and `BrokerUnavailable` as `statuses` does.
    """
    return _members(runtime.publisher().members(check_group(group)))


async def amembers(group: str) -> Members:
    """Return members as `members` does, without blocking the loop."""
    return _members(await runtime.publisher().amembers(check_group(group)))


def _ids(users: Iterable[Any]) -> list[str]:
    return [str(getattr(user, "pk", user)) for user in users]


def _statuses(found: base.Statuses) -> Statuses:
    return Statuses([_status(one) for one in found.statuses], str(found.position))


def _status(found: base.Status) -> Status:
    return Status(
        user=found.user,
        online=found.since is not None,
        connections=found.connections,
        since=None if found.since is None else time_of(found.since),
        last_seen=None if found.last_seen is None else time_of(found.last_seen),
    )


def _members(found: base.Membership) -> Members:
    members = [
        Member(one.user, one.connections, time_of(one.since)) for one in found.members
    ]
    return Members(members, str(found.position))
