from __future__ import annotations

import asyncio
from collections.abc import Iterator

import pytest
import redis
import redis.asyncio
from redis.backoff import NoBackoff
from redis.retry import Retry

from tests.redis_servers import BINARIES, NewRedisServer, RedisServer


@pytest.fixture
def server(new_redis_server: NewRedisServer) -> RedisServer:
    server = new_redis_server()
    server.start()
    return server


@pytest.fixture
def client(server: RedisServer) -> Iterator[redis.Redis]:
    client = server.client()
    yield client
    client.close()


def version(server: RedisServer) -> str:
    """Return what the server says it is, such as `valkey-8.1.8`."""
    client = server.client()
    about = client.info("server")
    client.close()
    name = about.get("server_name", "redis")
    return f"{name}-{about[f'{name}_version']}"


@pytest.mark.parametrize("name", BINARIES)
def test_each_binary_is_the_server_that_it_is_called(
    new_redis_server: NewRedisServer, name: str
) -> None:
    server = new_redis_server(binary=BINARIES[name])
    server.start()
    assert version(server).startswith(f"{name}.")


def test_a_server_that_was_killed_is_empty_when_it_is_started_again(
    server: RedisServer, client: redis.Redis
) -> None:
    client.set("key", "value")
    url = server.url
    server.kill()
    with pytest.raises(redis.ConnectionError):
        client.ping()
    server.start()
    assert server.url == url
    assert client.dbsize() == 0


def test_a_server_that_is_stopped_ends_in_order_and_is_empty_afterwards_too(
    server: RedisServer, client: redis.Redis
) -> None:
    client.set("key", "value")
    assert server.stop() == 0
    assert "User requested shutdown" in server.log
    server.start()
    assert client.dbsize() == 0


def test_a_server_that_is_paused_answers_nobody_until_it_goes_on(
    server: RedisServer, client: redis.Redis
) -> None:
    client.set("key", "value")
    server.pause()
    with pytest.raises(redis.TimeoutError):
        client.get("key")
    server.go_on()
    assert client.get("key") == b"value"


def test_a_server_that_is_paused_can_be_closed(server: RedisServer) -> None:
    server.pause()
    server.close()
    server.start()
    assert version(server)


def test_options_are_those_of_its_command_line(
    new_redis_server: NewRedisServer,
) -> None:
    options = ["--maxmemory-policy", "allkeys-lru", "--cluster-enabled", "yes"]
    server = new_redis_server(options)
    server.start()
    client = server.client()
    assert client.info("memory")["maxmemory_policy"] == "allkeys-lru"
    assert client.info("cluster")["cluster_enabled"] == 1
    client.close()


def test_a_password_is_asked_for_and_in_the_url(
    new_redis_server: NewRedisServer,
) -> None:
    server = new_redis_server(password="secret")
    server.start()
    assert version(server)
    stranger = redis.Redis(port=server.port, retry=Retry(NoBackoff(), 0))
    with pytest.raises(redis.AuthenticationError):
        stranger.ping()
    stranger.close()


def test_a_server_that_cannot_start_says_why(new_redis_server: NewRedisServer) -> None:
    server = new_redis_server(["--no-such-option", "yes"])
    with pytest.raises(AssertionError, match="Bad directive"):
        server.start()


async def test_behind_tls_the_server_is_reached_by_who_trusts_it(
    tls_redis_url: str,
) -> None:
    async with redis.asyncio.from_url(tls_redis_url) as client:
        assert await client.ping()


async def test_behind_tls_a_blocking_client_has_a_thread(tls_redis_url: str) -> None:
    with redis.from_url(tls_redis_url) as client:
        assert await asyncio.to_thread(client.ping)


async def test_behind_tls_the_server_is_a_stranger_to_who_does_not(
    tls_redis_url: str,
) -> None:
    url, _, _ = tls_redis_url.partition("?")
    async with redis.asyncio.from_url(url) as client:
        with pytest.raises(redis.ConnectionError, match="certificate verify failed"):
            await client.ping()
