"""A client of streams that shares nothing with the code under test.

It speaks HTTP/1.1 over a socket and reads the stream as WHATWG HTML 9.2.6 says, so a
test sees what a browser would, and can stop to read or cut the connection.
"""

from __future__ import annotations

import asyncio
import json
import socket
import time
from collections.abc import Callable, Iterable, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from itertools import pairwise
from types import TracebackType
from typing import Any, Self
from urllib.parse import urlsplit

SECONDS = 10
"""How long a test waits for a frame that should come at once."""


@dataclass
class Received:
    """One event of a stream."""

    type: str
    data: Any
    id: str | None
    fields: list[tuple[str, str]] = field(repr=False)


class Parser:
    """Turns the lines of a stream into events."""

    def __init__(self) -> None:
        self.retry: int | None = None
        self._fields: list[tuple[str, str]] = []

    def line(self, text: str) -> Received | None:
        """Take a line; return the event that an empty one completes."""
        if text:
            name, _, value = text.partition(":")
            self._fields.append((name, value.removeprefix(" ")))
            if name == "retry":
                self.retry = int(value)
            return None
        fields, self._fields = self._fields, []
        values = dict(fields)
        if "data" not in values:
            return None
        data = "\n".join(value for name, value in fields if name == "data")
        type = values.get("event", "message")
        return Received(type, json.loads(data), values.get("id"), fields)


class Stream:
    """One connection; use `await Stream.open(url)` and `await stream.close()`."""

    def __init__(
        self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter
    ) -> None:
        self._reader = reader
        self._writer = writer
        self._parser = Parser()
        self.status = 0
        self.headers: dict[str, str] = {}
        self.cursor: str | None = None
        """The last id, as a browser would send it."""

    @classmethod
    async def open(
        cls,
        url: str,
        headers: dict[str, str] | None = None,
        method: str = "GET",
        *,
        window: int | None = None,
    ) -> Stream:
        """Send the request and read the head of the answer.

        With a window no more than about so many bytes are taken in advance.
        """
        parts = urlsplit(url)
        assert parts.hostname
        connection = socket.socket()
        connection.setblocking(False)
        if window:
            connection.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, window)
        try:
            await asyncio.get_running_loop().sock_connect(
                connection, (parts.hostname, parts.port)
            )
        except OSError:
            connection.close()
            raise
        reader, writer = await asyncio.open_connection(
            sock=connection, limit=window or 2**20
        )
        target = f"{parts.path}?{parts.query}" if parts.query else parts.path
        lines = [f"{method} {target} HTTP/1.1"]
        given = {"Host": parts.netloc} | (headers or {})
        lines += [f"{name}: {value}" for name, value in given.items()]
        writer.write("\r\n".join([*lines, "", ""]).encode())
        stream = cls(reader, writer)
        async with asyncio.timeout(SECONDS):
            status = (await reader.readline()).decode()
            if not status:
                raise EOFError
            stream.status = int(status.split()[1])
            while line := (await reader.readline()).decode().strip():
                name, _, value = line.partition(":")
                stream.headers[name.lower()] = value.strip()
        return stream

    @property
    def retry(self) -> int | None:
        return self._parser.retry

    async def next(self, seconds: float = SECONDS) -> Received:
        """Return the next event; EOFError: the stream has ended."""
        async with asyncio.timeout(seconds):
            while True:
                if (event := self._parser.line(await self._line())) is not None:
                    if event.id:
                        self.cursor = event.id
                    return event

    async def until(self, type: str, seconds: float = SECONDS) -> list[Received]:
        """Return the events up to the first of a type."""
        events = []
        async with asyncio.timeout(seconds):
            while True:
                events.append(await self.next(seconds))
                if events[-1].type == type:
                    return events

    async def take(self, count: int, seconds: float = SECONDS) -> list[Received]:
        """Return so many events that aren't the stream's own."""
        events: list[Received] = []
        async with asyncio.timeout(seconds):
            while len(events) < count:
                event = await self.next(seconds)
                if not event.type.startswith(("stream-", "keep-alive")):
                    events.append(event)
        return events

    async def close(self) -> None:
        """Cut the connection."""
        self._writer.transport.abort()

    _chunk = b""

    async def _line(self) -> str:
        while b"\n" not in self._chunk:
            size = int((await self._reader.readline()).strip() or b"0", 16)
            if size == 0:
                raise EOFError
            self._chunk += await self._reader.readexactly(size)
            await self._reader.readexactly(2)
        line, _, self._chunk = self._chunk.partition(b"\n")
        return line.decode().removesuffix("\r")


async def open_many(
    url: str, count: int, headers: Iterable[dict[str, str]] = ()
) -> list[Stream]:
    """Open streams at the same time, and see that each has begun."""
    given = [*headers] or [{}]
    streams = await asyncio.gather(
        *(Stream.open(url, given[number % len(given)]) for number in range(count))
    )
    for stream in streams:
        assert (await stream.next()).type == "stream-open"
    return streams


async def close_all(streams: Iterable[Stream]) -> None:
    for stream in streams:
        await stream.close()


SILENT_SECONDS = 40
"""After which a browser gives a stream up that has keep-alives every 15 seconds."""
PAUSE_SECONDS = 0.1


@dataclass
class Account:
    """What became of what was published to somebody's groups."""

    delivered: int
    repeated: int
    reset: list[int] = field(default_factory=list)
    """Those that a reset stands for, by their seq."""
    lost: list[int] = field(default_factory=list)


class Follower:
    """Follows an address as a page does: it comes back with its cursor every time."""

    def __init__(self, url: str) -> None:
        self.url = url
        """Where it comes back to."""
        self._changed = asyncio.Event()
        self._following: asyncio.Task[None] | None = None
        self._stream: Stream | None = None
        self.cursor: str | None = None
        self.groups: set[str] = set()
        self.frames: list[Received] = []
        """All that it received, over all connections."""
        self.heard: list[float] = []
        """When, by the monotonic clock."""
        self.endings: list[str] = []
        """Why its connections ended: the reason of a `stream-close`, or `cut`."""

    async def __aenter__(self) -> Self:
        self._following = asyncio.create_task(self._follow())
        self._following.add_done_callback(lambda _: self._changed.set())
        try:
            await self.until(lambda: bool(self.types("keep-alive")))
        except BaseException:
            await self._stop()
            raise
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        await self._stop()

    @property
    def events(self) -> list[Received]:
        """What was published to its groups."""
        return [frame for frame in self.frames if not _is_control(frame)]

    @property
    def ids(self) -> list[str]:
        return [frame.id or "" for frame in self.events]

    def types(self, *types: str) -> list[Received]:
        """Return the frames of some types."""
        return [frame for frame in self.frames if frame.type in types]

    async def cut(self) -> None:
        """Cut its connection, as a network does."""
        if self._stream:
            await self._stream.close()

    async def until(
        self, condition: Callable[[], bool], seconds: float = SECONDS
    ) -> None:
        """Return when something holds of what it received."""
        assert self._following
        async with asyncio.timeout(seconds):
            while not condition():
                if self._following.done():
                    self._following.result()
                self._changed.clear()
                await self._changed.wait()

    async def reaches(self, id: str, seconds: float = SECONDS) -> None:
        """Return when nothing more is to come of what was published up to an id."""
        await self.until(lambda: _seq(self.cursor or "0:0") >= _seq(id), seconds)

    def assert_complete_or_reset(self, published: Mapping[str, str]) -> None:
        """Check that it missed nothing of ids and groups, and was told where it did."""
        account = self.account(published)
        assert not account.repeated, "An event came twice, or too late"
        assert not account.lost, f"{account.lost} are missing, and nothing said so"

    def account(self, published: Mapping[str, str]) -> Account:
        """Say what became of ids and groups.

        An id says that there is nothing more to come of any group up to there. What
        did not arrive by then must have been covered by a reset: one with an id covers
        all up to that, and one without an id its groups until they go on, which an
        event says only if no other name of the stream has brought it. The events are
        of one clock, which also goes on over epochs.
        """
        seqs = [_seq(id) for id in self.ids]
        repeated = sum(late <= early for early, late in pairwise(seqs))
        start = self.frames[0].id
        assert start
        known = _seq(start)
        awaited = {
            _seq(id): [name for name in self.groups if _covers(name, group)]
            for id, group in published.items()
        }
        due = {seq for seq, names in awaited.items() if names and seq > known}
        missing = due - set(seqs)
        account = Account(len(due) - len(missing), repeated)
        covered: set[str] = set()
        for frame in self.frames:
            if frame.type == "stream-reset":
                covered |= set(frame.data["groups"])
            if frame.id and _seq(frame.id) > known:
                known = _seq(frame.id)
                for gap in sorted(gap for gap in missing if gap <= known):
                    told = covered.issuperset(awaited[gap])
                    (account.reset if told else account.lost).append(gap)
                    missing.remove(gap)
            if frame.type == "keep-alive" or (
                frame.id and frame.type == "stream-reset"
            ):
                covered = set()
            elif not _is_control(frame):
                names = {n for n in self.groups if _covers(n, frame.data["group"])}
                if names <= covered:
                    covered -= names
        account.lost.extend(sorted(missing))
        return account

    async def _stop(self) -> None:
        assert self._following
        self._following.cancel()
        with suppress(asyncio.CancelledError):
            await self._following

    async def pause(self, retry: int | None) -> None:
        """Wait before coming back; `retry` has the milliseconds of a `stream-close`."""
        await asyncio.sleep(PAUSE_SECONDS)

    async def _follow(self) -> None:
        while True:
            retry = None
            try:
                retry = await self._follow_once()
            except (OSError, EOFError):
                self.endings.append("cut")
            self._changed.set()
            await self.pause(retry)

    async def _follow_once(self) -> int:
        headers = {"Last-Event-ID": self.cursor} if self.cursor else {}
        stream = await Stream.open(self.url, headers)
        self._stream = stream
        try:
            while True:
                frame = await stream.next(SILENT_SECONDS)
                self.cursor = stream.cursor or self.cursor
                self.frames.append(frame)
                self.heard.append(time.monotonic())
                assert frame.type != "stream-error", frame
                if frame.type == "stream-open":
                    self.groups = set(frame.data["groups"])
                if frame.type == "stream-close":
                    self.endings.append(frame.data["reason"])
                    retry: int = frame.data["retry"]
                    return retry
                self._changed.set()
        finally:
            await stream.close()


def _is_control(frame: Received) -> bool:
    return frame.type.startswith(("stream-", "keep-alive"))


def _covers(name: str, group: str) -> bool:
    return name in (group, group.rpartition(".")[0] + ".*")


def _seq(id: str) -> int:
    return int(id.partition(":")[2])
