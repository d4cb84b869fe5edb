"""Whole worlds: what clients behind a Pushpin have had in the end."""

from __future__ import annotations

import asyncio
import random
from contextlib import AsyncExitStack

import pytest

from tests.edge.followers import Follower
from tests.edge.worlds import World

pytestmark = [pytest.mark.alone, pytest.mark.timeout(120)]

CLIENTS = 8
ROUNDS = 25
GROUPS = ["news.a", "news.b", "news.c", "news.d"]


async def test_every_event_comes_once_whatever_drops(world: World) -> None:
    ids: dict[str, list[str]] = {}

    async def publish(round: int) -> None:
        chosen = [random.choice([*GROUPS, f"demo.todo.{round % 3}"]) for _ in range(3)]
        events = [(group, f"{round}%I 100 % ü") for group in chosen]
        for group, id in zip(chosen, await world.publish(*events), strict=True):
            ids.setdefault(group, []).append(id)

    followers = [
        Follower(world.url, [GROUPS[n % 4], GROUPS[(n + 1) % 4], "demo.todo.*"])
        for n in range(CLIENTS)
    ]
    async with AsyncExitStack() as stack:
        for follower in followers:
            await stack.enter_async_context(follower)
        for start in range(0, ROUNDS * 4, 4):
            await asyncio.gather(*(publish(start + n) for n in range(4)))
            for follower in random.sample(followers, 2):
                await follower.drop()
            await asyncio.sleep(0.15)
        for follower in followers:
            wanted = [
                id
                for group, several in ids.items()
                if group in follower.groups or group.startswith("demo.todo.")
                for id in several
            ]
            await follower.has(wanted, 30)
            follower.assert_exact(wanted)
            assert "stream-reset" not in follower.types
            assert follower.connections > 1
