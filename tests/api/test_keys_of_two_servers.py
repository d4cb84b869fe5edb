"""Two servers over one Redis and one database, which agree on keys and repetitions."""

from __future__ import annotations

import asyncio
import subprocess
import time
from collections import Counter
from collections.abc import AsyncIterator, Iterator

import httpx
import pytest

from tests.clients import Stream
from tests.e2e.redis.conftest import NewPair, new_pair_of_pages, redis
from tests.redis_servers import RedisServer
from tests.servers import Server

__all__ = ["new_pair_of_pages", "redis"]

ADDRESS = "/api/v1/groups/news.updates/data-changed"
REPEATED = 40


@pytest.fixture
def servers(redis: RedisServer, new_pair_of_pages: NewPair) -> Iterator[list[Server]]:
    with new_pair_of_pages(redis.url) as servers:
        yield servers


@pytest.fixture
async def client() -> AsyncIterator[httpx.AsyncClient]:
    async with httpx.AsyncClient(timeout=5) as client:
        yield client


async def manage(server: Server, *arguments: str) -> str:
    return (await asyncio.to_thread(server.manage, *arguments)).strip()


async def published(
    client: httpx.AsyncClient, server: Server, headers: dict[str, str]
) -> httpx.Response:
    body = {"data": {"headline": "Hello"}}
    return await client.post(server.url + ADDRESS, json=body, headers=headers)


# A71
async def test_the_same_request_to_both_at_the_same_moment_publishes_once(
    servers: list[Server], client: httpx.AsyncClient
) -> None:
    stream = await Stream.open(f"{servers[0].url}/sse/groups/news.updates")
    await stream.until("keep-alive")
    heard = Counter[str]()
    for number in range(REPEATED):
        headers = {"Idempotency-Key": f"order {number}", **servers[0].headers}
        answers = await asyncio.gather(
            *(published(client, server, headers) for server in servers)
        )
        bodies = [answer.raise_for_status().json() for answer in answers]
        assert bodies[0]["id"] == bodies[1]["id"]
        assert sorted(body["duplicate"] for body in bodies) == [False, True]
        heard[bodies[0]["id"]] += 1
    ids = Counter(event.id for event in await stream.take(REPEATED))
    assert ids == heard
    await stream.close()


# A73
async def test_both_refuse_a_key_within_a_second_of_its_revocation(
    servers: list[Server], client: httpx.AsyncClient
) -> None:
    create = [
        "create",
        "stock",
        "--scope=publish",
        "--scope=subscribe",
        "--group",
        "news.*",
    ]
    key = await manage(servers[0], "sse_api_key", *create)
    headers = {"Authorization": f"Bearer {key}"}
    for server in servers:
        assert (await published(client, server, headers)).status_code == 202
    streams = [
        await Stream.open(f"{server.url}/sse/groups/news.updates", headers)
        for server in servers
    ]
    for stream in streams:
        await stream.until("keep-alive")
    revoking = asyncio.create_task(manage(servers[1], "sse_api_key", "revoke", "stock"))
    ends = [(await stream.until("stream-close"))[-1] for stream in streams]
    heard = time.monotonic()
    for server in servers:
        assert (await published(client, server, headers)).status_code == 401
    assert time.monotonic() - heard < 1
    await revoking
    assert [end.data["reason"] for end in ends] == ["regrant", "regrant"]
    for server, stream in zip(servers, streams, strict=True):
        await stream.close()
        again = await Stream.open(f"{server.url}/sse/groups/news.updates", headers)
        error = (await again.until("stream-error"))[-1]
        assert error.data["condition"] == "forbidden"
        await again.close()
        assert key not in server.log
        assert key.rpartition("_")[2] not in server.log


# Who hears nothing of it, because Redis is away, finds out from the database.
# A73
async def test_a_key_that_is_revoked_while_redis_is_away_is_refused_when_it_is_back(
    servers: list[Server], client: httpx.AsyncClient, redis: RedisServer
) -> None:
    create = ["create", "stock", "--scope", "publish", "--group", "news.*"]
    key = await manage(servers[0], "sse_api_key", *create)
    headers = {"Authorization": f"Bearer {key}"}
    assert (await published(client, servers[0], headers)).status_code == 202
    redis.kill()
    try:
        await manage(servers[1], "sse_api_key", "revoke", "stock")
    except subprocess.CalledProcessError as failed:
        pytest.fail(f"It could not be revoked:\n{failed.stderr}")
    redis.start()

    async def is_refused() -> bool:
        return (await published(client, servers[0], headers)).status_code == 401

    async with asyncio.timeout(15):  # 503, and for ten seconds at most 202
        while not await is_refused():  # noqa: ASYNC110  # nobody announces it
            await asyncio.sleep(0.1)
