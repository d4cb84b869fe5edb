from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from sse_components.spread import FETCHES_PER_SECOND, LEAST_SPREAD_OF_ALL, SPREAD_STEP
from tests.clients import Received, Stream, close_all, open_many
from tests.redis_servers import NewRedisServer, RedisServer
from tests.servers import Server

GROUP = "news.updates"
MANY = FETCHES_PER_SECOND * SPREAD_STEP // 1000
TARGET = f"/sse/stream?group={GROUP}"
BACK_SECONDS = 15
"""How long a server may take to hear of a Redis that is back."""


async def created(server: Server, streams: list[Stream]) -> list[Received]:
    """Tell of something new; return what each stream is told."""
    async with httpx.AsyncClient(headers=server.headers) as client:
        address = f"{server.url}/api/v1/groups/{GROUP}/component-created"
        answer = await client.post(address, json={"data": {}})
    assert answer.status_code == 202
    return [event for stream in streams for event in await stream.take(1)]


async def test_one_browser_fetches_at_once(server: Server) -> None:
    streams = await open_many(server.url + TARGET, 1)
    [event] = await created(server, streams)
    assert "spread" not in event.data
    await close_all(streams)


async def test_many_browsers_fetch_over_as_long_as_it_takes(server: Server) -> None:
    streams = await open_many(server.url + TARGET, 4 * MANY)
    for event in await created(server, streams):
        assert event.data["spread"] == 4 * SPREAD_STEP
    await close_all(streams)


async def test_all_who_come_back_to_a_server_that_forgot_fetch_over_seconds(
    own_server: Server,
) -> None:
    own_server.start()
    streams = await open_many(own_server.url + TARGET, 1)
    [event] = await created(own_server, streams)
    own_server.stop()
    await close_all(streams)
    own_server.start()
    cursor = {"Last-Event-ID": event.data["id"]}
    streams = await open_many(own_server.url + TARGET, 2 * MANY, [cursor])
    resets = [(await stream.until("stream-reset"))[-1] for stream in streams]
    spreads = [reset.data.get("spread", 0) for reset in resets]
    # Of the first few nobody knows yet how many will follow.
    assert spreads.count(LEAST_SPREAD_OF_ALL) > MANY
    assert set(spreads) <= {0, LEAST_SPREAD_OF_ALL}
    await close_all(streams)


@pytest.fixture
def redis(new_redis_server: NewRedisServer) -> RedisServer:
    redis = new_redis_server()
    redis.start()
    return redis


@pytest.fixture
def with_redis(redis: RedisServer, tmp_path: Path) -> Iterator[Server]:
    server = Server(tmp_path, environment={"SSE_BROKER_URL": redis.url})
    server.start()
    yield server
    server.close()


@pytest.mark.parametrize("count", [1, MANY])
async def test_a_broker_that_begins_anew_has_many_fetch_over_seconds(
    with_redis: Server, redis: RedisServer, count: int
) -> None:
    streams = await open_many(with_redis.url + TARGET, count)
    for stream in streams:
        await stream.until("keep-alive")
    redis.kill()
    redis.start()  # it has kept nothing
    for stream in streams:
        reset = (await stream.until("stream-reset", BACK_SECONDS))[-1]
        assert reset.data["groups"] == ["broadcast", GROUP]
        assert reset.data.get("spread", 0) == (LEAST_SPREAD_OF_ALL if count > 1 else 0)
    await close_all(streams)
