from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack
from dataclasses import dataclass

import pytest

from tests.clients import Follower, Stream
from tests.e2e.redis.publisher import Publisher
from tests.proxies import Proxy
from tests.redis_servers import RedisServer
from tests.servers import NewServer, Server

TARGET = "/sse/stream?group=news.updates&group=news.other&group=demo.todo.*"
GROUPS = ["broadcast", "demo.todo.*", "news.other", "news.updates"]
AWAY_SECONDS = 5
BACK_SECONDS = 5
READY, LIVE = "/api/v1/health/ready", "/api/v1/health/live"


@dataclass
class Fault:
    """A way in which Redis goes away and comes back."""

    leave: Callable[[], object]
    come_back: Callable[[], object]
    refusal_seconds: float
    """How long a publisher may wait for being refused."""
    forgets: bool = False


@pytest.fixture
async def proxy(redis: RedisServer) -> AsyncIterator[Proxy]:
    proxy = Proxy(redis.port)
    await proxy.start()
    yield proxy
    await proxy.stop()


@pytest.fixture(params=["killed", "paused", "cut off"])
def fault(request: pytest.FixtureRequest, redis: RedisServer, proxy: Proxy) -> Fault:
    return {
        "killed": Fault(redis.kill, redis.start, 1, forgets=True),
        "paused": Fault(redis.pause, redis.go_on, 7),
        "cut off": Fault(proxy.cut, proxy.mend, 1),
    }[request.param]


@pytest.fixture
async def pair(proxy: Proxy, new_server: NewServer) -> list[Server]:
    """The servers A and B, with a proxy between them and Redis."""
    url = f"redis://127.0.0.1:{proxy.port}/0"
    pair = [new_server(url, KEEP_ALIVE_SECONDS=1) for _ in range(2)]
    await asyncio.gather(*(asyncio.to_thread(server.start) for server in pair))
    return pair


async def until(
    condition: Callable[[], Awaitable[bool]], seconds: float = BACK_SECONDS
) -> None:
    async with asyncio.timeout(seconds):
        while not await condition():
            await asyncio.sleep(0.05)


# A11, A60
async def test_redis_may_go_away_for_a_while(
    pair: list[Server], publisher: Publisher, fault: Fault
) -> None:
    a, b = pair
    async with AsyncExitStack() as stack:
        followers = [
            await stack.enter_async_context(Follower(server.url + TARGET))
            for server in pair
            for _ in range(2)
        ]
        await publisher.publish(a, "news.updates", "demo.todo.7")
        last = await publisher.publish(b, "news.other")
        for follower in followers:
            await follower.has(last[0])
        heard = [len(follower.types("keep-alive")) for follower in followers]

        fault.leave()
        end = time.monotonic() + AWAY_SECONDS
        while time.monotonic() < end:
            for server in pair:
                assert await publisher.publish(server, "news.updates") == []
                assert publisher.refused[-1].headers["Retry-After"] == "1"
                assert await publisher.ask(server, READY) == 503
                assert await publisher.ask(server, LIVE) == 200
        assert publisher.slowest < fault.refusal_seconds
        for follower, before in zip(followers, heard, strict=True):
            assert len(follower.types("keep-alive")) >= before + AWAY_SECONDS - 2
        late = await Stream.open(a.url + TARGET)
        event = await late.next()
        assert event.type in ("stream-open", "stream-close")
        if event.type == "stream-close":
            assert event.data["reason"] == "unavailable"
            assert event.data["retry"] >= 500
        await late.close()

        fault.come_back()
        begun = time.monotonic()
        groups = ["news.updates", "news.other", "demo.todo.7"]
        for server in pair:
            live = await publisher.insist(server, *groups, seconds=BACK_SECONDS)
        for follower in followers:
            await follower.has(live[-1])
            follower.assert_complete_or_reset(publisher.acknowledged)
            assert follower.endings == []
        for server in pair:
            assert await publisher.ask(server, READY) == 200
        assert time.monotonic() - begun < BACK_SECONDS
        for follower in followers:
            resets = follower.types("stream-reset")
            assert len(resets) == fault.forgets
            for reset in resets:
                assert reset.data["groups"] == GROUPS
                assert reset.id
                assert reset.id.partition(":")[0] == live[0].partition(":")[0]
                assert reset.id.partition(":")[0] != last[0].partition(":")[0]


# A60
async def test_a_stream_that_comes_while_redis_is_away_comes_back_to_all_it_missed(
    pair: list[Server], publisher: Publisher, proxy: Proxy, redis: RedisServer
) -> None:
    a, b = pair
    async with Follower(a.url + TARGET) as follower:
        await publisher.publish(b, "news.updates")
        proxy.cut()
        await follower.until(lambda: len(follower.ids) == 1)
        assert await asyncio.to_thread(a.stop) == 0
        await asyncio.to_thread(a.start)
        await follower.until(lambda: "unavailable" in follower.endings)
        proxy.mend()
        await publisher.insist(b, "demo.todo.7")
        await follower.until(lambda: len(follower.types("stream-open")) > 1)
        live = await publisher.publish(b, "news.other")
        await follower.has(live[0])
        assert follower.ids == list(publisher.acknowledged)
        assert follower.types("stream-reset") == []
