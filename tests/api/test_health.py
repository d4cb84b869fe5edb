from __future__ import annotations

import asyncio
import socket
from collections.abc import AsyncIterator, Iterator
from contextlib import closing

import pytest
from pytest_django import Settings

from api.health import BROKER_SECONDS
from sse_components import runtime
from sse_components.hub import Hub
from tests.api.clients import System
from tests.redis_servers import RedisServer

READY = "/health/ready"
STRANGER = System(headers={})
"""Whoever probes has no key."""


@pytest.fixture
async def _lets_go() -> AsyncIterator[None]:
    yield
    await runtime.stop()


@pytest.fixture
def silent() -> Iterator[socket.socket]:
    """A port that takes connections and never answers."""
    with closing(socket.create_server(("127.0.0.1", 0))) as listener:
        yield listener


def redis_at(listener: socket.socket) -> dict[str, str]:
    return {"BROKER_URL": f"redis://127.0.0.1:{listener.getsockname()[1]}/0"}


async def asked(address: str) -> dict[str, str]:
    """Return what the answer to a probe says, which has to be in time."""
    async with asyncio.timeout(BROKER_SECONDS + 1):
        answer = await STRANGER.request("GET", address)
    body: dict[str, str] = answer.body
    return body


async def refused() -> str:
    """Return why the process is not ready."""
    async with asyncio.timeout(BROKER_SECONDS + 1):
        answer = await STRANGER.request("GET", READY)
    assert int(answer.headers["Retry-After"]) >= 1
    return str(answer.problem(503)["detail"])


async def test_a_process_that_answers_is_alive() -> None:
    assert await asked("/health/live") == {"status": "ok"}


async def test_a_process_that_serves_streams_is_ready(hub: Hub) -> None:
    assert await asked(READY) == {"status": "ok"}


# A62
async def test_a_process_that_drains_is_alive_and_not_ready(hub: Hub) -> None:
    await hub.drain(0)
    assert "stop" in await refused()
    assert await asked("/health/live") == {"status": "ok"}


async def test_where_nobody_would_hear_an_event_nothing_is_ready() -> None:
    await refused()


@pytest.mark.usefixtures("_lets_go")
async def test_a_process_that_only_publishes_over_redis_is_ready(
    settings: Settings, redis_server: RedisServer
) -> None:
    settings.SSE_COMPONENTS = {
        "BROKER_URL": redis_server.url,
        "KEY_PREFIX": "health",
    }
    assert await asked(READY) == {"status": "ok"}


@pytest.mark.usefixtures("_lets_go")
async def test_without_its_broker_a_process_is_not_ready(
    settings: Settings, silent: socket.socket
) -> None:
    settings.SSE_COMPONENTS = redis_at(silent)
    silent.close()
    await refused()
    assert await asked("/health/live") == {"status": "ok"}


@pytest.mark.usefixtures("_lets_go")
async def test_a_broker_that_does_not_answer_is_not_waited_for(
    settings: Settings, silent: socket.socket, caplog: pytest.LogCaptureFixture
) -> None:
    settings.SSE_COMPONENTS = redis_at(silent)
    detail = await refused()
    assert "redis" not in detail.lower()
    assert f"{BROKER_SECONDS} s" in caplog.text


async def test_probes_have_no_rate(settings: Settings, hub: Hub) -> None:
    settings.SSE_API_RATE = 1e-9
    for _ in range(3):
        assert await asked(READY) == {"status": "ok"}
        assert await asked("/health/live") == {"status": "ok"}
