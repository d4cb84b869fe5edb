"""What happens to a world, one thing at a time."""

from __future__ import annotations

import asyncio
import os
import signal
from collections.abc import Awaitable, Callable
from dataclasses import dataclass

from tests.chaos.world import World
from tests.clients import Stream

QUIET_SECONDS = 3
"""Before something happens, and after it."""
DROP_SECONDS, DROP_EVERY, DROPS = 2, 10, 3
STALL_SECONDS = 5
STORM = 2_000
STALLED = 0.01
WINDOW = 2_048


@dataclass(frozen=True)
class Fault:
    """Something that happens, and the load that it happens to."""

    name: str
    what: str
    act: Callable[[World], Awaitable[None]]
    visitors: int | None = None
    seconds_between: float = 0.02

    async def happen(self, world: World) -> None:
        await asyncio.sleep(QUIET_SECONDS)
        await self.act(world)
        await asyncio.sleep(QUIET_SECONDS)


async def _nothing(world: World) -> None:
    await asyncio.sleep(STALL_SECONDS)


async def _rolling_restart(world: World) -> None:
    for server in world.servers:
        await world.restart(server)
        await asyncio.sleep(QUIET_SECONDS)


async def _redis_restarts(world: World) -> None:
    await asyncio.to_thread(world.redis.stop)
    await asyncio.sleep(2)
    await asyncio.to_thread(world.redis.start)
    await asyncio.sleep(STALL_SECONDS)


async def _redis_stalls(world: World) -> None:
    world.redis.pause()
    await asyncio.sleep(STALL_SECONDS)
    world.redis.go_on()
    await asyncio.sleep(STALL_SECONDS)


async def _worker_is_killed(world: World) -> None:
    server = world.servers[0]
    os.kill(server.pid, signal.SIGKILL)
    await asyncio.sleep(2)
    server.close()
    await asyncio.to_thread(server.start)


async def _some_stop_reading(world: World) -> None:
    """Others beside the visitors, who must not be held up by them."""
    count = max(1, int(len(world.visitors) * STALLED))
    stalled = [
        await Stream.open(visitor.url, window=WINDOW)
        for visitor in world.visitors[:count]
    ]
    await asyncio.sleep(4 * STALL_SECONDS)
    for stream in stalled:
        await stream.close()


async def _networks_drop(world: World) -> None:
    for _ in range(DROPS):
        for visitor in world.visitors:
            visitor.away = DROP_SECONDS
            await visitor.cut()
        await asyncio.sleep(DROP_EVERY)


async def _all_come_back_at_once(world: World) -> None:
    for visitor in world.visitors:
        await visitor.cut()
    await asyncio.sleep(STALL_SECONDS)


FAULTS = [
    Fault("none", "nothing, for comparison", _nothing),
    Fault("deploy", "two servers are restarted, one after the other", _rolling_restart),
    Fault("redis", "Redis is stopped, and comes back empty after 2 s", _redis_restarts),
    Fault("stall", "Redis stands still for 5 s", _redis_stalls),
    Fault("kill", "one of two servers is killed", _worker_is_killed),
    Fault("stalled", "1 % of the clients stop reading", _some_stop_reading),
    Fault("drops", "all clients have no network for 2 s in every 10", _networks_drop),
    Fault(
        "storm", "2,000 clients come back at once", _all_come_back_at_once, STORM, 0.2
    ),
]
