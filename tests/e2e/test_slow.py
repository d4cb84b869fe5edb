from __future__ import annotations

import asyncio
import time
from typing import Any

import httpx
import pytest

from tests.clients import Received, Stream
from tests.servers import NewServer, Server

GROUP = "news.updates"
EVENTS = 3000
BATCH = 250
BODY = "x" * 4096
MEBIBYTE = 1024 * 1024


def events(first: int, count: int, body: str = "") -> list[dict[str, Any]]:
    return [
        {
            "type": "component.data_changed",
            "group": GROUP,
            "data": {"number": number, "body": body},
        }
        for number in range(first, first + count)
    ]


async def publish(
    client: httpx.AsyncClient, server: Server, batch: list[dict[str, Any]]
) -> list[str]:
    """Publish a batch and return the ids."""
    answer = await client.post(f"{server.url}/api/v1/events", json={"events": batch})
    assert answer.status_code == 202
    return [result["id"] for result in answer.json()["results"]]


def numbers(received: list[Received]) -> list[int]:
    return [event.data["payload"]["data"]["number"] for event in received]


# A7
async def test_a_burst_arrives_in_order(server: Server) -> None:
    stream = await Stream.open(f"{server.url}/sse/groups/{GROUP}")
    await stream.until("keep-alive")
    async with httpx.AsyncClient(headers=server.headers) as client:
        ids = await publish(client, server, events(0, 100))
    received = await stream.take(100)
    assert [event.id for event in received] == ids
    assert numbers(received) == list(range(100))
    await stream.close()


# A8
@pytest.mark.alone
@pytest.mark.parametrize(("history", "resets"), [("1000", 1), ("5000", 0)])
async def test_a_client_that_stops_reading_harms_nobody_and_misses_nothing_silently(
    new_server: NewServer, history: str, resets: int
) -> None:
    server = new_server(SSE_HISTORY_SIZE=history)
    server.start()
    url = f"{server.url}/sse/groups/{GROUP}"
    slow = await Stream.open(url, window=4096)
    quick = await Stream.open(url)
    for stream in (slow, quick):
        await stream.until("keep-alive")
    async with httpx.AsyncClient(headers=server.headers, timeout=30) as client:
        ids = await publish(client, server, events(0, BATCH, BODY))
        await quick.take(BATCH)  # what is made once is made by now
        memory = server.memory
        begun = time.monotonic()
        reading = asyncio.create_task(quick.take(EVENTS, seconds=30))
        for first in range(BATCH, BATCH + EVENTS, BATCH):
            ids += await publish(client, server, events(first, BATCH, BODY))
        assert [event.id for event in await reading] == ids[BATCH:]
        assert time.monotonic() - begun < 20
        assert server.memory - memory < 60 * MEBIBYTE

        # It reads again.
        seen = await slow.next()
        caught_up = [seen]
        while seen.type != "keep-alive" or (seen.id or "") < ids[-1]:
            caught_up.append(seen := await slow.next())
        assert len([e for e in caught_up if e.type == "stream-reset"]) == resets
        _assert_that_nothing_is_missing_silently(caught_up, ids)
        (live,) = await publish(client, server, events(0, 1))
        for stream in (slow, quick):
            (event,) = await stream.take(1)
            assert event.id == live
    await slow.close()
    await quick.close()
    assert "Traceback" not in server.log


def _assert_that_nothing_is_missing_silently(
    received: list[Received], ids: list[str]
) -> None:
    positions = [event.id or "" for event in received]
    assert positions == sorted(positions)
    expected = list(ids)
    for event in received:
        if event.type == "stream-reset":
            assert event.data["groups"] == [GROUP]
            expected = [id for id in ids if id > (event.id or "")]
        elif event.type == "component.data_changed":
            assert event.id == expected.pop(0)
    assert expected == []
