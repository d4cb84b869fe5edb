"""Every broker under the same tests: adding one adds a harness here."""

from __future__ import annotations

import asyncio
import secrets
from collections.abc import AsyncIterator, Sequence
from contextlib import suppress
from typing import Protocol

import pytest

from sse_components.brokers.base import Announcement, Broker, Feed
from sse_components.brokers.memory import MemoryBroker
from sse_components.brokers.redis import RedisBroker
from sse_components.events import Draft, Position
from tests.redis_servers import RedisServer

NOW = 1_763_799_845_000_000


class Harness(Protocol):
    """Makes brokers whose time stands still until it is moved."""

    def broker(
        self,
        *,
        history_size: int = 1000,
        history_seconds: float = 300,
        group_memory_seconds: float = 86_400,
    ) -> Broker: ...

    def advance(self, seconds: float) -> None: ...


class MemoryHarness:
    def __init__(self) -> None:
        self.now = NOW

    def broker(
        self,
        *,
        history_size: int = 1000,
        history_seconds: float = 300,
        group_memory_seconds: float = 86_400,
    ) -> Broker:
        return MemoryBroker(
            history_size=history_size,
            history_seconds=history_seconds,
            group_memory_seconds=group_memory_seconds,
            clock=lambda: self.now,
        )

    def advance(self, seconds: float) -> None:
        self.now += int(seconds * 1e6)


CLOCK = """
local function now_us()
  return tonumber(redis.call('GET', '{key}'))
end
"""


class RedisHarness:
    """Redis asks a key of its own for the time."""

    def __init__(self, server: RedisServer) -> None:
        self._url = server.url
        self._client = server.client()
        self._key = secrets.token_hex(8)
        self._client.set(self._key, NOW)
        self._brokers: list[Broker] = []

    def broker(
        self,
        *,
        history_size: int = 1000,
        history_seconds: float = 300,
        group_memory_seconds: float = 86_400,
    ) -> Broker:
        broker = RedisBroker(
            self._url,
            key_prefix=secrets.token_hex(8),
            history_size=history_size,
            history_seconds=history_seconds,
            group_memory_seconds=group_memory_seconds,
            clock=CLOCK.format(key=self._key),
        )
        self._brokers.append(broker)
        return broker

    def advance(self, seconds: float) -> None:
        self._client.incrby(self._key, int(seconds * 1e6))

    async def close(self) -> None:
        for broker in self._brokers:
            await broker.close()
        self._client.close()


@pytest.fixture(params=["memory", "redis"])
async def harness(request: pytest.FixtureRequest) -> AsyncIterator[Harness]:
    if request.param == "memory":
        yield MemoryHarness()
        return
    harness = RedisHarness(request.getfixturevalue("redis_server"))
    yield harness
    await harness.close()


@pytest.fixture
async def broker(harness: Harness) -> AsyncIterator[Broker]:
    broker = harness.broker()
    yield broker
    await broker.close()


class Ear:
    """Takes announcements off a feed one by one."""

    def __init__(self, feed: Feed) -> None:
        self.feed = feed
        self._batches = aiter(feed)
        self._heard: list[Announcement] = []

    async def next(self) -> Announcement:
        async with asyncio.timeout(5):
            if not self._heard:
                self._heard = list(await anext(self._batches))
        return self._heard.pop(0)

    async def take(self, count: int) -> list[Announcement]:
        return [await self.next() for _ in range(count)]

    async def hears_nothing(self) -> bool:
        """Whether a probe comes before anything else."""
        await self.feed.probe()
        return type(await self.next()).__name__ == "Watermark"

    async def ends(self) -> bool:
        async with asyncio.timeout(5):
            with suppress(StopAsyncIteration):
                await anext(self._batches)
                return False
        return True


async def ear(broker: Broker, *names: str) -> Ear:
    """Return an ear that hears names."""
    feed = await broker.feed()
    await feed.subscribe(names)
    return Ear(feed)


def draft(group: str, payload: bytes = b"{}", type: str = "test") -> Draft:
    return Draft(group, type, payload)


def drafts(*groups: str) -> Sequence[Draft]:
    return [draft(group, b'{"n":%d}' % n) for n, group in enumerate(groups)]


async def publish(broker: Broker, *groups: str) -> list[Position]:
    """Publish one event to each group."""
    return [one.position for one in await broker.apublish(drafts(*groups))]
