from __future__ import annotations

import asyncio
import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.clients import Follower, Stream
from tests.e2e.redis.publisher import Publisher
from tests.redis_servers import BINARIES, NewRedisServer
from tests.servers import ROOT, NewServer

TARGET = "/sse/groups/news.updates"
BACK_SECONDS = 5
READY, LIVE = "/api/v1/health/ready", "/api/v1/health/live"
START_SECONDS = 20
PASSWORD = "a-very-secret-password"


# A60
async def test_a_server_starts_without_redis_and_streams_begin_once_it_is_there(
    new_redis_server: NewRedisServer, new_server: NewServer, publisher: Publisher
) -> None:
    redis = new_redis_server()
    server = new_server(redis.url)
    await asyncio.to_thread(server.start)
    assert await publisher.ask(server, "/") == 200
    assert await publisher.ask(server, READY) == 503
    assert await publisher.ask(server, LIVE) == 200
    assert await publisher.publish(server, "news.updates") == []
    stream = await Stream.open(server.url + TARGET)
    event = await stream.next()
    assert event.type == "stream-close"
    assert event.data["reason"] == "unavailable"
    assert event.data["retry"] >= 500
    with pytest.raises(EOFError):
        await stream.next()
    await stream.close()

    redis.start()
    async with asyncio.timeout(BACK_SECONDS), Follower(server.url + TARGET) as follower:
        await publisher.insist(server, "news.updates")
        assert await publisher.ask(server, READY) == 200
        ids = await publisher.publish(server, "news.updates")
        await follower.reaches(ids[0])
        follower.assert_complete_or_reset(publisher.acknowledged)
    assert server.stop() == 0


def test_a_server_does_not_start_over_a_redis_cluster(
    new_redis_server: NewRedisServer,
) -> None:
    redis = new_redis_server(["--cluster-enabled", "yes"], password=PASSWORD)
    redis.start()
    ended = subprocess.run(
        [sys.executable, "-m", "uvicorn", "project.asgi:application", "--port", "0"],
        cwd=ROOT,
        env=os.environ | {"SSE_BROKER_URL": redis.url},
        capture_output=True,
        text=True,
        timeout=START_SECONDS,
    )
    log = ended.stdout + ended.stderr
    assert ended.returncode != 0
    assert "Streams can't be served: Redis Cluster can't be used" in log
    assert log.count("ERROR:    Redis Cluster") == 1
    assert "Traceback" not in log
    assert PASSWORD not in log


@pytest.mark.parametrize("right", [True, False])
async def test_the_password_is_not_in_the_log(
    new_redis_server: NewRedisServer,
    new_server: NewServer,
    publisher: Publisher,
    right: bool,
) -> None:
    redis = new_redis_server(password=PASSWORD)
    redis.start()
    url = redis.url if right else redis.url.replace(PASSWORD, f"{PASSWORD}-not")
    server = new_server(url, ["--log-level", "trace"])
    await asyncio.to_thread(server.start)
    ids = await publisher.publish(server, "news.updates")
    assert bool(ids) is right
    stream = await Stream.open(server.url + TARGET)
    event = await stream.next()
    assert event.type == ("stream-open" if right else "stream-close")
    redis.kill()
    assert await publisher.publish(server, "news.updates") == []
    await stream.close()
    assert server.stop() == 0
    assert PASSWORD not in server.log


@pytest.mark.parametrize("binary", BINARIES.values(), ids=BINARIES)
def test_a_redis_that_evicts_is_warned_of_once(
    new_redis_server: NewRedisServer, new_server: NewServer, binary: Path
) -> None:
    options = ["--maxmemory", "50mb", "--maxmemory-policy", "allkeys-lru"]
    redis = new_redis_server(options, binary)
    redis.start()
    server = new_server(redis.url)
    server.start()
    assert server.stop() == 0
    assert server.log.count("allkeys-lru") == 1
    assert "should be noeviction" in server.log
