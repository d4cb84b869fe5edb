"""Visitors of `pages_site`: each has a browser, and pages that follow groups."""

from __future__ import annotations

import re
from types import TracebackType
from typing import Self
from urllib.parse import quote

import httpx

from tests.clients import Stream
from tests.servers import Server

SECONDS = 30
"""How long a request may take at all: some wait for Redis."""
GRANT = re.compile(r'data-grant="([^"]*)"')
CURSOR = re.compile(r'data-cursor="([^"]*)"')


class Browser:
    """Keeps its cookies, and sends them to every server of the site."""

    def __init__(self, cookies: dict[str, str] | None = None) -> None:
        self._client = httpx.AsyncClient(timeout=SECONDS, cookies=cookies)
        self._streams: list[Stream] = []
        self.user = ""
        """The primary key of whoever has logged in last."""
        self.html = ""
        """Of the page that was looked at last."""

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        for stream in self._streams:
            await stream.close()
        await self._client.aclose()

    @property
    def cookies(self) -> dict[str, str]:
        return {cookie.name: cookie.value or "" for cookie in self._client.cookies.jar}

    async def log_in(self, server: Server, name: str) -> None:
        self.user = (await self.post(server, "log_in", name=name)).text

    async def log_out(self, server: Server) -> None:
        await self.post(server, "log_out")

    async def post(self, server: Server, view: str, **query: str) -> httpx.Response:
        answer = await self._client.post(f"{server.url}/{view}", params=query)
        answer.raise_for_status()
        return answer

    async def get(self, server: Server, view: str, **query: str) -> httpx.Response:
        answer = await self._client.get(f"{server.url}/{view}", params=query)
        answer.raise_for_status()
        return answer

    async def page(self, server: Server, *groups: str) -> str:
        """Look at a page; return the query of its stream."""
        answer = await self._client.get(
            f"{server.url}/page", params={"group": list(groups)}
        )
        assert answer.status_code == 200, answer.text
        self.html = answer.text
        grant, cursor = GRANT.search(answer.text), CURSOR.search(answer.text)
        assert grant
        assert cursor
        return f"grant={quote(grant[1])}&lastEventId={cursor[1]}"

    async def connect(
        self, server: Server, query: str, *cookies: str, path: str = "/sse/stream"
    ) -> Stream:
        """Open a stream with all cookies, or with those named only."""
        names = cookies or self.cookies.keys()
        sent = [f"{name}={self.cookies[name]}" for name in names]
        headers = {"Cookie": "; ".join(sent)} if sent else {}
        stream = await Stream.open(f"{server.url}{path}?{query}", headers)
        self._streams.append(stream)
        return stream

    async def open(self, server: Server, query: str = "", *cookies: str) -> Stream:
        """Return a stream that has all that was published so far."""
        stream = await self.connect(server, query, *cookies)
        await stream.until("keep-alive")
        return stream
