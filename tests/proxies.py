"""Proxies that a test controls, between a client and a server."""

from __future__ import annotations

import asyncio
import re
import socket
import ssl
import struct
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from threading import Event, Thread
from typing import Any

import trustme

CHUNK = 65_536
LONGEST_HEAD = 262_144
BLOCK = 1024
STREAM = "/sse/stream"
HEAD_END = b"\r\n\r\n"
FORBIDDEN = (
    b"HTTP/1.1 403 Forbidden\r\nContent-Type: text/html\r\nContent-Length: 16\r\n"
    b"Connection: close\r\n\r\n<h1>Blocked</h1>"
)
AT_ONCE = struct.pack("ii", True, 0)  # SO_LINGER: a connection ends by RST


class Proxy:
    """Passes everything on until it is cut; then it refuses until it is mended.

    With a context it speaks TLS to its clients, for a server that can't. It works while
    the loop runs that started it, so a blocking client needs a thread.
    """

    def __init__(self, port: int, tls: ssl.SSLContext | None = None) -> None:
        self._target = port
        self._tls = tls
        self._writers: set[asyncio.StreamWriter] = set()
        self._server: asyncio.Server | None = None
        self.is_cut = False
        self.port = 0

    async def start(self) -> None:
        self._server = await asyncio.start_server(
            self._serve, "127.0.0.1", 0, ssl=self._tls
        )
        self.port = self._server.sockets[0].getsockname()[1]

    async def stop(self) -> None:
        assert self._server
        self.cut()
        self._server.close()
        await self._server.wait_closed()

    def cut(self) -> None:
        """Cut all connections, and every new one."""
        self.is_cut = True
        for writer in self._writers:
            writer.transport.abort()

    def mend(self) -> None:
        """Pass on again."""
        self.is_cut = False

    async def _serve(
        self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter
    ) -> None:
        if self.is_cut:
            writer.transport.abort()
            return
        there, back = await asyncio.open_connection("127.0.0.1", self._target)
        self._writers |= {writer, back}
        try:
            async with asyncio.TaskGroup() as group:
                group.create_task(self._pass(reader, back))
                group.create_task(self._pass(there, writer))
        finally:
            self._writers -= {writer, back}

    async def _pass(
        self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter
    ) -> None:
        with suppress(OSError):
            while data := await reader.read(CHUNK):
                writer.write(data)
                await writer.drain()
        writer.close()


class Treatment(StrEnum):
    """What a proxy does to a request of a kind, and to its answer."""

    PASS = "pass"
    DROP = "drop"
    """Never answer."""
    REFUSE = "refuse"
    """Answer 403 with a page."""
    RESET = "reset"
    BUFFER = "buffer"
    """Hold the whole body back until the server has ended it."""
    BLOCKS = "blocks"
    """Pass the body on in whole blocks of 1 KiB."""
    CUT = "cut"
    """End the answer after `cut_after` seconds."""


@dataclass(frozen=True, slots=True)
class Request:
    """One that came through a proxy; a WebSocket's too."""

    method: str
    path: str
    is_websocket: bool = False


class HTTPProxy:
    """Treats streams and WebSockets as bad proxies do, and passes on all else.

    It serves one request per connection, so that none gets past it, and leaves `Host`
    as it is. It runs in a thread of its own.
    """

    def __init__(
        self, port: int, streams: Treatment = Treatment.PASS, cut_after: float = 1
    ) -> None:
        self._target = port
        self._connections: set[_Connection] = set()
        self._started = Event()
        self._thread = Thread(target=asyncio.run, args=(self._run(),))
        self.streams = streams
        """May be changed at any time, for the requests that come then."""
        self.websockets = Treatment.PASS
        """May be changed too."""
        self.cut_after = cut_after
        self.requests: list[Request] = []
        self.port = 0

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def count(self, path: str) -> int:
        """Return how many requests of a path came."""
        return sum(request.path == path for request in self.requests)

    def start(self) -> None:
        self._thread.start()
        self._started.wait()

    def close(self) -> None:
        self._do(self._closed.set)
        self._thread.join()

    def silence(self) -> None:
        """Pass on nothing more of what is open, without a word to either side."""
        self._do(self._silence)

    def cut(self) -> None:
        """Cut what is open. New connections are served."""
        self._do(self._cut)

    async def _run(self) -> None:
        self._loop = asyncio.get_running_loop()
        self._closed = asyncio.Event()
        async with asyncio.TaskGroup() as group:

            def serve(*streams: Any) -> None:
                group.create_task(self._serve(*streams))

            server = await asyncio.start_server(
                serve, "127.0.0.1", 0, limit=LONGEST_HEAD
            )
            self.port = server.sockets[0].getsockname()[1]
            self._started.set()
            await self._closed.wait()
            server.close()
            self._cut()

    def _do(self, act: Callable[[], None]) -> None:
        """Return when it has been done, in the thread of the connections."""
        done = Event()

        def do() -> None:
            act()
            done.set()

        self._loop.call_soon_threadsafe(do)
        done.wait()

    def _silence(self) -> None:
        for connection in self._connections:
            connection.is_silent = True

    def _cut(self) -> None:
        for connection in self._connections:
            connection.cut()

    async def _serve(
        self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter
    ) -> None:
        connection = _Connection(reader, writer)
        if self._closed.is_set():  # since it was accepted
            connection.cut()
        self._connections.add(connection)
        try:
            with suppress(OSError, asyncio.IncompleteReadError):
                head = await reader.readuntil(HEAD_END)
                request = _request(head)
                self.requests.append(request)
                await self._treat(connection, head, request)
        finally:
            self._connections.remove(connection)
            writer.close()

    async def _treat(
        self, connection: _Connection, head: bytes, request: Request
    ) -> None:
        treatment = self._treatment(request)
        match treatment:
            case Treatment.DROP:
                await connection.client_is_gone()
            case Treatment.REFUSE:
                connection.writer.write(FORBIDDEN)
            case Treatment.RESET:
                connection.reset()
            case _:
                head = head if request.is_websocket else _last_of_its_connection(head)
                await connection.open(self._target, head)
                await connection.pass_on(treatment, self.cut_after)

    def _treatment(self, request: Request) -> Treatment:
        if request.is_websocket:
            return self.websockets
        return self.streams if request.path == STREAM else Treatment.PASS


class _Connection:
    """A client's, and the one to the server that belongs to it."""

    def __init__(
        self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter
    ) -> None:
        self.reader = reader
        self.writer = writer
        self.is_silent = False
        self._there: asyncio.StreamReader | None = None
        self._back: asyncio.StreamWriter | None = None

    def cut(self) -> None:
        for writer in (self.writer, self._back):
            if writer:
                writer.transport.abort()

    def reset(self) -> None:
        connected = self.writer.get_extra_info("socket")
        connected.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, AT_ONCE)
        self.cut()

    async def client_is_gone(self) -> None:
        while await self.reader.read(CHUNK):
            pass

    async def open(self, port: int, head: bytes) -> None:
        self._there, self._back = await asyncio.open_connection("127.0.0.1", port)
        self._back.write(head)

    async def pass_on(self, treatment: Treatment, cut_after: float) -> None:
        """Return when either side has ended."""
        assert self._there and self._back
        answer = asyncio.create_task(self._pass_answer(treatment, cut_after))
        try:
            await self._pass(self.reader, self._back)
        finally:
            answer.cancel()
            await asyncio.wait([answer])
            self._back.close()

    async def _pass_answer(self, treatment: Treatment, cut_after: float) -> None:
        assert self._there
        with suppress(OSError, TimeoutError, asyncio.IncompleteReadError):
            await self._write(self.writer, await self._there.readuntil(HEAD_END))
            match treatment:
                case Treatment.BUFFER:
                    await self._write(self.writer, await self._there.read())
                case Treatment.BLOCKS:
                    await self._pass_blocks(self._there)
                case Treatment.CUT:
                    async with asyncio.timeout(cut_after):
                        await self._pass(self._there, self.writer)
                case _:
                    await self._pass(self._there, self.writer)
        if not self.is_silent:
            self.writer.close()

    async def _pass_blocks(self, there: asyncio.StreamReader) -> None:
        try:
            while True:
                await self._write(self.writer, await there.readexactly(BLOCK))
        except asyncio.IncompleteReadError as rest:
            await self._write(self.writer, rest.partial)

    async def _pass(
        self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter
    ) -> None:
        while data := await reader.read(CHUNK):
            await self._write(writer, data)

    async def _write(self, writer: asyncio.StreamWriter, data: bytes) -> None:
        if not self.is_silent:
            writer.write(data)
            await writer.drain()


def tls_context(authority_file: Path) -> ssl.SSLContext:
    """Return one for a server on 127.0.0.1, whose issuer is then in the file."""
    authority = trustme.CA()
    authority.cert_pem.write_to_path(authority_file)
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    authority.issue_cert("127.0.0.1").configure_cert(context)
    return context


def _request(head: bytes) -> Request:
    method, target, _ = head.split(maxsplit=2)
    is_websocket = re.search(rb"(?i)\r\nupgrade: *websocket\r\n", head) is not None
    path = target.partition(b"?")[0].decode()
    return Request(method.decode(), path, is_websocket)


def _last_of_its_connection(head: bytes) -> bytes:
    """Have the server close the connection, as its answer tells the client."""
    head = re.sub(rb"(?i)\r\nconnection:[^\r]*", b"", head)
    return head.removesuffix(b"\r\n") + b"Connection: close\r\n\r\n"
