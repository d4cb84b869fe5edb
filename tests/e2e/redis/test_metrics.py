from __future__ import annotations

import asyncio
import socket

import httpx
import pytest
from prometheus_client.parser import text_string_to_metric_families

from tests.clients import Follower, Stream, close_all, open_many
from tests.e2e.redis.publisher import Publisher
from tests.ports import free_port
from tests.redis_servers import RedisServer
from tests.servers import NewServer, Server, wait_until

TARGET = "/sse/stream?group=news.updates&group=demo.todo.*&group=demo.todo.7"

Numbers = dict[tuple[str, ...], float]


def scraped(port: int) -> Numbers:
    """Return samples by their names and their labels' values, in the labels' order."""
    answer = httpx.get(f"http://127.0.0.1:{port}/metrics")
    assert answer.status_code == 200
    return {
        (sample.name, *sample.labels.values()): sample.value
        for family in text_string_to_metric_families(answer.text)
        for sample in family.samples
    }


@pytest.fixture
def port() -> int:
    return free_port()


@pytest.fixture
async def server(redis: RedisServer, new_server: NewServer, port: int) -> Server:
    address = f"127.0.0.1:{port}"
    # The console publishes too.
    server = new_server(redis.url, METRICS=address, KEEP_ALIVE_SECONDS=1, CONSOLE=False)
    await asyncio.to_thread(server.start)
    return server


async def test_streams_and_events_are_counted(
    server: Server, port: int, publisher: Publisher
) -> None:
    streams = await open_many(server.url + TARGET, 3)
    await publisher.publish(server, "news.updates", "demo.todo.7", "news.others")
    await publisher.publish(server, "news.updates")
    for stream in streams:
        await stream.take(3)
    found = scraped(port)
    assert found["sse_connections", "sse"] == 3
    assert found["sse_connections", "websocket"] == 0
    assert found["sse_connections_opened_total", "sse"] == 3
    assert found["sse_groups",] == 4  # broadcast too
    assert found["sse_pending_bytes",] == 0
    assert found["sse_events_published_total",] == 4
    assert found["sse_events_total",] == 3
    assert found["sse_deliveries_total",] == 9
    assert found["sse_delivery_latency_seconds_count",] == 3
    assert 0 < found["sse_delivery_latency_seconds_sum",] < 3
    assert found["sse_api_requests_total", "publish_events", "202"] == 2
    assert found["sse_api_request_seconds_count", "publish_events"] == 2
    # Once more where Redis has to be sent the script first.
    assert found["sse_broker_calls_total", "answered", "publish"] in (2, 3)
    assert found["sse_broker_round_trip_seconds_count",] > 2
    await close_all(streams)
    await asyncio.to_thread(
        wait_until, lambda: not scraped(port)["sse_connections", "sse"]
    )


async def test_resumes_and_resets_are_counted_by_what_became_of_them(
    server: Server, port: int, publisher: Publisher, redis: RedisServer
) -> None:
    async with Follower(server.url + TARGET) as follower:
        (id,) = await publisher.publish(server, "news.updates")
        await follower.reaches(id)
        await follower.cut()
        await follower.until(lambda: len(follower.types("stream-open")) == 2)
        assert scraped(port)["sse_resumes_total", "ring"] == 1
        with redis.client() as client:
            client.flushall()
        await follower.until(lambda: bool(follower.types("stream-reset")))
        assert scraped(port)["sse_resets_total", "epoch"] == 1
    stream = await Stream.open(server.url + TARGET, {"Last-Event-ID": id})
    await stream.until("stream-reset")
    await stream.close()
    found = scraped(port)
    assert found["sse_resumes_total", "reset"] == 1
    assert found["sse_resets_total", "cursor"] == 1


async def test_what_is_refused_is_counted_by_its_status(
    server: Server, port: int
) -> None:
    async with httpx.AsyncClient(headers=server.headers) as client:
        address = f"{server.url}/api/v1/groups/not%20a%20group/notify"
        answer = await client.post(address, json={"event_name": "hello"})
    assert answer.status_code == 422
    assert scraped(port)["sse_api_requests_total", "notify", "422"] == 1


async def test_each_worker_has_a_port_of_its_own(
    redis: RedisServer, new_server: NewServer, port: int
) -> None:
    server = new_server(redis.url, ["--workers", "2"], METRICS=f"127.0.0.1:{port}")
    await asyncio.to_thread(server.start)
    streams = await open_many(server.url + TARGET, 8)
    open_there = [scraped(port + n)["sse_connections", "sse"] for n in range(2)]
    assert sum(open_there) == 8
    await close_all(streams)


async def test_nothing_listens_unless_it_is_asked_to(
    redis: RedisServer, new_server: NewServer, port: int
) -> None:
    server = new_server(redis.url)
    await asyncio.to_thread(server.start)
    with pytest.raises(ConnectionRefusedError):
        socket.create_connection(("127.0.0.1", port), 1)
