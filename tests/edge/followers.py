"""Clients that come back with the last id that they have read, as EventSource does."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Callable, Sequence
from contextlib import suppress
from typing import Self

from tests.clients import Received, Stream

SILENT_SECONDS = 30


class Follower:
    """Notes what it receives over all its connections."""

    def __init__(
        self,
        url: str,
        groups: Sequence[str],
        cursor: str | None = None,
        **headers: str,
    ) -> None:
        self.urls = [url]
        """Where it comes back to, one after the other."""
        self.groups = groups
        self.cursor = cursor
        self._headers = headers
        self.frames: list[Received] = []
        self.connections = 0
        self._stream: Stream | None = None
        self._following: asyncio.Task[None] | None = None
        self._changed = asyncio.Event()

    async def __aenter__(self) -> Self:
        self._following = asyncio.create_task(self._follow())
        self._following.add_done_callback(lambda _: self._changed.set())
        await self.until(lambda: "keep-alive" in self.types)
        return self

    async def __aexit__(self, *error: object) -> None:
        assert self._following
        self._following.cancel()
        with suppress(asyncio.CancelledError):
            await self._following

    @property
    def types(self) -> list[str]:
        return [frame.type for frame in self.frames]

    @property
    def events(self) -> list[Received]:
        return [frame for frame in self.frames if frame.type == "notify"]

    @property
    def ids(self) -> list[str]:
        """Those that events have on every transport."""
        return [frame.data["id"] for frame in self.events]

    async def drop(self) -> None:
        """Cut its connection, as a network does."""
        if self._stream:
            await self._stream.close()

    async def until(self, condition: Callable[[], bool], seconds: float = 20) -> None:
        """Return when something holds of what it received."""
        assert self._following
        async with asyncio.timeout(seconds):
            while not condition():
                if self._following.done():
                    self._following.result()
                self._changed.clear()
                await self._changed.wait()

    async def has(self, ids: Sequence[str], seconds: float = 20) -> None:
        """Return when it has had all of these."""
        await self.until(lambda: set(ids) <= set(self.ids), seconds)

    def assert_exact(self, ids: Sequence[str]) -> None:
        """Check that it had these once each, and those of a group in order."""
        assert sorted(self.ids) == sorted(ids)
        by_group: dict[str, list[int]] = {}
        for event in self.events:
            seq = int(event.data["id"].partition(":")[2])
            by_group.setdefault(event.data["group"], []).append(seq)
        for group, seqs in by_group.items():
            assert seqs == sorted(seqs), f"{group} is out of order"

    async def _follow(self) -> None:
        while True:
            with suppress(OSError, EOFError):
                await self._follow_once(self.urls[self.connections % len(self.urls)])
            await asyncio.sleep(random.uniform(0.05, 0.2))

    async def _follow_once(self, url: str) -> None:
        query = "&".join(f"group={group}" for group in self.groups)
        last = {"Last-Event-ID": self.cursor} if self.cursor else {}
        headers = self._headers | last
        stream = await Stream.open(f"{url}/sse/stream?{query}", headers)
        self._stream = stream
        self.connections += 1
        try:
            if stream.status != 200:
                raise EOFError
            while True:
                frame = await stream.next(SILENT_SECONDS)
                self.cursor = stream.cursor or self.cursor
                self.frames.append(frame)
                self._changed.set()
                if frame.type in ("stream-close", "stream-error"):
                    return
        finally:
            await stream.close()
