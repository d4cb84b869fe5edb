"""A page of notes, which are rows, in a tab of a browser; and what happens to them."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from pathlib import Path
from typing import Any, Final, Self

import httpx

from tests.browser.live.visits import System
from tests.browser.tabs import Tab
from tests.proxies import HTTPProxy, Treatment
from tests.servers import Server

SETTINGS: Final = {
    "DJANGO_SETTINGS_MODULE": "tests.shop.site.settings",
    "SSE_PRESENCE_LEASE_SECONDS": "3",  # so that streams are counted every second
}
GROUP: Final = "shop.note"
WATCH: Final = """{
  window.told = [];
  window.rung = [];
  window.resets = 0;
  for (const name of ["connected", "disconnected"])
    document.addEventListener(`sse:${name}`, () => told.push(name));
  document.addEventListener("sse:reset", () => (resets += 1));
  document.addEventListener("note:ring", ({ detail }) => rung.push(detail.data.n));
  addEventListener("pageshow", ({ persisted }) => (window.kept = persisted));
}"""
TEXTS: Final = "[...document.querySelectorAll('li')].map((li) => li.innerText.trim())"


@contextmanager
def served(folder: Path) -> Iterator[Server]:
    """A server with the page, and a table of notes."""
    server = Server(folder, environment=SETTINGS)
    server.manage("migrate", "--run-syncdb", "--verbosity=0")
    server.start()
    try:
        yield server
        server.stop()
        assert "Traceback" not in server.log
    finally:
        server.close()


class Notes:
    """What the server is asked to do to the rows, and says of them."""

    def __init__(self, server: Server) -> None:
        self._server = server
        self._system = System(server)
        self._rings = 0

    async def do(self, doing: str, **given: object) -> Any:
        async with httpx.AsyncClient(timeout=20) as client:
            url = f"{self._server.url}/do/{doing}"
            answer = await client.post(url, data=given)
        assert answer.status_code == 200, answer.text
        return answer.json()["result"]

    async def ring(self) -> int:
        """Notify the pages, and return the number of it."""
        self._rings += 1
        body = {"event_name": "note:ring", "data": {"n": self._rings}}
        await self._system.post(f"/groups/{GROUP}/notify", body)
        return self._rings

    async def are_heard_by(self, count: int) -> None:
        """Wait until so many streams are open, no more and no fewer."""
        deadline = time.monotonic() + 10
        while (found := await self._subscribers()) != count:
            assert time.monotonic() < deadline, f"{found} streams are open"
            await asyncio.sleep(0.05)

    async def _subscribers(self) -> int:
        async with httpx.AsyncClient(headers=self._server.headers) as client:
            answer = await client.get(f"{self._server.url}/api/v1/groups/{GROUP}")
        subscribers: int = answer.json()["subscribers"]
        return subscribers


class Visit:
    """The page in a tab, behind a proxy of its own."""

    def __init__(self, tab: Tab, proxy: HTTPProxy) -> None:
        self.tab = tab
        self.proxy = proxy

    @classmethod
    @asynccontextmanager
    async def begin(
        cls, tab: Tab, server: Server, streams: Treatment = Treatment.PASS
    ) -> AsyncIterator[Self]:
        """Open the page, which may throw nothing until the visit ends."""
        proxy = HTTPProxy(server.port, streams)
        proxy.start()
        visit = cls(tab, proxy)
        try:
            await tab.open(f"{proxy.url}/notes")
            await visit.is_online()
            await tab.js(WATCH)
            yield visit
        finally:
            proxy.close()
            await tab.close()
        assert not tab.errors, tab.errors

    async def is_online(self) -> None:
        await self.tab.until("window.Alpine?.store('sse')?.online === true")

    async def shows(self, *texts: str) -> None:
        """Wait until these are the rows, in this order."""
        deadline = time.monotonic() + 10
        while (found := await self.tab.js(TEXTS)) != list(texts):
            assert time.monotonic() < deadline, f"It shows {found}"
            await asyncio.sleep(0.05)

    async def has_rung(self, *numbers: int) -> None:
        """Wait until the last of these has rung, and see that each has, once."""
        await self.tab.until(f"rung.includes({numbers[-1]})")
        assert await self.tab.js("rung") == list(numbers)

    async def told(self) -> list[str]:
        """Return the changes of the connection that the page was told of."""
        told: list[str] = await self.tab.js("told")
        return told

    async def transport(self) -> str | None:
        transport: str | None = await self.tab.js("Alpine.store('sse').transport")
        return transport

    async def resets(self) -> int:
        """Return how often it was told that what it had missed can't be known."""
        resets: int = await self.tab.js("resets")
        return resets


async def introduce(tab: Tab, server: Server) -> None:
    """Open the page once: whoever is the first to hear a pattern fetches once more."""
    notes = Notes(server)
    await notes.do("clear")
    async with Visit.begin(tab, server) as visit:
        await notes.do("create", text="moves the position past the pattern's")
        await visit.has_rung(await notes.ring())
