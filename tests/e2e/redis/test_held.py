from __future__ import annotations

import asyncio

from tests.clients import Received, Stream
from tests.e2e.redis.publisher import Publisher
from tests.redis_servers import RedisServer
from tests.servers import NewServer

MEMORY_SECONDS = 7
"""As short as it may be: every 5 seconds a process says what it still hears."""
HELD_SECONDS = 15
TARGETS = [
    "/sse/groups/news.updates?",
    "/sse/groups/demo.todo.*?",
    "/sse/stream?group=news.updates&group=demo.todo.*",
]


def seq(event: Received) -> int:
    assert event.id
    return int(event.id.partition(":")[2])


# A13
async def test_a_stream_that_was_idle_for_longer_than_groups_are_remembered_delivers(
    redis: RedisServer, new_server: NewServer, publisher: Publisher
) -> None:
    server = new_server(
        redis.url,
        HISTORY_SECONDS=1,
        GROUP_MEMORY_SECONDS=MEMORY_SECONDS,
        KEEP_ALIVE_SECONDS=1,
    )
    await asyncio.to_thread(server.start)
    streams = [await Stream.open(server.url + target) for target in TARGETS]
    resuming = [await Stream.open(server.url + target) for target in TARGETS]
    begun = seq((await streams[0].until("keep-alive"))[-1])
    async with asyncio.timeout(2 * HELD_SECONDS):
        for stream in [*streams, *resuming]:
            while seq(alive := await stream.next()) < begun + HELD_SECONDS * 1e6:
                assert alive.type in ("stream-open", "keep-alive")
    for target, stream in zip(TARGETS, resuming, strict=True):
        cursor = stream.cursor
        await stream.close()
        again = await Stream.open(f"{server.url}{target}&lastEventId={cursor}")
        events = await again.until("keep-alive")
        assert [event.type for event in events] == ["stream-open", "keep-alive"]
        assert events[0].id == cursor
        await again.close()
    ids = await publisher.publish(server, "demo.todo.7", "news.updates")
    for stream, expected in zip(streams, [ids[1:], ids[:1], ids], strict=True):
        assert [event.id for event in await stream.take(len(expected))] == expected
        await stream.close()
