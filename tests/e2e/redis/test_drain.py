from __future__ import annotations

import asyncio
import os
import signal
import time
from collections.abc import Callable
from contextlib import AsyncExitStack
from pathlib import Path

import pytest

from tests.clients import Follower, close_all, open_many
from tests.e2e.redis.publisher import Publisher
from tests.redis_servers import RedisServer
from tests.servers import NewServer, Server, wait_until

pytestmark = pytest.mark.alone

STREAMS = 500
SECONDS = 3
RESTART_SECONDS = 20
TARGET = "/sse/stream?group=news.updates&group=demo.todo.*"
GROUPS = ["news.updates", "demo.todo.7"]


# A62
@pytest.mark.parametrize("loop", ["asyncio", "uvloop"])
async def test_all_streams_of_two_workers_are_told_to_come_back_and_both_end_in_time(
    redis: RedisServer, new_server: NewServer, loop: str
) -> None:
    server = new_server(redis.url, ["--workers", "2", "--loop", loop])
    await asyncio.to_thread(server.start)
    streams = await open_many(server.url + TARGET, STREAMS)
    workers = server.workers
    assert len(workers) == 2
    begun = time.monotonic()
    assert await asyncio.to_thread(server.stop) == 0
    assert time.monotonic() - begun < SECONDS
    assert not any(is_there(pid) for pid in workers)
    retries = set()
    for stream in streams:
        farewell = (await stream.until("stream-close"))[-1]
        assert farewell.data["reason"] == "shutdown"
        assert 500 <= farewell.data["retry"] <= 3000
        retries.add(farewell.data["retry"])
        with pytest.raises(EOFError):
            await stream.next()
    assert len(retries) > STREAMS / 2  # so that they don't all come at once
    await close_all(streams)


def is_there(pid: int) -> bool:
    return Path(f"/proc/{pid}").exists()


def runs(pid: int) -> bool:
    return Path(f"/proc/{pid}").exists()


def restart_all(server: Server) -> None:
    os.kill(server.pid, signal.SIGHUP)


def stop_one(server: Server) -> None:
    os.kill(server.workers[0], signal.SIGTERM)


def kill_one(server: Server) -> None:
    os.kill(server.workers[0], signal.SIGKILL)


# A62
@pytest.mark.parametrize("loop", ["asyncio", "uvloop"])
@pytest.mark.parametrize(
    ("restart", "replaced"), [(restart_all, 2), (stop_one, 1), (kill_one, 1)]
)
async def test_nothing_is_lost_while_workers_are_replaced(
    redis: RedisServer,
    new_server: NewServer,
    publisher: Publisher,
    restart: Callable[[Server], None],
    replaced: int,
    loop: str,
) -> None:
    server = new_server(redis.url, ["--workers", "2", "--loop", loop])
    await asyncio.to_thread(server.start)
    before = set(server.workers)
    stopping = asyncio.Event()

    async def publish() -> None:
        number = 0
        while not stopping.is_set():
            await publisher.insist(server, *GROUPS, key=str(number), seconds=10)
            number += 1

    async with AsyncExitStack() as stack:
        followers = [
            await stack.enter_async_context(Follower(server.url + TARGET))
            for _ in range(20)
        ]
        publishing = asyncio.create_task(publish())
        restart(server)
        await asyncio.to_thread(
            wait_until,
            lambda: (
                len(set(server.workers) - before) == replaced
                and len(server.workers) == 2
            ),
            RESTART_SECONDS,
        )
        stopping.set()
        await publishing
        last = await publisher.insist(server, *GROUPS, key="last")
        for follower in followers:
            await follower.reaches(last[-1])
            assert follower.types("stream-reset") == []
            assert follower.ids == sorted(publisher.acknowledged)
        assert any(follower.endings for follower in followers)
