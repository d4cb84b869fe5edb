"""What is killed, missing, trimmed or forgotten costs time, and no events."""

from __future__ import annotations

import asyncio
import time
from pathlib import Path

import pytest

from tests.clients import Stream
from tests.edge.followers import Follower
from tests.edge.worlds import World, WSGIServer
from tests.redis_servers import RedisServer
from tests.servers import Server

pytestmark = [pytest.mark.alone, pytest.mark.timeout(90)]

NAMES = ["news.a", "demo.todo.*"]


async def test_without_a_relay_events_come_late_and_none_is_lost(
    tmp_path: Path, redis_server: RedisServer
) -> None:
    world = World(tmp_path, WSGIServer, redis_server, GRIP_SECONDS="2")
    with world.running():
        async with Follower(world.url, NAMES) as follower:
            ids = await world.publish(("news.a", "one"))
            await follower.has(ids)
            world.kill_relays()
            ids += await world.publish(("news.a", "two"), ("demo.todo.1", "three"))
            await follower.has(ids, 8)
            ids += await world.publish(("demo.todo.1", "four"))
            await follower.has(ids, 8)
            world.start_relay()
            world.start_relay()  # two do no harm
            began = time.monotonic()
            for number in range(20):
                ids += await world.publish(
                    ("news.a", f"{number}"), ("demo.todo.2", "x")
                )
            await follower.has(ids)
            assert time.monotonic() - began < 10
            follower.assert_exact(ids)
            assert follower.connections == 1


async def test_a_relay_that_is_killed_and_started_again_loses_nothing(
    own_world: World,
) -> None:
    with own_world.running():
        async with Follower(own_world.url, NAMES) as follower:
            ids = []
            for round in range(3):
                ids += await own_world.publish(
                    ("news.a", f"{round}"), ("demo.todo.1", "1")
                )
                own_world.kill_relays()
                ids += await own_world.publish(("news.a", "meanwhile"))
                own_world.start_relay()
                ids += await own_world.publish(("demo.todo.2", "after"))
            await follower.has(ids)
            follower.assert_exact(ids)
            assert follower.connections == 1


async def test_behind_a_pushpin_that_was_killed_clients_resume(
    own_world: World,
) -> None:
    with own_world.running():
        async with Follower(own_world.url, NAMES) as follower:
            ids = await own_world.publish(("news.a", "one"), ("demo.todo.1", "two"))
            await follower.has(ids)
            own_world.pushpin.kill()
            ids += await own_world.publish(("news.a", "three"), ("demo.todo.1", "four"))
            await asyncio.to_thread(own_world.pushpin.start, own_world.server.port)
            await follower.has(ids)
            ids += await own_world.publish(("demo.todo.2", "five"), ("news.a", "six"))
            await follower.has(ids)
            follower.assert_exact(ids)
            assert "stream-reset" not in follower.types


@pytest.mark.parametrize("kind", [Server, WSGIServer])
async def test_a_restart_of_the_server_cuts_no_stream(
    tmp_path: Path, redis_server: RedisServer, kind: type[Server]
) -> None:
    world = World(tmp_path, kind, redis_server)
    with world.running():
        async with Follower(world.url, NAMES) as follower:
            ids = await world.publish(("news.a", "one"))
            await follower.has(ids)
            assert await asyncio.to_thread(world.server.stop) == 0
            await asyncio.to_thread(world.server.start)
            ids += await world.publish(("news.a", "two"), ("demo.todo.1", "three"))
            await follower.has(ids)
            follower.assert_exact(ids)
            assert follower.connections == 1


async def test_what_was_trimmed_resets_its_group_alone(
    tmp_path: Path, redis_server: RedisServer
) -> None:
    world = World(tmp_path, Server, redis_server, SSE_HISTORY_SIZE="10")
    with world.running():
        async with Follower(world.url, ["news.a", "news.b"]) as follower:
            ids = await world.publish(("news.a", "one"), ("news.b", "two"))
            await follower.has(ids)
            cursor = follower.cursor
        lost = await world.publish(*(("news.a", f"{number}") for number in range(30)))
        kept = await world.publish(*(("news.b", f"{number}") for number in range(5)))
        async with Follower(world.url, ["news.a", "news.b"], cursor) as follower:
            await follower.has(kept)
            kept += await world.publish(("news.a", "again"))
            await follower.has(kept)
            follower.assert_exact(kept)
            assert not set(lost) & set(follower.ids)
            (reset,) = [one for one in follower.frames if one.type == "stream-reset"]
            assert reset.data["groups"] == ["news.a"]


async def test_a_broker_that_has_lost_its_memory_resets_all_that_ask(
    own_world: World,
) -> None:
    assert own_world.redis
    with own_world.running():
        async with Follower(own_world.url, ["news.a", "news.b"]) as follower:
            ids = await own_world.publish(("news.a", "one"), ("news.b", "two"))
            await follower.has(ids)
            with own_world.redis.client() as client:
                client.flushall()
            ids += await own_world.publish(("news.a", "three"))
            await follower.until(lambda: "stream-reset" in follower.types)
            ids += await own_world.publish(("news.a", "four"), ("news.b", "five"))
            await follower.has(ids[3:])
            assert len(follower.ids) == len(set(follower.ids))
            reset = [one for one in follower.frames if one.type == "stream-reset"]
            groups = {group for one in reset for group in one.data["groups"]}
            assert groups == {"broadcast", "news.a", "news.b"}
            assert follower.connections == 1


async def test_a_client_moves_between_the_proxy_and_the_server(
    tmp_path: Path, redis_server: RedisServer
) -> None:
    world = World(tmp_path, Server, redis_server)
    with world.running():
        follower = Follower(world.url, ["news.a", "news.b", "demo.todo.*"])
        follower.urls.append(world.server.url)
        async with follower:
            ids: list[str] = []
            for round in range(8):
                for group in ("news.a", "news.b", f"demo.todo.{round}"):
                    ids += await world.publish((group, "before"), ("news.a", "and"))
                if round % 2:
                    await follower.has(ids)
                await follower.drop()
                ids += await world.publish(("news.a", "during"), ("news.b", "it"))
            await follower.has(ids)
            follower.assert_exact(ids)
            assert follower.connections > 3
            assert "stream-reset" not in follower.types
            ids_on_the_wire = [event.id or "" for event in follower.events]
            assert any("," in id for id in ids_on_the_wire)
            assert any("," not in id for id in ids_on_the_wire)


async def test_a_visitors_stream_is_decided_on_anew_after_a_while(
    tmp_path: Path, redis_server: RedisServer
) -> None:
    environment = {"ROTATE_SECONDS": "3", "GRIP_SECONDS": "1"}
    world = World(tmp_path, WSGIServer, redis_server, **environment)
    with world.running():
        stream = await Stream.open(f"{world.url}/sse/stream", world.visitor)
        await stream.until("keep-alive")
        frame = await stream.next(8)
        assert (frame.type, frame.data["reason"]) == ("stream-close", "rotated")
        with pytest.raises(EOFError):
            await stream.next()
        await stream.close()


async def test_it_is_said_that_a_stream_is_alive(
    tmp_path: Path, redis_server: RedisServer
) -> None:
    world = World(tmp_path, WSGIServer, redis_server, KEEP_ALIVE_SECONDS="1")
    with world.running():
        async with Follower(world.url, NAMES) as follower:
            cursor = follower.cursor
            await follower.until(lambda: follower.types.count("keep-alive") == 3, 8)
            assert follower.frames[-1].id is None  # it can't say how far that is
            assert follower.cursor == cursor


async def test_a_relay_waits_for_the_broker_and_goes_on_after_it_was_away(
    tmp_path: Path,
) -> None:
    (tmp_path / "redis").mkdir()
    redis = RedisServer(tmp_path / "redis")
    redis.start()
    world = World(tmp_path, WSGIServer, redis)
    try:
        with world.running():
            async with Follower(world.url, ["news.a"]) as follower:
                ids = await world.publish(("news.a", "one"))
                await follower.has(ids)
                world.kill_relays()
                redis.stop()
                starting = asyncio.create_task(asyncio.to_thread(world.start_relay))
                await asyncio.sleep(1)
                redis.start()  # empty, so that all begins anew
                await starting
                await follower.until(lambda: "stream-reset" in follower.types)
                for _ in range(2):
                    ids += await world.publish(("news.a", "more"))
                await follower.has(ids)
                redis.pause()
                await asyncio.sleep(1)
                redis.go_on()
                ids += await world.publish(("news.a", "last"))
                await follower.has(ids)
                assert len(follower.ids) == len(set(follower.ids))
    finally:
        redis.close()
