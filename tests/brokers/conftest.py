"""Every broker under the same tests: adding one adds a harness here."""

from __future__ import annotations

import asyncio
import secrets
from collections.abc import AsyncIterator, Callable, Iterator, Mapping, Sequence
from contextlib import suppress
from typing import Any, Protocol

import pytest
import redis

from sse_components.brokers.base import (
    Announcement,
    Broker,
    Feed,
    Report,
    Transition,
)
from sse_components.brokers.memory import MemoryBroker
from sse_components.brokers.redis import RedisBroker
from sse_components.events import Draft, Position
from tests.brokers.faults import FaultyProxy
from tests.redis_servers import BINARIES, DEFAULT, NewRedisServer, RedisServer
from tests.servers import wait_until

NOW = 1_763_799_845_000_000


class Harness(Protocol):
    """Makes brokers whose time stands still until it is moved."""

    def broker(self, **options: Any) -> Broker: ...

    def advance(self, seconds: float) -> None: ...


class MemoryHarness:
    def __init__(self) -> None:
        self.now = NOW

    def broker(self, **options: Any) -> Broker:
        return MemoryBroker(clock=lambda: self.now, **options)

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

    def broker(self, **options: Any) -> Broker:
        own = {"key_prefix": secrets.token_hex(8)}
        clock = CLOCK.format(key=self._key)
        broker = RedisBroker(self._url, clock=clock, **own | options)
        self._brokers.append(broker)
        return broker

    def advance(self, seconds: float) -> None:
        self._client.incrby(self._key, int(seconds * 1e6))

    async def close(self) -> None:
        for broker in self._brokers:
            await broker.close()
        self._client.close()


Servers = Callable[[str], RedisServer]


@pytest.fixture(scope="session")
def servers(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Servers]:
    """Gives the running server of a name, which is started when it is first wanted."""
    running: dict[str, RedisServer] = {}

    def server(name: str) -> RedisServer:
        if name not in running:
            folder = tmp_path_factory.mktemp(name)
            running[name] = RedisServer(folder, binary=BINARIES.get(name, DEFAULT))
            running[name].start()
        return running[name]

    yield server
    for one in running.values():
        one.close()


@pytest.fixture(params=["memory", *(BINARIES or ["redis"])])
async def harness(
    request: pytest.FixtureRequest, servers: Servers
) -> AsyncIterator[Harness]:
    if request.param == "memory":
        yield MemoryHarness()
        return
    harness = RedisHarness(servers(request.param))
    yield harness
    await harness.close()


@pytest.fixture
async def broker(harness: Harness) -> AsyncIterator[Broker]:
    broker = harness.broker()
    yield broker
    await broker.close()


NewBroker = Callable[..., RedisBroker]
"""Makes a broker for a server or a URL, with a key prefix of its own."""


@pytest.fixture
async def new_broker() -> AsyncIterator[NewBroker]:
    brokers: list[RedisBroker] = []

    def new_broker(where: RedisServer | str, **options: Any) -> RedisBroker:
        url = where if isinstance(where, str) else where.url
        prefix = {"key_prefix": secrets.token_hex(8)}
        brokers.append(RedisBroker(url, **prefix | options))
        return brokers[-1]

    yield new_broker
    for broker in brokers:
        await broker.close()


@pytest.fixture
def server(new_redis_server: NewRedisServer) -> RedisServer:
    """A server of the test's own, to be killed, counted and emptied."""
    server = new_redis_server()
    server.start()
    return server


@pytest.fixture
def client(server: RedisServer) -> Iterator[redis.Redis]:
    """Somebody else at the test's own server."""
    client = server.client()
    yield client
    client.close()


@pytest.fixture
async def proxy(server: RedisServer) -> AsyncIterator[FaultyProxy]:
    """The test's own server, with faults."""
    proxy = FaultyProxy(server.port)
    await proxy.start()
    yield proxy
    await proxy.stop()


async def until(condition: Callable[[], bool]) -> None:
    """Wait for what only asking can tell."""
    await asyncio.to_thread(wait_until, condition)


class Ear:
    """Takes announcements off a feed one by one."""

    def __init__(self, feed: Feed) -> None:
        self.feed = feed
        self._batches = aiter(feed)
        self._heard: list[Announcement] = []

    async def next(self, seconds: float = 5) -> Announcement:
        async with asyncio.timeout(seconds):
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


class Node:
    """Reports as a process does, one turn after the other."""

    def __init__(self, broker: Broker, name: str = "node") -> None:
        self._broker = broker
        self.name = name
        self.turn = 0

    async def report(
        self,
        members: Mapping[tuple[str, str], int] | None = None,
        subscribers: Mapping[str, int] | None = None,
        silent: bool = False,
    ) -> list[Transition] | None:
        after, self.turn = self.turn, self.turn + 1
        return await self._broker.report(
            Report(
                self.name, self.turn, after, members or {}, subscribers or {}, silent
            )
        )


async def present(broker: Broker, group: str) -> dict[str, int]:
    """Return the connections of who is in a group."""
    membership = await broker.amembers(group)
    return {member.user: member.connections for member in membership.members}
