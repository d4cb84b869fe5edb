"""A connection that records, and takes no more than a test lets it take."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable, Sequence
from typing import Any

from sse_components.wire import Farewell, Frame


class Recorder:
    """A transport for the hub; close its door and writes wait."""

    def __init__(self) -> None:
        self.written: list[Frame] = []
        self.writes = 0
        self.sizes: list[int] = []
        """Bytes of each write."""
        self.door = asyncio.Event()
        self.door.set()
        self.aborted = False
        self.ended = False
        self.error: Exception | None = None
        self._wrote = asyncio.Event()

    def write_now(self, frames: Sequence[Frame]) -> bool:
        return False

    async def write(self, frames: Sequence[Frame]) -> None:
        await self._pass()
        self.writes += 1
        self.sizes.append(sum(len(frame.sse) for frame in frames))
        self.written += frames
        self._wrote.set()

    async def end(self, farewell: Farewell) -> None:
        await self._pass()
        self.written.append(farewell)
        self.ended = True

    def abort(self) -> None:
        self.aborted = True
        self.error = OSError()
        self.door.set()

    @property
    def events(self) -> list[dict[str, Any]]:
        """What was written, as a client reads it."""
        return [json.loads(frame.json) for frame in self.written]

    @property
    def types(self) -> list[str]:
        return [event["type"] for event in self.events]

    async def until(self, condition: Callable[[], bool]) -> None:
        """Wait for something to be true of what was written."""
        async with asyncio.timeout(5):
            while not condition():
                self._wrote.clear()
                await self._wrote.wait()

    async def _pass(self) -> None:
        # Waits in place only if it has to, as a server's send() does.
        if not self.door.is_set():
            await self.door.wait()
        if self.error:
            raise self.error
