"""One connection's end of the hub: what is still to be written, and the writing."""

from __future__ import annotations

import asyncio
import logging
import math
import time
from collections.abc import (
    Awaitable,
    Callable,
    Collection,
    Coroutine,
    Generator,
    Iterable,
    Mapping,
    Sequence,
)
from contextlib import suppress
from typing import TYPE_CHECKING, Any, Protocol

from sse_components import wire
from sse_components.events import pattern_over
from sse_components.wire import Farewell, Frame

if TYPE_CHECKING:
    from sse_components.revocations import Whose

MAX_PENDING = 256 * 1024
"""Bytes that wait for a connection; over it they are dropped, and fetched later."""

NEVER = 2**63
"""A seq after every event: of a subscriber that takes no live events for now."""

NONE = frozenset[str]()
"""The same one for all subscribers: an empty set takes 216 bytes."""

logger = logging.getLogger("sse_components.stream")


class Transport(Protocol):
    """How frames get to a client."""

    def write_now(self, frames: Sequence[Frame]) -> bool:
        """Write frames if that needs no waiting; otherwise nothing is written."""

    def write(self, frames: Sequence[Frame]) -> Coroutine[Any, Any, None]:
        """Write frames; waits while the connection is full. OSError: it is gone."""

    def end(self, farewell: Farewell) -> Coroutine[Any, Any, None]:
        """Write a last frame and end the stream."""

    def abort(self) -> None:
        """Cut the connection, whatever is still to be written."""


class Owner(Protocol):
    """Who knows what a connection is to have."""

    async def catch_up(self, subscriber: Subscriber) -> None:
        """Bring one that has fallen behind up to date, from `sent`."""

    def spread(self, names: Iterable[str]) -> int:
        """Return over how many milliseconds those of some groups are to fetch."""


class Subscriber:
    """Writes in order and never makes anybody else wait.

    Whoever writes owns the connection, which then is `busy`. The hub's fan-out only
    appends to `pending`, and `flush` drives the transport without a task; a task
    takes over where a connection is full. What is pending over `MAX_PENDING` is
    dropped, and the owner catches up from `sent`.
    """

    __slots__ = (
        "_early",
        "_errand",
        "_farewell",
        "_owner",
        "_since",
        "_task",
        "after",
        "busy",
        "ended",
        "groups",
        "handed",
        "kind",
        "owed",
        "pending",
        "sent",
        "since",
        "size",
        "stuck",
        "transport",
        "until",
        "whose",
        "writing",
        "written",
    )

    def __init__(
        self,
        transport: Transport,
        owner: Owner,
        whose: Whose,
        kind: str = "sse",
    ) -> None:
        self.whose = whose
        self.kind = kind
        """Of transport."""
        self.groups: tuple[Any, ...] = ()
        """The hub's records of the groups it is subscribed to."""
        self.after = NEVER
        """Live events at or below this seq are not for it: it has had them."""
        self.since = NEVER
        """It had, or will have, all events after this seq."""
        self.sent = 0
        """Everything up to this seq was taken, to be written."""
        self.handed = 0
        """Everything up to this seq was written."""
        self.stuck = False
        """Whether it was cut because it took nothing."""
        self.pending: list[Frame] = []
        self.size = 0
        self.owed: frozenset[str] = NONE
        """Groups to be reset before any more of them is sent."""
        self.busy = True
        self.ended = False
        self.written = time.monotonic()
        """When something was last written, or began to be."""
        self.writing: float | None = None
        """Since when a write has been waiting for the connection."""
        self.until = math.inf
        """When it is to be sent away, to come back elsewhere."""
        self._early: float | None = self.written + 1
        self.transport = transport
        self._owner = owner
        self._farewell: Farewell | None = None
        self._since: dict[str, int] | None = None
        self._errand: tuple[Callable[[], Awaitable[None]], asyncio.Event] | None = None
        self._task: asyncio.Task[None] | None = None

    @property
    def ending(self) -> bool:
        return self._farewell is not None or self.ended

    @property
    def farewell(self) -> Farewell | None:
        """What it is ended with, if it is."""
        return self._farewell

    @property
    def noted(self) -> Mapping[str, int] | None:
        """Of groups after which seq it has all, where that isn't `since`.

        What is noted later is in another one.
        """
        return self._since

    def overflow(self) -> None:
        """Give up on what is pending; it is to be fetched again from `sent`."""
        self.pending = []
        self.size = 0
        self.after = NEVER

    def drop(self) -> None:
        """Give up on what is pending for good: it isn't to have it any more."""
        self.pending = []
        self.size = 0
        if self.after != NEVER:
            self.after = self.sent

    def release(self, seq: int, frames: list[Frame]) -> None:
        """Queue what brings it up to a seq, and let live events follow."""
        self.after = seq
        self.pending = frames

    def follow(self, groups: Iterable[Any], since: int) -> None:
        """Note groups that came later, and after which seq it has all of theirs."""
        self.groups += tuple(groups)
        self.handed = min(self.handed, since)
        self.note({group.name: since for group in groups})

    def begin(self, seq: int) -> None:
        """Note that all it had is of an epoch that is gone, up to a seq of the next."""
        self.sent = self.handed = 0
        self.since = seq
        self._since = None

    def note(self, since: Mapping[str, int]) -> None:
        """Note of groups after which seq it has all, where that isn't `since`."""
        if since:
            self._since = {**(self._since or {}), **since}

    def unfollow(self, names: Collection[str]) -> None:
        """Note that it has groups no longer."""
        self.groups = tuple(group for group in self.groups if group.name not in names)

    def knows(self, frame: Frame) -> bool:
        """Whether it has an event, or will have it, because of a group of its own."""
        names = {frame.group, pattern_over(frame.group)} if frame.group else ()
        since = self._since or {}
        return any(
            frame.seq > since.get(group.name, self.since)
            for group in self.groups
            if group.name in names and group.name not in self.owed
        )

    def owed_resets(self) -> list[Frame]:
        """Take what is owed, to be sent before anything else."""
        owed, self.owed = self.owed, NONE
        self.note(dict.fromkeys(owed, self.sent))
        if not owed:
            return []
        return [wire.stream_reset(None, owed, self._owner.spread(owed))]

    def flush(self, now: float) -> None:
        """Write what is pending, unless somebody is writing already."""
        if self.busy or self.ended:
            return
        self.written = now
        if self.after == NEVER:
            self._take_over(None)
        elif self.pending:
            frames = self.take()
            try:
                if self.transport.write_now(frames):
                    self.handed = self.sent
                    return
            except Exception as error:
                self._fail(error)
                return
            self._drive(self.transport.write(frames))

    def claim_keep_alive(self, now: float, seconds: float) -> bool:
        """Whether a keep-alive is due: the early one, which is due once, or silence."""
        if self.busy or self.ended or self.pending:
            return False
        if self._early and now >= self._early:
            self._early = None
            return True
        return now - self.written >= seconds

    def is_stuck(self, now: float, seconds: float) -> bool:
        """Whether the connection has taken nothing of one write for so long."""
        return self.writing is not None and now - self.writing >= seconds

    async def do(self, errand: Callable[[], Awaitable[None]]) -> None:
        """Have something done between two writes; returns when it is, or never will.

        For the one who reads what the client says, so there is one errand at a time.
        """
        if self.ended:
            return
        done = asyncio.Event()
        self._errand = errand, done
        if not self.busy:
            self._take_over(None)
        await done.wait()

    def end(self, farewell: Farewell) -> None:
        """End the stream in order: after what is pending, when it can be written."""
        if self.ending:
            return
        self._farewell = farewell
        if not self.busy:
            self._drive(self._finish())

    def abort(self) -> None:
        """Cut the connection; the client will come back with its cursor."""
        self.ended = True
        with suppress(Exception):
            self.transport.abort()

    async def write(self, frames: Sequence[Frame]) -> None:
        """Write while catching up, at the pace of the connection."""
        self.written = time.monotonic()
        if not self.transport.write_now(frames):
            self.writing = self.written
            await self.transport.write(frames)
            self.writing = None
        self.handed = self.sent

    async def run(self) -> None:
        """Catch up, write what came in the meantime, and hand over to the fan-out."""
        try:
            while not self.ended:
                if self._farewell:
                    await self._finish()
                elif self.after == NEVER:
                    await self._owner.catch_up(self)
                elif self._errand:
                    await self._errand[0]()
                    self._return()
                elif self.pending:
                    await self.write(self.take())
                else:
                    break
        finally:
            self.busy = False
            self._return()

    async def close(self) -> None:
        """Forget the connection, which is gone."""
        self.ended = True
        if self._task:
            self._task.cancel()
            await asyncio.wait([self._task])
        self._return()  # also for a task that never began

    def _return(self) -> None:
        """Let go of who waits for an errand."""
        if self._errand:
            self._errand[1].set()
            self._errand = None

    def take(self) -> list[Frame]:
        """Take what is pending, to be written by the owner."""
        frames, self.pending = self.pending, []
        self.size = 0
        if self.after != NEVER:  # else all was dropped, and it is still where it was
            self.sent = self.after
        return frames

    async def _finish(self) -> None:
        assert self._farewell
        self.ended = True
        if frames := self.owed_resets() + self.take():
            await self.write(frames)
        self.writing = time.monotonic()
        await self.transport.end(self._farewell)
        self.writing = None

    def _drive(self, writing: Coroutine[Any, Any, None]) -> None:
        """Run a write here and now; give it to a task only if it has to wait."""
        try:
            waiting = writing.send(None)
        except StopIteration:
            self.handed = self.sent
            return
        except (KeyboardInterrupt, SystemExit):
            raise
        except BaseException as error:  # also CancelledError: it isn't ours, who drive
            self._fail(error)
            return
        self.writing = time.monotonic()
        self._take_over(_Started(writing, waiting))

    def _take_over(self, writing: Awaitable[None] | None) -> None:
        self.busy = True
        self._task = asyncio.get_running_loop().create_task(self._own(writing))

    async def _own(self, writing: Awaitable[None] | None) -> None:
        try:
            if writing:
                await writing
                self.writing = None
                self.handed = self.sent
            await self.run()
        except Exception as error:
            self._fail(error)
        finally:
            self._return()

    def _fail(self, error: BaseException) -> None:
        self.ended = True
        if not isinstance(error, OSError):  # which says only that the client has gone
            logger.error("A connection could not be written to", exc_info=error)
            with suppress(Exception):  # it is the others' turn, whatever this one does
                self.transport.abort()


class _Started:
    """A coroutine that has run up to its first wait, to be awaited from there."""

    __slots__ = ("_coroutine", "_waiting")

    def __init__(self, coroutine: Coroutine[Any, Any, None], waiting: Any) -> None:
        self._coroutine = coroutine
        self._waiting = waiting

    def __await__(self) -> Generator[Any, Any, None]:
        # What the coroutine waits for goes to the task's loop; what the loop answers,
        # cancellation too, goes back to the coroutine.
        waiting = self._waiting
        step: Callable[[Any], Any]
        while True:
            try:
                answer = yield waiting
            except BaseException as error:
                step, argument = self._coroutine.throw, error
            else:
                step, argument = self._coroutine.send, answer
            try:
                waiting = step(argument)
            except StopIteration:
                return
