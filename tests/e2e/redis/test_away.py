from __future__ import annotations

import asyncio
import socket
import time
from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack, closing, suppress
from dataclasses import dataclass

import pytest
from redis.exceptions import TimeoutError

from tests.clients import Follower, Stream, open_many
from tests.e2e.redis.publisher import Publisher
from tests.proxies import Proxy
from tests.redis_servers import RedisServer
from tests.servers import NewServer, Server

pytestmark = pytest.mark.alone

TARGET = "/sse/stream?group=news.updates&group=news.other&group=demo.todo.*"
PUBLISHED = ["news.updates", "news.other", "demo.todo.7"]
GROUPS = ["broadcast", "demo.todo.*", "news.other", "news.updates"]
AWAY_SECONDS = 5
BACK_SECONDS = 5
STOP_SECONDS = 3
READY, LIVE = "/api/v1/health/ready", "/api/v1/health/live"


@dataclass
class Fault:
    """A way in which Redis goes away and comes back."""

    url: str
    leave: Callable[[], object]
    come_back: Callable[[], object]
    refusal_seconds: float
    """How long a publisher may wait for being refused."""
    forgets: bool = False


class Hole(Proxy):
    """Falls silent, as a network does: what was connected by then stays so for ever."""

    def __init__(self, port: int) -> None:
        super().__init__(port)
        self._swallowed: list[asyncio.StreamWriter] = []
        self._swallows = False

    def swallow(self) -> None:
        self.cut()
        self.mend()
        self._swallows = True

    def let_through(self) -> None:
        self._swallows = False

    async def stop(self) -> None:
        for writer in self._swallowed:
            writer.transport.abort()
        await super().stop()

    async def _serve(
        self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter
    ) -> None:
        if self._swallows:
            self._swallowed.append(writer)
        else:
            await super()._serve(reader, writer)


@pytest.fixture
async def proxy(redis: RedisServer) -> AsyncIterator[Hole]:
    proxy = Hole(redis.port)
    await proxy.start()
    yield proxy
    await proxy.stop()


@pytest.fixture(params=["killed", "paused", "cut off", "swallowed"])
def fault(request: pytest.FixtureRequest, redis: RedisServer, proxy: Hole) -> Fault:
    there, url = redis.url, f"redis://127.0.0.1:{proxy.port}/0"
    return {
        "killed": Fault(there, redis.kill, redis.start, 1, forgets=True),
        "paused": Fault(there, redis.pause, redis.go_on, 7),
        "cut off": Fault(url, proxy.cut, proxy.mend, 1),
        "swallowed": Fault(url, proxy.swallow, proxy.let_through, 7),
    }[request.param]


@pytest.fixture
async def pair(fault: Fault, new_server: NewServer) -> list[Server]:
    """The servers A and B, as they see Redis."""
    pair = [new_server(fault.url, KEEP_ALIVE_SECONDS=1) for _ in range(2)]
    await asyncio.gather(*(asyncio.to_thread(server.start) for server in pair))
    return pair


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
            await follower.reaches(last[0])
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
        for server in pair:
            first = await publisher.insist(server, *PUBLISHED, seconds=BACK_SECONDS)
        for follower in followers:
            await follower.reaches(first[-1])
        live = await publisher.publish(a, *PUBLISHED)
        for follower in followers:
            await follower.reaches(live[-1])
        for server in pair:
            assert await publisher.ask(server, READY) == 200
        assert time.monotonic() - begun < BACK_SECONDS
        for follower in followers:
            follower.assert_complete_or_reset(publisher.acknowledged)
            assert follower.endings == []
            resets = follower.types("stream-reset")
            assert len(resets) == fault.forgets
            for reset in resets:
                assert reset.data["groups"] == GROUPS
                assert reset.id
                assert reset.id.partition(":")[0] == live[0].partition(":")[0]
                assert reset.id.partition(":")[0] != last[0].partition(":")[0]


# A60
async def test_a_redis_that_is_busy_for_seconds_loses_nothing(
    redis: RedisServer, new_server: NewServer, publisher: Publisher
) -> None:
    pair = [new_server(redis.url, KEEP_ALIVE_SECONDS=1) for _ in range(2)]
    await asyncio.gather(*(asyncio.to_thread(server.start) for server in pair))
    async with Follower(pair[0].url + TARGET) as a, Follower(pair[1].url + TARGET) as b:
        busy = asyncio.create_task(asyncio.to_thread(be_busy, redis))
        refused = 0
        while not busy.done():
            for server in pair:
                refused += not await publisher.publish(server, *PUBLISHED)
        assert refused
        last = await publisher.insist(pair[0], *PUBLISHED)
        for follower in (a, b):
            await follower.reaches(last[-1])
            follower.assert_complete_or_reset(publisher.acknowledged)
            assert follower.types("stream-reset") == []
            assert follower.endings == []


def be_busy(redis: RedisServer) -> None:
    """Have Redis answer nobody, us included, for a while."""
    with redis.client() as client, suppress(TimeoutError):
        client.execute_command("DEBUG", "SLEEP", AWAY_SECONDS)
    with closing(socket.create_connection(("127.0.0.1", redis.port))) as connection:
        connection.sendall(b"PING\r\n")
        connection.recv(64)


# A60, A62
async def test_a_server_stops_in_time_although_redis_hangs(
    redis: RedisServer, new_server: NewServer
) -> None:
    server = new_server(redis.url)
    await asyncio.to_thread(server.start)
    streams = await open_many(server.url + TARGET, 20)
    redis.pause()
    cursor = f"{streams[0].cursor}"[:-1] + "0"  # which its memory doesn't reach
    urls = [f"{server.url}/sse/groups/news.{n}" for n in range(10)]
    urls += [f"{server.url}{TARGET}&lastEventId={cursor}"] * 10
    waiting = await asyncio.gather(*(Stream.open(url) for url in urls))
    begun = time.monotonic()
    assert await asyncio.to_thread(server.stop) == 0
    assert time.monotonic() - begun < STOP_SECONDS
    for stream in [*streams, *waiting]:
        farewell = (await stream.until("stream-close"))[-1]
        assert farewell.data["reason"] == "shutdown"
        await stream.close()


# A60
async def test_a_stream_that_comes_while_redis_is_away_comes_back_to_all_it_missed(
    redis: RedisServer, proxy: Hole, new_server: NewServer, publisher: Publisher
) -> None:
    a, b = new_server(f"redis://127.0.0.1:{proxy.port}/0"), new_server(redis.url)
    await asyncio.gather(*(asyncio.to_thread(server.start) for server in (a, b)))
    async with Follower(a.url + TARGET) as follower:
        ids = await publisher.publish(b, "news.updates")
        await follower.reaches(ids[0])
        proxy.cut()
        await publisher.publish(b, "news.updates", "demo.todo.7")
        assert await asyncio.to_thread(a.stop) == 0
        await asyncio.to_thread(a.start)
        await publisher.publish(b, "news.other")
        await follower.until(lambda: "unavailable" in follower.endings)
        proxy.mend()
        await follower.until(lambda: len(follower.types("stream-open")) > 1)
        live = await publisher.publish(b, "news.other")
        await follower.reaches(live[0])
        assert follower.ids == list(publisher.acknowledged)
        assert follower.types("stream-reset") == []
