"""What one process hears from Redis: one connection, and the way back after a loss."""

from __future__ import annotations

import asyncio
import logging
import random
import re
import secrets
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable, Collection, Sequence
from contextlib import suppress
from typing import Any

from redis.asyncio import Connection, ConnectionPool

from sse_components.brokers.base import (
    Announcement,
    Delivery,
    Feed,
    Interruption,
    Watermark,
)
from sse_components.brokers.redis import revocations
from sse_components.brokers.redis.calls import (
    ANSWER_SECONDS,
    LOST,
    OPTIONS,
    Argument,
    no_retry,
)
from sse_components.brokers.redis.packing import unpacked
from sse_components.brokers.redis.scripts import Script, Scripts, new_epoch
from sse_components.errors import BrokerRefused, BrokerUnavailable
from sse_components.events import Position, is_pattern

SUBSCRIBE_SECONDS = 2
NAMES_PER_COMMAND = 512
BACKOFF_SECONDS = (0.05, 1.0)
"""The first and the longest pause before it connects again."""
MAX_HEARD = 20_000
"""Announcements that wait to be taken; over it they are given up, and fetched later."""

logger = logging.getLogger("sse_components.broker")

Call = Callable[[Script, Sequence[Argument]], Awaitable[Any]]


class RedisFeed(Feed):
    """Owns its connection, because redis-py connects again without a word.

    While it comes back from a loss, what it hears is held: the hub must fetch what it
    missed before it is told of anything later.
    """

    def __init__(
        self,
        url: str,
        prefix: str,
        call: Call,
        scripts: Scripts,
        memory: int,
        check: Callable[[], Awaitable[None]],
    ) -> None:
        options = OPTIONS | {"socket_timeout": None, "retry": no_retry()}
        self._pool = ConnectionPool.from_url(url, **options)
        self._call = call
        self._scripts = scripts
        self._memory = memory
        self._check = check
        self._id = secrets.token_hex(8)
        self._channels = f"{prefix}c:".encode()
        self._own_channel = f"{prefix}w:{self._id}".encode()
        self._revocations = f"{prefix}v".encode()
        self._all_channels = _escaped(self._channels) + b"*"
        self._names: set[str] = set()
        self._wants_all = False
        self._hears_all = False
        """Whether Redis has confirmed that it sends all."""
        self._outstanding: Counter[bytes] = Counter()
        """Of each channel, how many confirmations are still to come."""
        self._confirmed = asyncio.Event()
        self._whole = asyncio.Event()
        """Set while nothing is missing of what it hears."""
        self._was_whole = False
        """Whether it has been so, and something can have been missed since."""
        self._epoch = b""
        self._noted = 0
        """The seq at which patterns were noted last."""
        self._probes = 0
        """How many probes have not come back."""
        self._heard: list[Announcement] = []
        self._held: list[Announcement] = []
        self._ready = asyncio.Event()
        self._pause = BACKOFF_SECONDS[0]
        """Before it connects again."""
        self._complaint = ""
        self._closed = False
        self._connection: Connection | None = None
        self._reading: asyncio.Task[None] | None = None
        self._restoring: asyncio.Task[None] | None = None
        self._listening = asyncio.create_task(self._listen())

    async def subscribe(self, names: Collection[str]) -> Position:
        fresh = set(names) - self._names
        try:
            async with asyncio.timeout(SUBSCRIBE_SECONDS):
                await self._whole.wait()
                self._names |= fresh
                await self._command("SUBSCRIBE", fresh)
                await self._confirmed.wait()
            position, _ = await self._note([n for n in names if is_pattern(n)])
            return position
        except BaseException as error:
            await self._abandon(fresh)
            if isinstance(error, LOST):  # TimeoutError is an OSError
                raise BrokerUnavailable("Redis is not heard.") from error
            raise

    async def subscribe_all(self) -> Position:
        wanted = self._wants_all
        try:
            async with asyncio.timeout(SUBSCRIBE_SECONDS):
                await self._whole.wait()
                if not self._wants_all:
                    self._wants_all = True
                    await self._command_all()
                await self._confirmed.wait()
            position, _ = await self._note([])
            return position
        except BaseException as error:
            if self._wants_all and not wanted:
                self._wants_all = False
                self._drop("Redis has not confirmed that it sends all")
            if isinstance(error, LOST):
                raise BrokerUnavailable("Redis is not heard.") from error
            raise

    async def unsubscribe(self, names: Collection[str]) -> None:
        known = self._names & set(names)
        await self._abandon(known)
        if patterns := [name for name in known if is_pattern(name)]:
            await self._note(patterns)  # whose time without a subscriber begins now

    async def probe(self) -> None:
        if self._reading and not self._reading.done():
            if self._probes > 1:
                self._drop("Redis has not sent what it was probed with")
            self._probes += 1
        arguments = [new_epoch(), self._id]
        epoch, seq, hearers = await self._call(self._scripts.probe, arguments)
        if not hearers and self._whole.is_set():
            self._drop("Redis sends to nobody here")
        self._meet(epoch)
        if int(seq) - self._noted > self._memory // 8:
            position, forgotten = await self._note(self._patterns)
            self._noted = position.seq
            if forgotten:  # nobody fed them for a while, because we were too late
                self._restore()

    async def close(self) -> None:
        self._closed = True
        tasks = [self._listening, self._reading, self._restoring]
        for task in tasks:
            if task:
                task.cancel()
        await asyncio.gather(*filter(None, tasks), return_exceptions=True)
        self._ready.set()

    async def __aiter__(self) -> AsyncIterator[Sequence[Announcement]]:
        while not self._closed:
            await self._ready.wait()
            self._ready.clear()
            if self._heard:
                heard, self._heard = self._heard, []
                yield heard

    @property
    def is_closed(self) -> bool:
        return self._closed

    @property
    def _patterns(self) -> list[str]:
        return [name for name in self._names if is_pattern(name)]

    # The connection.

    async def _listen(self) -> None:
        """Connect and read, again and again, until the feed is closed."""
        while True:
            try:
                await self._connect()
                assert self._reading
                await asyncio.wait([self._reading])
                error = None if self._reading.cancelled() else self._reading.exception()
                self._complain(f"Redis is not heard any more: {error or 'dropped'}")
            except (*LOST, BrokerUnavailable, BrokerRefused) as error:
                self._complain(f"Redis can't be heard: {error or 'it is silent'}")
            except Exception:
                logger.exception("Hearing Redis failed, and begins again")
            finally:
                await self._disconnect()
            await asyncio.sleep(random.uniform(self._pause / 2, self._pause))
            self._pause = min(self._pause * 2, BACKOFF_SECONDS[1])

    def _complain(self, text: str) -> None:
        """Log what is wrong once, until all is well again."""
        if text != self._complaint:
            self._complaint = text
            logger.warning("%s", text)

    async def _connect(self) -> None:
        await self._check()
        connection: Any = self._pool.make_connection()  # type: ignore[no-untyped-call]
        self._connection = connection
        async with asyncio.timeout(ANSWER_SECONDS):  # as reading itself waits for ever
            await connection.connect()
            self._probes = 0
            always = self._own_channel, self._revocations
            self._outstanding.update(always)
            self._restore()
            await connection.send_command("SUBSCRIBE", *always)
            self._reading = asyncio.create_task(self._read(connection))
            if self._wants_all:
                await self._command_all()
            else:
                await self._command("SUBSCRIBE", self._names)

    async def _disconnect(self) -> None:
        self._whole.clear()
        self._confirmed.clear()
        self._outstanding.clear()
        self._hears_all = False
        if not self._was_whole:
            self._held.clear()  # before which no interruption would stand
        connection, self._connection = self._connection, None
        for task in (self._reading, self._restoring):
            if task:
                task.cancel()
        if connection:
            with suppress(*LOST):
                await connection.disconnect(nowait=True)

    def _drop(self, reason: str) -> None:
        """Give up the connection; `_listen` makes another."""
        logger.warning("%s; connecting again", reason)
        self._whole.clear()
        if self._reading:
            self._reading.cancel()

    async def _abandon(self, names: Collection[str]) -> None:
        self._names -= set(names)
        try:
            await self._command("UNSUBSCRIBE", names)
        except LOST as error:
            logger.info("Redis can't be told what isn't wanted any more: %s", error)

    async def _command(self, command: str, names: Collection[str]) -> None:
        """Have the channels of names sent or not, unless all are."""
        if not self._wants_all:
            channels = [self._channels + name.encode() for name in names]
            await self._send(command, channels)

    async def _command_all(self) -> None:
        await self._send("PSUBSCRIBE", [self._all_channels])

    async def _send(self, command: str, channels: Sequence[bytes]) -> None:
        """Have channels sent or not; without a connection the next one will."""
        connection = self._connection
        if not channels or connection is None or not connection.is_connected:
            return
        # All at once: the first may be confirmed before the next is sent.
        self._outstanding.update(channels)
        self._confirmed.clear()
        for start in range(0, len(channels), NAMES_PER_COMMAND):
            if connection is not self._connection or not connection.is_connected:
                return  # redis-py would connect again
            some = channels[start : start + NAMES_PER_COMMAND]
            await connection.send_command(command, *some, check_health=False)

    # Coming back.

    def _restore(self) -> None:
        self._whole.clear()
        if self._restoring:
            self._restoring.cancel()
        self._restoring = asyncio.create_task(self._become_whole())

    async def _become_whole(self) -> None:
        """Hear all names again, and say that something may be missing before that."""
        await self._confirmed.wait()
        pause = BACKOFF_SECONDS[0]
        while True:
            try:
                position, _ = await self._note(self._patterns)
                break
            except BrokerUnavailable as error:
                logger.info("Redis can't be asked: %s", error)
            await asyncio.sleep(random.uniform(pause / 2, pause))
            pause = min(pause * 2, BACKOFF_SECONDS[1])
        self._epoch, self._noted = position.epoch.encode(), position.seq
        held, self._held = self._held, []
        self._restoring = None
        self._whole.set()
        logger.info("Redis is heard")
        self._pause, self._complaint = BACKOFF_SECONDS[0], ""
        if self._was_whole:
            self._heard.append(Interruption())
        self._was_whole = True
        self._heard += held
        self._ready.set()

    async def _note(self, patterns: Sequence[str]) -> tuple[Position, int]:
        """Note patterns; return the present, and how many weren't noted."""
        arguments: list[Argument] = [new_epoch(), self._memory, *patterns]
        epoch, seq, fresh = await self._call(self._scripts.note, arguments)
        self._meet(epoch)
        return Position(epoch.decode(), int(seq)), fresh

    # Reading.

    async def _read(self, connection: Connection) -> None:
        while True:
            kind, channel, *rest = await connection.read_response()
            if kind == b"message":
                self._take(channel, rest[0])
            elif kind == b"pmessage":  # whose first is the pattern
                self._take_event(*rest)
            else:
                if kind == b"psubscribe":
                    self._hears_all = True
                self._confirm(channel)

    def _confirm(self, channel: bytes) -> None:
        self._outstanding[channel] -= 1
        if self._outstanding[channel] <= 0:
            del self._outstanding[channel]
        if not self._outstanding:
            self._confirmed.set()

    def _take(self, channel: bytes, message: bytes) -> None:
        if channel == self._own_channel:
            position, _, _ = self._read_head(message)
            self._put(Watermark(position))
        elif channel == self._revocations:
            position, _, body = self._read_head(message)
            self._put(revocations.unpacked(position, body))
        elif not self._hears_all:  # else it comes again, because of that
            self._take_event(channel, message)

    def _take_event(self, channel: bytes, message: bytes) -> None:
        position, previous, body = self._read_head(message)
        name = channel[len(self._channels) :].decode()
        self._put(Delivery(name, int(previous[0]), unpacked(position, body)))

    def _read_head(self, message: bytes) -> tuple[Position, Sequence[bytes], bytes]:
        head, _, body = message.partition(b"\n")
        epoch, seq, *previous = head.split(b" ")
        self._probes = 0
        self._meet(epoch)
        return Position(epoch.decode(), int(seq)), previous, body

    def _meet(self, epoch: bytes) -> None:
        """Look at the epoch of what Redis says: with its memory our notes are gone."""
        if epoch != self._epoch and self._restoring is None:
            self._restore()

    def _put(self, announcement: Announcement) -> None:
        if self._restoring:
            if len(self._held) >= MAX_HEARD:  # an interruption will stand before them
                self._held.clear()
            self._held.append(announcement)
            return
        if len(self._heard) >= MAX_HEARD:
            self._heard = [Interruption()]
        self._heard.append(announcement)
        self._ready.set()


def _escaped(text: bytes) -> bytes:
    """Return a pattern of channels that only a text itself matches."""
    return re.sub(rb"[*?\[\\]", rb"\\\g<0>", text)
