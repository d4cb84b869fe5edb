"""Bodies that are small to send, and would be much work."""

from __future__ import annotations

import asyncio
import json
import time
from typing import Any

import pytest

from sse_components.hub import Hub
from tests.api.clients import System

SECONDS = 3
"""How long nobody else may be served: it takes ten times as long without bounds."""

pytestmark = pytest.mark.django_db(transaction=True)


async def blocked(work: Any) -> float:
    """Return the longest time in which the loop did nothing else."""
    task, longest, last = asyncio.ensure_future(work), 0.0, time.monotonic()
    while not task.done():
        await asyncio.sleep(0.005)
        now = time.monotonic()
        longest, last = max(longest, now - last), now
    await task
    return longest


@pytest.mark.parametrize(
    "event",
    [
        {"groups": 1000 * ["a"]},
        {"groups": 1000 * [""]},
        {"groups": 1000 * [1]},
        {"users": 1000 * ["x"]},
    ],
)
async def test_a_batch_of_many_groups_is_refused_before_each_is_looked_at(
    system: System, hub: Hub, event: dict[str, Any]
) -> None:
    events = [{"type": "component.data_changed", **event}]
    body = json.dumps({"events": 500 * events}, separators=(",", ":")).encode()

    async def ask() -> None:
        answer = await system.post("/events", body)
        assert answer.pointers == ["/events"]

    assert await blocked(ask()) < SECONDS


@pytest.mark.parametrize(
    ("address", "body"),
    [
        ("/grants", {"groups": 400_000 * [""]}),
        ("/groups/news.a/data-changed", {f"a{n}": 1 for n in range(150_000)}),
    ],
)
async def test_a_body_with_many_faults_is_told_a_few(
    system: System, hub: Hub, address: str, body: Any
) -> None:
    answer = await system.post(address, body)
    assert answer.status == 422
    assert len(answer.text) < 100_000
