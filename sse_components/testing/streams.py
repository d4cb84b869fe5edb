"""Streams in this process, without a server: serving them, reading one."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

from sse_components import runtime
from sse_components.testing.clients import StreamError, StreamOpener
from sse_components.testing.communicator import scope
from sse_components.testing.frames import Parser, ReceivedEvent


@asynccontextmanager
async def streams() -> AsyncIterator[None]:
    """Have this process serve streams for a block, or for a decorated coroutine.

    At its end nothing is left of it, no task and no event.
    """
    before = runtime.hub()
    hub = await runtime.start()
    try:
        await hub.recalled()
        yield
    finally:
        if hub is not before:
            await runtime.stop()


class StreamClient(StreamOpener):
    """Opens a stream of server-sent events in `async with`, and iterates over it."""

    @classmethod
    def _address(cls) -> str:
        return f"{runtime.settings().prefix}stream"

    def _scope(self) -> dict[str, Any]:
        return scope(self._target, self._all_headers())

    async def _begin(self) -> None:
        self._parser = Parser()
        await self._messages.say("http.request", body=b"", more_body=False)
        start = await self._messages.hear()
        if start["status"] != 200:
            body = (await self._messages.hear()).get("body", b"").decode()
            text = f"The stream was refused with {start['status']}. {body}"
            raise StreamError(text.strip(), start["status"])

    async def _read(self) -> list[ReceivedEvent]:
        message = await self._messages.hear()
        return self._parser.feed(message.get("body", b""))

    async def _say_goodbye(self) -> None:
        await self._messages.say("http.disconnect")
