from __future__ import annotations

import asyncio

import httpx

from tests.clients import close_all, open_many
from tests.servers import Server, wait_until

STREAMS = 500
USERS = 50


def database_connections(server: Server) -> int:
    return sum(name.endswith("/db.sqlite3") for name in server.files)


# A63
async def test_threads_and_database_connections_do_not_grow_with_streams(
    server: Server,
) -> None:
    users = server.log_in(USERS)
    url = f"{server.url}/sse/stream?group=news.updates"
    async with httpx.AsyncClient(headers=server.headers) as client:
        # What is there once and for all is there after this.
        none = server.sockets
        await close_all(await open_many(url, 200, users))
        await _publish(client, server)
        await asyncio.to_thread(wait_until, lambda: server.sockets <= none + 1)
        threads, connections = server.threads, database_connections(server)
        memory = server.memory

        streams = await open_many(url, STREAMS, users)
        for stream in streams:
            await stream.until("keep-alive")
        print(f"{(server.memory - memory) / STREAMS / 1024:.1f} KiB per idle stream")
        assert server.sockets >= none + STREAMS
        assert server.threads <= threads
        assert database_connections(server) <= connections

        id = await _publish(client, server)
        events = await asyncio.gather(*(stream.take(1) for stream in streams))
        assert [event.id for (event,) in events] == [id] * STREAMS

        await close_all(streams)
        await asyncio.to_thread(wait_until, lambda: server.sockets <= none + 1)


async def _publish(client: httpx.AsyncClient, server: Server) -> str:
    answer = await client.post(
        f"{server.url}/api/v1/groups/news.updates/notify", json={"event_name": "hello"}
    )
    assert answer.status_code == 202
    return str(answer.json()["id"])
