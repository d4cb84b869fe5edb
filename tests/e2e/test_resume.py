from __future__ import annotations

import httpx

from tests.clients import Stream
from tests.servers import NewServer, Server

TARGET = "/sse/stream?group=news.updates&group=news.other"
GROUPS = ["broadcast", "news.other", "news.updates"]


async def publish(server: Server, first: int, count: int) -> list[str]:
    """Publish to two groups in turn and return the ids."""
    events = [
        {
            "type": "notify",
            "group": ["news.updates", "news.other"][number % 2],
            "event_name": f"number-{number}",
        }
        for number in range(first, first + count)
    ]
    async with httpx.AsyncClient(headers=server.headers) as client:
        answer = await client.post(
            f"{server.url}/api/v1/events", json={"events": events}
        )
    assert answer.status_code == 202
    return [result["id"] for result in answer.json()["results"]]


async def resumed(server: Server, cursor: str | None) -> Stream:
    assert cursor
    return await Stream.open(server.url + TARGET, {"Last-Event-ID": cursor})


# A5
async def test_what_was_missed_arrives_once_and_in_order(server: Server) -> None:
    stream = await Stream.open(server.url + TARGET)
    await stream.until("keep-alive")
    seen = await publish(server, 0, 2)
    assert [event.id for event in await stream.take(2)] == seen
    cursor = stream.cursor
    await stream.close()

    missed = await publish(server, 2, 5)
    stream = await resumed(server, cursor)
    events = await stream.until("keep-alive")
    assert [event.type for event in events] == [
        "stream-open", *["notify"] * 5, "keep-alive"
    ]  # fmt: skip
    assert [event.id for event in events[:6]] == [cursor, *missed]
    live = await publish(server, 7, 1)
    assert [event.id for event in await stream.take(1)] == live
    await stream.close()


# A5
async def test_a_connection_that_is_cut_again_and_again_loses_nothing(
    server: Server,
) -> None:
    stream = await Stream.open(server.url + TARGET)
    cursor = (await stream.until("keep-alive"))[0].id
    await stream.close()
    ids = await publish(server, 0, 30)
    received: list[str | None] = []
    while len(received) < len(ids):
        stream = await resumed(server, cursor)
        event = await stream.next()
        assert event.id == cursor
        event = await stream.next()  # one at a time
        received.append(event.id)
        cursor = stream.cursor
        await stream.close()
    assert received == ids


# A6
async def test_a_trimmed_history_is_one_reset_of_its_group_and_then_live(
    new_server: NewServer,
) -> None:
    server = new_server(SSE_HISTORY_SIZE="3")
    server.start()
    before = await Stream.open(server.url + "/sse/stream")
    cursor = (await before.until("keep-alive"))[0].id
    await before.close()
    updates, others = [], []
    for number in range(0, 12, 2):
        updates += await publish(server, number, 1)  # six, of which three are left
    for number in range(1, 7, 2):
        others += await publish(server, number, 1)

    stream = await resumed(server, cursor)
    first, reset, *missed, complete = await stream.until("keep-alive")
    assert first.id == cursor
    assert reset.type == "stream-reset"
    assert reset.data["groups"] == ["news.updates"]
    assert reset.id is None
    assert [event.id for event in missed] == others
    assert complete.id
    assert complete.id >= others[-1]
    live = await publish(server, 12, 2)
    assert [event.id for event in await stream.take(2)] == live
    await stream.close()


async def test_a_server_that_forgot_all_resets_all_groups_from_its_position_on(
    own_server: Server,
) -> None:
    own_server.start()
    stream = await Stream.open(own_server.url + TARGET)
    await stream.until("keep-alive")
    cursor = (await publish(own_server, 0, 1))[0]
    await stream.take(1)
    own_server.stop()
    assert (await stream.next()).type == "stream-close"
    assert stream.cursor == cursor
    await stream.close()

    own_server.start()
    stream = await resumed(own_server, cursor)
    first, reset, complete = await stream.until("keep-alive")
    assert first.type == "stream-open"
    assert first.id is None
    assert reset.type == "stream-reset"
    assert reset.data["groups"] == reset.data["channels"] == GROUPS
    assert reset.id
    assert reset.id.partition(":")[0] != cursor.partition(":")[0]
    assert complete.id
    assert complete.id >= reset.id
    await stream.close()

    stream = await resumed(own_server, reset.id)
    events = await stream.until("keep-alive")
    assert [event.type for event in events] == ["stream-open", "keep-alive"]
    live = await publish(own_server, 1, 1)
    assert [event.id for event in await stream.take(1)] == live
    await stream.close()
