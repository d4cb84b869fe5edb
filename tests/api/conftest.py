"""Fixtures: a process that serves streams, a system that publishes, what was heard."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable

import pytest
from pytest_django import Settings

from sse_components import runtime
from sse_components.events import Event
from sse_components.hub import Hub
from tests.api.clients import KEY, System

Heard = Callable[..., Awaitable[list[Event]]]


@pytest.fixture
def system(settings: Settings) -> System:
    settings.SSE_API_KEY = KEY
    settings.SSE_API_RATE = 0
    return System()


@pytest.fixture
async def hub() -> AsyncIterator[Hub]:
    yield await runtime.start()
    await runtime.stop()


@pytest.fixture
async def heard(hub: Hub) -> Heard:
    """Returns what was published to groups; without any, to all below `news`."""
    feed = await runtime.broker().feed()
    cursor = await feed.subscribe(["news.*"])

    async def heard(*groups: str) -> list[Event]:
        answer = await runtime.broker().resume(cursor, groups or ["news.*"], 2000)
        assert not answer.lost
        return list(answer.events)

    return heard
