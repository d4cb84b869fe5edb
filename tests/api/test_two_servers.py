"""Two servers over one Redis, which agree on who is there."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import httpx
import pytest

from tests.clients import Stream
from tests.e2e.redis.conftest import new_server, redis
from tests.redis_servers import RedisServer
from tests.servers import NewServer, Server

__all__ = ["new_server", "redis"]

ROOM = "/sse/stream?group=news.room"
SETTINGS = {
    "PRESENCE_GROUPS": ["news.**"],
    "PRESENCE_LEASE_SECONDS": 3,
    "PRESENCE_GRACE_SECONDS": 0.5,
}


@pytest.fixture
async def servers(redis: RedisServer, new_server: NewServer) -> list[Server]:
    servers = [new_server(redis.url, **SETTINGS) for _ in range(2)]
    await asyncio.gather(*(asyncio.to_thread(server.start) for server in servers))
    return servers


@pytest.fixture
async def client() -> AsyncIterator[httpx.AsyncClient]:
    async with httpx.AsyncClient(timeout=5) as client:
        yield client


async def ask(
    client: httpx.AsyncClient, server: Server, method: str, path: str, **body: Any
) -> Any:
    answer = await client.request(
        method, f"{server.url}/api/v1{path}", json=body, headers=server.headers
    )
    assert answer.is_success, answer.text
    return answer.json() if answer.content else None


async def opened(server: Server, target: str, headers: dict[str, str]) -> Stream:
    stream = await Stream.open(server.url + target, headers)
    await stream.until("keep-alive")
    return stream


# A53, A23
async def test_two_servers_agree_on_who_is_there_and_who_has_to_go(
    servers: list[Server], client: httpx.AsyncClient
) -> None:
    logged_in = [
        (await asyncio.to_thread(server.log_in, 1))[0] for server in servers
    ]  # the same user: each has its copy of one database
    watching = [
        await opened(server, "/sse/groups/presence.users", server.headers)
        for server in servers
    ]
    tabs = [await opened(servers[0], ROOM, logged_in[0])]
    told = [(await stream.until("presence.online", 2))[-1] for stream in watching]
    assert told[0].id == told[1].id
    user = told[0].data["payload"]["user"]
    tabs.append(await opened(servers[1], ROOM, logged_in[1]))
    async with asyncio.timeout(10):
        while True:
            counts = [
                await ask(client, server, "GET", "/groups/news.room")
                for server in servers
            ]
            if all(count["subscribers"] == 2 for count in counts):
                break
            await asyncio.sleep(0.05)
    assert [count["members"] for count in counts] == [1, 1]
    for path in (f"/users/{user}/status", "/groups/news.room/members"):
        one, other = [await ask(client, server, "GET", path) for server in servers]
        assert one | {"last_id": ""} == other | {"last_id": ""}
        (one,) = one.get("members", [one])
        assert one["connections"] == 2
    await ask(client, servers[0], "POST", f"/users/{user}/disconnect")
    for stream in tabs:
        error = (await stream.until("stream-error", 1))[-1]
        assert error.data["condition"] == "revoked"
    told = [(await stream.until("presence.offline"))[-1] for stream in watching]
    assert told[0].id == told[1].id
    for stream in [*tabs, *watching]:
        await stream.close()


# A53
async def test_who_was_at_a_server_that_was_killed_is_offline_soon(
    servers: list[Server], client: httpx.AsyncClient
) -> None:
    killed, server = servers
    (logged_in,) = await asyncio.to_thread(killed.log_in, 1)
    watching = await opened(server, "/sse/groups/presence.users", server.headers)
    tab = await opened(killed, ROOM, logged_in)
    online = (await watching.until("presence.online", 2))[-1]
    killed.close()
    offline = (await watching.until("presence.offline", 8))[-1]
    assert offline.data["payload"]["user"] == online.data["payload"]["user"]
    user = offline.data["payload"]["user"]
    status = await ask(client, server, "GET", f"/users/{user}/status")
    assert status["online"] is False
    assert status["last_seen"] == offline.data["payload"]["last_seen"]
    await tab.close()
    await watching.close()


# A11
async def test_a_grant_of_one_server_opens_streams_at_the_other(
    servers: list[Server], client: httpx.AsyncClient
) -> None:
    body = {"groups": ["private.room"]}
    answer = await ask(client, servers[0], "POST", "/grants", **body)
    assert answer["stream_url"].startswith(f"{servers[0].url}/sse/stream?grant=")
    target = f"/sse/stream?grant={answer['grant']}"
    stream = await Stream.open(servers[1].url + target)
    assert (await stream.next()).data["groups"] == ["private.room"]
    await stream.close()
