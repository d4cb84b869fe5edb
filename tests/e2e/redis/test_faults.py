from __future__ import annotations

import asyncio
import random
from contextlib import AsyncExitStack

import pytest

from tests.clients import Follower
from tests.e2e.redis.publisher import Publisher
from tests.redis_servers import RedisServer
from tests.servers import Server

GROUPS = ["news.updates", "news.other", "demo.todo.7", "demo.todo.8"]
BATCH, BATCHES, SINGLES = 50, 190, 500
SECONDS = 50
SETTLE_SECONDS = 10
TARGETS = [
    "/sse/groups/news.updates",
    "/sse/stream?group=news.updates&group=news.other",
    "/sse/stream?group=demo.todo.7&group=demo.todo.*",
    "/sse/groups/demo.todo.*",
    "/sse/stream?group=news.updates&group=demo.todo.*&group=demo.todo.8",
    "/sse/stream?group=news.*&group=demo.todo.*&group=news.other",
]


async def publish_all(publisher: Publisher, pair: list[Server]) -> None:
    """Publish 10,000 events over both servers, single ones and batches."""

    async def publish(server: Server, sizes: list[int]) -> None:
        for size in sizes:
            await publisher.publish(server, *random.choices(GROUPS, k=size))

    sizes = [BATCH] * BATCHES + [1] * SINGLES
    random.shuffle(sizes)
    await asyncio.gather(*(publish(pair[n % 2], sizes[n::4]) for n in range(4)))


async def harm(redis: RedisServer, publishing: asyncio.Task[None]) -> int:
    """Kill connections to Redis at random moments; return how many were."""
    client = redis.client()
    killed = 0
    while not publishing.done():
        await asyncio.sleep(random.uniform(0, 0.2))
        kind = random.choice(["pubsub", "normal"])
        killed += client.client_kill_filter(_type=kind, skipme=True)
    client.close()
    return killed


# A59
@pytest.mark.timeout(2 * SECONDS)
async def test_every_client_ends_complete_or_reset_whatever_is_killed(
    pair: list[Server], redis: RedisServer, publisher: Publisher
) -> None:
    async with asyncio.timeout(SECONDS), AsyncExitStack() as stack:
        followers = [
            await stack.enter_async_context(Follower(pair[n % 2].url + target))
            for n, target in enumerate(TARGETS)
        ]
        publishing = asyncio.create_task(publish_all(publisher, pair))
        harming = asyncio.create_task(harm(redis, publishing))
        while len(publisher.acknowledged) < BATCH * BATCHES / 2:
            await asyncio.sleep(0.01)
            assert not publishing.done()
        with redis.client() as client:
            client.flushall()
        await publishing
        assert await harming > 10

        for server in pair:
            last = await publisher.insist(server, *GROUPS)
        for follower in followers:
            await follower.reaches(last[-1], SETTLE_SECONDS)
            follower.assert_complete_or_reset(publisher.acknowledged)
            assert follower.types("stream-reset")
        epochs = {id.partition(":")[0] for id in publisher.acknowledged}
        assert len(epochs) == 2
