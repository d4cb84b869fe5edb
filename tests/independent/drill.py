"""Takes clients through the same troubles, all at once: each waits for seconds."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from contextlib import AsyncExitStack
from itertools import cycle
from types import TracebackType
from typing import Self

import httpx

from tests.independent.clients import Client
from tests.independent.records import Record
from tests.proxies import Proxy
from tests.servers import Server

EVENT = "component.data_changed"
GROUPS = ("news.updates", "news.other")
ADDRESSES = {
    "/sse/groups/news.updates": GROUPS[:1],
    "/sse/stream?group=news.updates&group=news.other": GROUPS,
}
A_FEW = 5


class Line:
    """A client, and the connection between it and its server."""

    def __init__(self, port: int, address: str) -> None:
        self._proxy = Proxy(port)
        self._address = address
        self._clients = AsyncExitStack()
        self.heard = Record()
        self.error: BaseException | None = None
        """Why it could not go on."""

    async def open(self, client: Client) -> None:
        """Return when the stream has begun: what is published now is not missed."""
        await self._proxy.start()
        url = f"http://127.0.0.1:{self._proxy.port}{self._address}"
        await self._clients.enter_async_context(client(url, self.heard))
        await self.hears(1, "stream-open")

    async def close(self) -> None:
        try:
            await self._clients.aclose()
        finally:
            await self._proxy.stop()

    def cut(self) -> None:
        self._proxy.cut()

    def mend(self) -> None:
        self._proxy.mend()

    async def hears(self, count: int, type: str = EVENT) -> None:
        """Return when so many more have come."""
        await self.heard.grows(count, type)

    async def completes(self, published: Record) -> None:
        """Return when the last of what is published to its groups has come."""
        last = published.ids(*ADDRESSES[self._address])[-1:]
        await self.heard.until(lambda: self.heard.ids(EVENT)[-1:] == last)

    def assert_complete(self, published: Record) -> None:
        """Check that it heard what was published to its groups, once and in order."""
        if self.error:
            raise self.error
        assert self.heard.ids(EVENT) == published.ids(*ADDRESSES[self._address])
        assert not self.heard.ids("stream-reset")


class Drill:
    """Lines to one server, and somebody who publishes one event after the other.

    A client that can't follow is left behind, and the drill goes on with the others.
    """

    def __init__(
        self, server: Server, clients: Mapping[str, Client], publish_at: Server
    ) -> None:
        self._server = server
        self._clients = clients
        self._publish_at = publish_at
        self._publishing: asyncio.Task[None] | None = None
        self._is_over = False
        addresses = cycle(ADDRESSES)
        self.lines = {name: Line(server.port, next(addresses)) for name in clients}
        self.published = Record()

    async def __aenter__(self) -> Self:
        clients = {self.lines[name]: client for name, client in self._clients.items()}
        await self._each(lambda line: line.open(clients[line]))
        self._publishing = asyncio.create_task(self._publish())
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Publish no more, and wait until all has been heard."""
        assert self._publishing
        self._is_over = True
        try:
            await self._publishing
            await self._each(lambda line: line.completes(self.published))
        finally:
            await asyncio.gather(*map(self._close, self.lines.values()))

    async def cut_twice(self) -> None:
        """Cut in the middle of what is live, then of what is sent again."""

        async def cut_twice(line: Line) -> None:
            await line.hears(A_FEW)
            for _ in range(2):
                line.cut()
                await self.published.grows(A_FEW, *GROUPS)
                line.mend()
                await line.hears(1, "stream-open")
            await line.hears(A_FEW)

        await self._each(cut_twice)

    async def restart(self) -> None:
        """Stop the server and start it again on its port."""
        await self._each(lambda line: line.hears(A_FEW))
        stopping = asyncio.create_task(asyncio.to_thread(self._server.stop))

        async def end(line: Line) -> None:
            await line.hears(1, "stream-close")
            line.cut()  # so that nobody waits for a server that is not there

        async def begin(line: Line) -> None:
            line.mend()
            await line.hears(1, "stream-open")
            await line.hears(A_FEW)

        await self._each(end)
        await stopping
        await asyncio.to_thread(self._server.start)
        await self._each(begin)

    async def _publish(self) -> None:
        server = self._publish_at
        async with httpx.AsyncClient(headers=server.headers) as client:
            for group in cycle(GROUPS):
                answer = await client.post(
                    f"{server.url}/api/v1/groups/{group}/data-changed",
                    json={"data": {"headline": "Hello"}},
                )
                answer.raise_for_status()
                self.published.add(group, answer.json()["id"])
                if self._is_over:
                    return

    async def _each(self, step: Callable[[Line], Awaitable[None]]) -> None:
        async def attempt(line: Line) -> None:
            try:
                await step(line)
            except Exception as error:  # raised in the test of this client
                line.error = error

        lines = [line for line in self.lines.values() if not line.error]
        await asyncio.gather(*map(attempt, lines))

    async def _close(self, line: Line) -> None:
        try:
            await line.close()
        except Exception as error:  # why it could not go on, if it could not
            line.error = error
