"""This process as a node of presence: what it reports, and its part of the sweeping."""

from __future__ import annotations

import asyncio
import logging
import random
import secrets
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import suppress
from itertools import islice
from typing import Protocol

from sse_components.brokers.base import (
    ONLINE,
    Broker,
    Report,
    Transition,
    check_user,
)
from sse_components.errors import BrokerUnavailable
from sse_components.events import is_pattern

BEATS = 3
"""Reports in the time of a lease: two may be lost."""
GATHER_SECONDS = 0.05
"""For who comes and goes at the same moment, to be one report."""
REPORTED = 2000
"""Numbers in one report: the broker serves nobody else in the meantime."""
MOST_CHANGED = 100_000
"""Names that wait to be reported while the broker is away. It has forgotten this node
before there are more, and is told everything anew."""
SWEPT = 1000
"""Members in one sweep, for the same reason; there may be more to do at once."""
SWEEP_SECONDS = (1, 2)
RETRY_SECONDS = 1
DRAIN_GRACE_SECONDS = 30
"""Who is sent away is given so long to come back to another process."""

logger = logging.getLogger("sse_components.presence")

Key = tuple[str, str]
"""A group and a user."""


class Heard(Protocol):
    """What is heard here, and by how many."""

    def count(self, name: str) -> int:
        """Return how many connections hear a group."""

    def names(self) -> Iterable[str]:
        """Return what anybody here hears."""


class Node:
    """Counts the connections of users here, and keeps the broker told.

    What the broker has may be lost, with its memory or with the lease of this node,
    when the process stood still: then it is told everything once more.
    """

    def __init__(
        self,
        broker: Broker,
        lease_seconds: float,
        heard: Heard,
        is_watched: Callable[[str], bool],
        told: Callable[[Sequence[Transition]], None],
    ) -> None:
        self._broker = broker
        self._beat = lease_seconds / BEATS
        self._heard = heard
        self._is_watched = is_watched
        self._told = told
        self._id = secrets.token_urlsafe(9)
        self._members: Counter[Key] = Counter()
        self._moved: set[Key] = set()
        """Whose number the broker doesn't know yet."""
        self._changed: set[str] = set()
        """Groups whose number of subscribers it doesn't know yet."""
        self._woken = asyncio.Event()
        self._turn = 0
        self._after = 0
        """The last turn that was answered."""
        self._unanswered: Report | None = None
        self._silent = False
        self._epoch = ""
        """Of the memory in which this node is known."""
        self._reporting = asyncio.Lock()
        self._is_gone = False

    @property
    def users(self) -> int:
        """How many have a connection here; may be asked from any thread."""
        return sum(group == ONLINE for group, _ in list(self._members))

    def add(self, user: str | None, names: Iterable[str], *, comes: bool) -> None:
        """Count groups of a connection, and the connection itself if it comes."""
        for key in self._keys(user, names, comes):
            self._members[key] += 1
            self._moved.add(key)
            self._woken.set()

    def remove(self, user: str | None, names: Iterable[str], *, goes: bool) -> None:
        """Count groups of a connection no more, nor the connection if it goes."""
        for key in self._keys(user, names, goes):
            self._members[key] -= 1
            if not self._members[key]:
                del self._members[key]
            self._moved.add(key)
            self._woken.set()

    def _keys(
        self, user: str | None, names: Iterable[str], itself: bool
    ) -> Iterator[Key]:
        if user is not None and not _can_be_reported(user):
            user = None
        for name in names:
            if len(self._changed) < MOST_CHANGED:
                self._changed.add(name)
            if user is not None and not is_pattern(name) and self._is_watched(name):
                yield name, user
        if user is not None and itself:
            yield ONLINE, user

    def hurry(self) -> None:
        """Report now what there is to report, be it only that this process is alive."""
        self._woken.set()

    async def report(self) -> None:
        """Report what changes, and that this process is alive; for ever."""
        while True:
            with suppress(TimeoutError):
                async with asyncio.timeout(self._beat):
                    await self._woken.wait()
                    await asyncio.sleep(GATHER_SECONDS)
            self._woken.clear()
            try:
                async with self._reporting:
                    if self._is_gone:
                        return
                    await self._report_all()
            except BrokerUnavailable as error:
                logger.info("Presence can't be reported: %s", error)
                self.hurry()
                await asyncio.sleep(RETRY_SECONDS)
            except Exception:
                logger.exception("A report of presence failed, and is given up")
                self._give_up()
                await asyncio.sleep(RETRY_SECONDS)

    async def sweep(self) -> None:
        """Find who has left without a word, here or elsewhere; for ever."""
        while True:
            await asyncio.sleep(random.uniform(*SWEEP_SECONDS))
            try:
                while len(gone := await self._broker.sweep(SWEPT)) >= SWEPT // 2:
                    self._told(gone)
                self._told(gone)
            except BrokerUnavailable as error:
                logger.info("Presence can't be swept: %s", error)
            except Exception:
                logger.exception("Sweeping failed, and goes on")

    async def withdraw(self) -> None:
        """Have all connections of this process go, who may come back elsewhere.

        Nothing is reported afterwards. Raises `BrokerUnavailable`, and then the lease
        ends by itself.
        """
        async with self._reporting:
            if not self._is_gone:
                self._is_gone = True
                await self._broker.withdraw(self._id, DRAIN_GRACE_SECONDS)

    async def _report_all(self) -> None:
        if not self._epoch:
            self._epoch = (await self._broker.position()).epoch
        while True:
            # What isn't answered may have been taken in: it is the same report again.
            self._unanswered = report = self._unanswered or self._next()
            transitions = await self._broker.report(report)
            self._unanswered = None
            if transitions is None:
                await self._begin()
                continue
            self._after = report.turn
            self._told(transitions)
            self._note(report)
            if len(report.members) + len(report.subscribers) < REPORTED:
                break
        self._silent = False
        if self._moved:  # meanwhile; not at once, or a storm would be a report a turn
            self.hurry()

    def _next(self) -> Report:
        moved = islice(self._moved, REPORTED)
        members = {key: self._members[key] for key in moved}
        changed = islice(self._changed, REPORTED - len(members))
        subscribers = {name: self._heard.count(name) for name in changed}
        self._turn += 1
        return Report(
            self._id, self._turn, self._after, members, subscribers, self._silent
        )

    def _give_up(self) -> None:
        """Let go of what can't be reported, so that the rest can be."""
        if report := self._unanswered:
            self._unanswered = None
            self._moved -= report.members.keys()
            self._changed -= report.subscribers.keys()

    def _note(self, report: Report) -> None:
        """Note what the broker knows now; what has moved meanwhile it doesn't."""
        for key, number in report.members.items():
            if self._members[key] == number:
                self._moved.discard(key)
        for name, number in report.subscribers.items():
            if self._heard.count(name) == number:
                self._changed.discard(name)

    async def _begin(self) -> None:
        """Have everything reported anew; silently if it was the memory that was lost.

        Nobody has left then. But who was swept, because this process stood still, was
        said to have.
        """
        logger.warning("The broker doesn't know this node, which begins anew")
        await self._broker.withdraw(self._id)
        epoch = (await self._broker.position()).epoch
        self._silent = epoch != self._epoch
        self._epoch = epoch
        self._after = 0
        self._moved = set(self._members)
        self._changed = set(self._heard.names())


def _can_be_reported(user: str) -> bool:
    """Whether a user has an id that others can be told of; any other isn't counted."""
    try:
        check_user(user)
    except ValueError:
        return False
    return True
