"""The workload of a refresh storm: every browser of a list fetches for one new row."""

from __future__ import annotations

import asyncio
import html
import json
import random
import re
import time
from contextlib import suppress
from typing import Final
from urllib.parse import quote

import httpx

from tests.bench.load import Failed, timed
from tests.bench.requests import Refused, is_complete
from tests.bench.results import Measure, percentiles
from tests.bench.server import Running, running
from tests.bench.target import Target
from tests.clients import Received, Stream, close_all, open_many

BROWSERS: Final = 1000
OPENING: Final = 50
"""Streams that open at a time."""
ROWS: Final = 10
"""In the list, before."""
TIMEOUT_SECONDS: Final = 30
"""After so long a browser gives a fetch up, and repeats it."""
LIMIT_SECONDS: Final = 60
PAUSE_SECONDS: Final = 0.2
"""Between the requests of a visitor who has nothing to do with it."""
LIST: Final = "demo.TodoList"
ADD: Final = "demo.TodoAdd"


def heeded(target: Target) -> Measure:
    """W13: each waits as the event says before it fetches; the value is the p99."""
    return _measure(target, heeds=True)


def ignored(target: Target) -> Measure:
    """W13's measure to compare with: all fetch as soon as they hear of it."""
    return _measure(target, heeds=False)


def _measure(target: Target, *, heeds: bool) -> Measure:
    with running(target) as server, timed() as clock:
        storm = _Storm(server, heeds=heeds)
        asyncio.run(storm.run())
    fetches = percentiles(sorted(storm.fetches))
    facts = {
        "s until all have it": round(storm.seconds, 1),
        "fetches/s": round(BROWSERS / storm.seconds),
        "errors": storm.errors,
        "threads": storm.threads,
        "ms p99 of another page": round(percentiles(sorted(storm.others))[1]),
    }
    return Measure(fetches[1], clock.busy, fetches, facts)


class _Page:
    """What a browser has of the page: its cookies, its tokens, its components."""

    def __init__(self, url: str) -> None:
        with httpx.Client() as client:
            self.text = client.get(f"{url}/todo").raise_for_status().text
            self.cookie = "; ".join(f"{n}={v}" for n, v in client.cookies.items())
        self.csrf = self._attribute("data-csrf")
        grant, cursor = self._attribute("data-grant"), self._attribute("data-cursor")
        self.stream = f"/sse/stream?grant={quote(grant)}&lastEventId={cursor}"

    def call(self, port: int, component: str, method: str, *args: str) -> bytes:
        """Return a request for a call, or for new HTML, as the client makes it."""
        state = self._attribute("data-sse-state", f'"{component}"[^>]*? ')
        body = {"state": state, "props": {}, "pushed": [], "args": args}
        content = json.dumps(body | {"page": "/todo"}).encode()
        lines = [
            f"POST /sse/components/{component}/{method} HTTP/1.1",
            f"Host: 127.0.0.1:{port}",
            f"Cookie: {self.cookie}",
            f"X-CSRFToken: {self.csrf}",
            "Content-Type: application/json",
            f"Content-Length: {len(content)}",
            "Connection: close",
        ]
        return "\r\n".join([*lines, "", ""]).encode() + content

    def _attribute(self, name: str, after: str = "") -> str:
        found = re.search(f'{after}{name}="([^"]*)"', self.text)
        if found is None:
            raise Failed(f"The page has no {name}.")
        return html.unescape(found[1])


class _Storm:
    """A thousand browsers with the same list, and one row that is added to it."""

    def __init__(self, server: Running, *, heeds: bool) -> None:
        self._server = server
        self._heeds = heeds
        self._title = "Not there before"
        self.fetches: list[int] = []
        """Nanoseconds that each took which brought the row."""
        self.others: list[int] = []
        """Nanoseconds that another page took meanwhile."""
        self.errors = 0
        self.threads = 0
        self.seconds = 0.0
        """From before the row was added until all browsers had it."""

    async def run(self) -> None:
        url, port = f"http://127.0.0.1:{self._server.port}", self._server.port
        page = await asyncio.to_thread(_Page, url)
        for number in range(ROWS):
            await _ask(port, page.call(port, ADD, "add", f"Row {number}"))
        page = await asyncio.to_thread(_Page, url)
        refresh = page.call(port, LIST, "_refresh")
        await _ask(port, refresh)
        streams: list[Stream] = []
        try:
            for _ in range(BROWSERS // OPENING):
                headers = {"Cookie": page.cookie}
                streams += await open_many(url + page.stream, OPENING, [headers])
            await self._break(
                streams, page.call(port, ADD, "add", self._title), refresh
            )
        finally:
            await close_all(streams)

    async def _break(self, streams: list[Stream], add: bytes, refresh: bytes) -> None:
        begun = time.perf_counter()
        browsers = [
            asyncio.create_task(self._browse(stream, refresh)) for stream in streams
        ]
        visitor = asyncio.create_task(self._visit())
        try:
            async with asyncio.timeout(LIMIT_SECONDS):
                await _ask(self._server.port, add)
                await asyncio.gather(*browsers)
        except (TimeoutError, EOFError):
            left = BROWSERS - len(self.fetches)
            raise Failed(f"{left} browsers don't have the row.") from None
        finally:
            self.seconds = time.perf_counter() - begun
            for task in (*browsers, visitor):
                task.cancel()

    async def _browse(self, stream: Stream, refresh: bytes) -> None:
        event = await _created(stream)
        spread = event.data.get("spread", 0) if self._heeds else 0
        await asyncio.sleep(random.random() * spread / 1000)
        while not await self._fetch(refresh):
            self.errors += 1
            await asyncio.sleep(random.uniform(0.5, 1))

    async def _fetch(self, refresh: bytes) -> bool:
        begun = time.perf_counter_ns()
        try:
            answer = await _ask(self._server.port, refresh)
        except (OSError, TimeoutError, Refused):
            return False
        if self._title.encode() not in answer:
            return False
        self.fetches.append(time.perf_counter_ns() - begun)
        return True

    async def _visit(self) -> None:
        address = f"GET /bare HTTP/1.1\r\nHost: 127.0.0.1:{self._server.port}\r\n"
        request = f"{address}Connection: close\r\n\r\n".encode()
        while True:
            begun = time.perf_counter_ns()
            with suppress(OSError, TimeoutError):
                await _ask(self._server.port, request)
            self.others.append(time.perf_counter_ns() - begun)
            self.threads = max(self.threads, self._server.threads)
            await asyncio.sleep(PAUSE_SECONDS)


async def _created(stream: Stream) -> Received:
    while True:
        event = await stream.next(LIMIT_SECONDS)
        if event.type == "component.created":
            return event


async def _ask(port: int, request: bytes) -> bytearray:
    """Return the answer to a request over a connection of its own."""
    async with asyncio.timeout(TIMEOUT_SECONDS):
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        try:
            writer.write(request)
            answer = bytearray()
            while not is_complete(answer):
                data = await reader.read(65536)
                if not data:
                    raise ConnectionError("The server has hung up.")
                answer += data
            return answer
        finally:
            writer.close()
