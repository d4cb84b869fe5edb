"""A client of streams that shares nothing with the code under test.

It speaks HTTP/1.1 over a socket and reads the stream as WHATWG HTML 9.2.6 says, so a
test sees what a browser would, and can stop to read or cut the connection.
"""

from __future__ import annotations

import asyncio
import json
import socket
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any
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
