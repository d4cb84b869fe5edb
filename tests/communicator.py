"""ASGI messages in this process: a test says each one, and sees each answer."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from typing import Any

from sse_components.testing import communicator
from sse_components.testing.communicator import App
from sse_components.testing.communicator import scope as scope
from tests.clients import Parser, Received

SECONDS = 10
"""How long a test waits for a message that should come at once."""


class Communicator(communicator.Communicator):
    """Doesn't wait for ever to hear what an application says."""

    async def hear(self) -> dict[str, Any]:
        async with asyncio.timeout(SECONDS):
            return await super().hear()


class Exchange:
    """A request, and its answer as far as it was read."""

    def __init__(self, app: App, scope: Mapping[str, Any]) -> None:
        self.messages = Communicator(app, scope)
        self.status = 0
        self.headers: dict[str, str] = {}
        self.body = b""
        self.over = False
        self._parser = Parser()
        self._received: list[Received] = []

    async def begin(self) -> None:
        await self.messages.say("http.request", body=b"", more_body=False)
        start = await self.messages.hear()
        assert start["type"] == "http.response.start"
        self.status = start["status"]
        self.headers = {
            name.decode(): value.decode() for name, value in start["headers"]
        }

    async def read(self) -> bytes:
        """Return the next part of the body."""
        message = await self.messages.hear()
        assert message["type"] == "http.response.body"
        part: bytes = message.get("body", b"")
        self.body += part
        self.over = not message.get("more_body", False)
        for line in part.decode().split("\n")[:-1]:
            if received := self._parser.line(line):
                self._received.append(received)
        return part

    async def next(self) -> Received:
        """Return the next event of the stream; EOFError: it has ended."""
        while not self._received:
            if self.over:
                raise EOFError
            await self.read()
        return self._received.pop(0)

    async def until(self, type: str) -> list[Received]:
        """Return the events up to the first of a type."""
        events = [await self.next()]
        while events[-1].type != type:
            events.append(await self.next())
        return events

    async def rest(self) -> list[Received]:
        """Return the events up to the end of the stream."""
        while not self.over:
            await self.read()
        events, self._received = self._received, []
        return events

    async def leave(self) -> None:
        """Go away as a client does, and see the application return."""
        await self.messages.say("http.disconnect")
        await self.messages.finished()


class Connection(Exchange):
    """A WebSocket, and what came as far as it was read."""

    code: int | None = None
    """Why it was closed."""

    async def begin(self) -> None:
        await self.messages.say("websocket.connect")
        answer = await self.messages.hear()
        self.status = 200 if answer["type"] == "websocket.accept" else 403
        self.over = self.status == 403

    async def read(self) -> bytes:
        """Return the next message."""
        message = await self.messages.hear()
        if message["type"] == "websocket.close":
            self.over = True
            self.code = message["code"]
            return b""
        assert message["type"] == "websocket.send"
        text: str = message["text"]
        self.body += text.encode()
        data = json.loads(text)
        self._received.append(Received(data["type"], data, data.get("id"), []))
        return text.encode()

    async def say(self, **fields: Any) -> None:
        """Say something to the server."""
        await self.messages.say("websocket.receive", text=json.dumps(fields))

    async def leave(self) -> None:
        await self.messages.say("websocket.disconnect", code=1001)
        await self.messages.finished()


Opener = Callable[..., AbstractAsyncContextManager[Exchange]]
"""Opens a stream of a page: the application, `/sse/stream` with a query, headers."""


@asynccontextmanager
async def connect(
    app: App,
    target: str,
    headers: Mapping[str, str] | None = None,
    *,
    root_path: str = "",
) -> AsyncIterator[Connection]:
    """Open a WebSocket for what would be the address of a stream."""
    given = {"Origin": "http://testserver"} | dict(headers or {})
    target = target.replace("/sse/stream", "/sse/ws", 1)
    opening = scope(target, given, root_path=root_path) | {"type": "websocket"}
    del opening["method"]
    connection = Connection(app, opening)
    await connection.begin()
    try:
        yield connection
    finally:
        await connection.leave()


@asynccontextmanager
async def request(
    app: App,
    target: str,
    headers: Mapping[str, str] | None = None,
    *,
    method: str = "GET",
    root_path: str = "",
) -> AsyncIterator[Exchange]:
    """Send a request; the client stays until the end of the block."""
    exchange = Exchange(app, scope(target, headers, method, root_path))
    await exchange.begin()
    try:
        yield exchange
    finally:
        await exchange.leave()
