"""What happens to the site from outside: pages are opened, another system publishes."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import httpx
from playwright.async_api import Page, Request

from tests.servers import Server

APPLICATION = "tests.browser.live.asgi:application"


@contextmanager
def serving(folder: Path, **environment: str) -> Iterator[Server]:
    """The site, which has to end in order and without a traceback."""
    server = Server(folder, [], environment, APPLICATION)
    server.start()
    yield server
    assert server.stop() == 0
    assert "Traceback" not in server.log


async def live(page: Page, address: str) -> None:
    """Open a page, and have its stream open."""
    await page.goto(address)
    await page.wait_for_function("window.Alpine?.store('sse')?.online === true")


class System:
    """Another system, which publishes over REST."""

    def __init__(self, server: Server) -> None:
        self._server = server

    async def post(self, address: str, body: object) -> None:
        async with httpx.AsyncClient(headers=self._server.headers) as client:
            answer = await client.post(f"{self._server.url}/api/v1{address}", json=body)
        assert answer.status_code == 202, answer.text

    async def state(self, items: list[str] | None = None) -> dict[str, int]:
        """Return how often components were loaded; set the items first."""
        async with httpx.AsyncClient() as client:
            url = f"{self._server.url}/state"
            answer = await (
                client.get(url) if items is None else client.post(url, json=items)
            )
        loads: dict[str, int] = answer.json()
        return loads


class Calls:
    """The methods that a page calls, as they are called; a refresh is `_refresh`."""

    def __init__(self, page: Page) -> None:
        self.made: list[str] = []
        self.components: set[str] = set()
        """Whose methods they are."""
        self.streams = 0
        page.on("request", self._note)

    def _note(self, request: Request) -> None:
        address = request.url.partition("?")[0]
        if "/sse/components/" in address:
            component, method = address.split("/")[-2:]
            self.made.append(method)
            self.components.add(component)
        elif address.endswith("/sse/stream"):
            self.streams += 1
