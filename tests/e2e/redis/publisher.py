"""Who publishes over REST and keeps a record of it."""

from __future__ import annotations

import asyncio
import time
from types import TracebackType
from typing import Self

import httpx

from tests.servers import Server

SECONDS = 15
"""How long a request may take at all."""


class Publisher:
    """Knows which events are published, which is not known of those refused."""

    def __init__(self) -> None:
        self._client = httpx.AsyncClient(timeout=SECONDS)
        self.acknowledged: dict[str, str] = {}
        """Ids and their groups."""
        self.refused: list[httpx.Response] = []
        self.slowest = 0.0
        """Seconds that one of the refused requests took."""

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        await self._client.aclose()

    async def publish(
        self, server: Server, *groups: str, key: str | None = None
    ) -> list[str]:
        """Publish an event to each group in one request; return no ids if refused."""
        events = [
            {"type": "notify", "group": group, "event_name": "hello"}
            for group in groups
        ]
        headers = server.headers | ({"Idempotency-Key": key} if key else {})
        begun = time.monotonic()
        answer = await self._client.post(
            f"{server.url}/api/v1/events", json={"events": events}, headers=headers
        )
        if answer.status_code == 503:
            self.refused.append(answer)
            self.slowest = max(self.slowest, time.monotonic() - begun)
            return []
        assert answer.status_code == 202, answer.text
        ids = [result["id"] for result in answer.json()["results"]]
        self.acknowledged |= zip(ids, groups, strict=True)
        return ids

    async def insist(
        self, server: Server, *groups: str, key: str | None = None, seconds: float = 5
    ) -> list[str]:
        """Publish, again and again until it is acknowledged."""
        async with asyncio.timeout(seconds):
            while True:
                try:
                    if ids := await self.publish(server, *groups, key=key):
                        return ids
                except httpx.TransportError:  # of a server that restarts
                    assert key, "It may have been published"
                await asyncio.sleep(0.05)

    async def ask(self, server: Server, path: str) -> int:
        """Return the status with which a page is answered."""
        answer = await self._client.get(f"{server.url}{path}")
        return answer.status_code
