from __future__ import annotations

import httpx

from tests.clients import Stream
from tests.servers import Server


async def test_what_is_published_over_rest_arrives(server: Server) -> None:
    stream = await Stream.open(f"{server.url}/sse/groups/news.updates")
    await stream.until("keep-alive")
    async with httpx.AsyncClient(headers=server.headers) as client:
        answer = await client.post(
            f"{server.url}/api/v1/groups/news.updates/data-changed",
            json={"data": {"headline": "Hello"}},
        )
    assert answer.status_code == 202
    (event,) = await stream.take(1)
    assert event.id == answer.json()["id"]
    assert event.data["payload"] == {"data": {"headline": "Hello"}, "update": False}
    await stream.close()
