"""Two servers over one Redis, visitors who follow groups, and who publishes."""

from __future__ import annotations

import asyncio
import itertools
import random
import secrets
from collections.abc import AsyncIterator, Iterator, Sequence
from contextlib import asynccontextmanager, contextmanager, suppress
from pathlib import Path

import httpx

from tests.clients import Follower
from tests.redis_servers import RedisServer
from tests.servers import Server

GROUPS = 20
OF_EACH = 3
"""Groups that a visitor follows, beside `news.all`."""
TO_ALL = 10
"""One event in so many goes to everybody."""
KEEP_ALIVE_SECONDS = 5
ASK_SECONDS = 10
FIRST_PAUSE, LONGEST_PAUSE = 0.25, 4.0


class Visitor(Follower):
    """Comes back as a browser does behind a balancer: later, and to another server."""

    def __init__(self, servers: Sequence[Server], groups: Sequence[str]) -> None:
        query = "&".join(f"group={group}" for group in groups)
        turns = itertools.cycle(random.sample(servers, len(servers)))
        self._addresses = (f"{one.url}/sse/stream?{query}" for one in turns)
        self._pause = FIRST_PAUSE
        self._heard = 0
        self.away = 0.0
        """Seconds for which it has no network after it was cut."""
        super().__init__(next(self._addresses))

    async def pause(self, retry: int | None) -> None:
        if len(self.heard) > self._heard:
            self._heard, self._pause = len(self.heard), FIRST_PAUSE
        seconds = self._pause * random.uniform(0.5, 1)
        self._pause = min(2 * self._pause, LONGEST_PAUSE)
        away, self.away = self.away, 0.0
        await asyncio.sleep(max(away, seconds if retry is None else retry / 1000))
        self.url = next(self._addresses)


class World:
    """What is broken, and what is to be right in spite of it."""

    def __init__(self, folder: Path, visitors: int) -> None:
        self.redis = RedisServer(_made(folder / "redis"))
        self.servers = list(self._servers(folder))
        self.visitors = [self._visitor() for _ in range(visitors)]
        self.published: dict[str, str] = {}
        """Ids that were acknowledged, and their groups."""
        self.refused = 0
        """Requests to publish that were answered with 503, or not at all."""
        self.began = 0.0

    @classmethod
    @asynccontextmanager
    async def open(cls, folder: Path, visitors: int) -> AsyncIterator[World]:
        world = cls(folder, visitors)
        with world._running():
            async with _all(world.visitors):
                yield world

    @asynccontextmanager
    async def publishing(self, seconds_between: float) -> AsyncIterator[None]:
        """Publish all the while, to any server that answers."""
        self.began = asyncio.get_running_loop().time()
        publishing = asyncio.create_task(self._publish(seconds_between))
        try:
            yield
        finally:
            publishing.cancel()
            with suppress(asyncio.CancelledError):
                await publishing

    async def settle(self, seconds: float) -> None:
        """Return when nothing more is to come of what was published."""
        last = await self._insist("news.all", seconds)
        await asyncio.gather(
            *(visitor.reaches(last, seconds) for visitor in self.visitors)
        )

    async def restart(self, server: Server) -> None:
        """As a deploy does."""
        assert await asyncio.to_thread(server.stop) == 0
        await asyncio.to_thread(server.start)

    def _servers(self, folder: Path) -> Iterator[Server]:
        environment = {
            "SSE_BROKER_URL": self.redis.url,
            "SSE_PUBLIC_GROUPS": "news.**",
            "SETTINGS": f'{{"KEEP_ALIVE_SECONDS": {KEEP_ALIVE_SECONDS}}}',
        }
        for name in ("a", "b"):
            server = Server(
                _made(folder / name),
                [],
                environment,
                "tests.e2e.redis.site:application",
            )
            environment["DATABASE_URL"] = server.database_url
            yield server

    def _visitor(self) -> Visitor:
        numbers = random.sample(range(GROUPS), OF_EACH)
        groups = [f"news.{number}" for number in numbers]
        return Visitor(self.servers, ["news.all", *groups])

    @contextmanager
    def _running(self) -> Iterator[None]:
        self.redis.start()
        try:
            for server in self.servers:
                server.start()
            yield
        finally:
            for server in self.servers:
                server.close()
            self.redis.close()
        for server in self.servers:
            assert "Traceback" not in server.log, server.log

    async def _publish(self, seconds_between: float) -> None:
        async with httpx.AsyncClient(timeout=ASK_SECONDS) as client:
            for number in itertools.count():
                to_all = number % TO_ALL == 0
                group = "news.all" if to_all else f"news.{random.randrange(GROUPS)}"
                await self._publish_one(client, group)
                await asyncio.sleep(seconds_between)

    async def _publish_one(self, client: httpx.AsyncClient, group: str) -> str | None:
        """Return the id. None: refused; without an answer it may be published."""
        server = random.choice(self.servers)
        key = {"Idempotency-Key": secrets.token_hex(8)}
        try:
            answer = await client.post(
                f"{server.url}/api/v1/groups/{group}/data-changed",
                json={"data": {"headline": "Hello"}},
                headers=server.headers | key,
            )
        except httpx.TransportError:
            self.refused += 1
            return None
        if answer.status_code == 503:
            self.refused += 1
            return None
        assert answer.status_code == 202, answer.text
        id: str = answer.json()["id"]
        self.published[id] = group
        return id

    async def _insist(self, group: str, seconds: float) -> str:
        async with asyncio.timeout(seconds), httpx.AsyncClient() as client:
            while True:
                if id := await self._publish_one(client, group):
                    return id
                await asyncio.sleep(0.1)


@asynccontextmanager
async def _all(visitors: Sequence[Visitor]) -> AsyncIterator[None]:
    """Have them all follow. Not as many at once as would be a fault of its own."""
    batches = [visitors[n : n + 100] for n in range(0, len(visitors), 100)]
    try:
        for batch in batches:
            await asyncio.gather(*(visitor.__aenter__() for visitor in batch))
        yield
    finally:
        await asyncio.gather(
            *(visitor.__aexit__(None, None, None) for visitor in visitors),
            return_exceptions=True,
        )


def _made(folder: Path) -> Path:
    folder.mkdir()
    return folder
