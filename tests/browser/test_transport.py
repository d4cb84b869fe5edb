"""What a page makes of the state of its connection, and what it misses meanwhile."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Iterator

import pytest
from playwright.async_api import Page, expect

from tests.browser.conftest import NewPage
from tests.browser.live.visits import Calls, System, live, serving
from tests.proxies import HTTPProxy
from tests.servers import Server

pytestmark = pytest.mark.asyncio(loop_scope="session")

NEWS = "/groups/board.news/data-changed"
KEEP_ALIVE = 1
KEPT = 1000
"""Events of a group that the server keeps; as many as it takes in one request."""
SETTLED = 700
"""Milliseconds after which whatever is going to happen has."""

HANG = """(time) => void setTimeout(() => {
  const end = performance.now() + time;
  while (performance.now() < end);
})"""
HANGS = 10_000
"""Milliseconds."""
MANY = 400
BATCH = 20
LARGE = 60_000
"""Characters of an event: they are 24 MB, more than a socket and a browser keep."""

FRAMES = """(count) => new Promise((resolve) => {
  const types = [];
  const source = new EventSource('/sse/groups/news.updates');
  for (const type of ['stream-open', 'stream-reset', 'keep-alive'])
    source.addEventListener(type, () => {
      if (types.push(type) < count) return;
      source.close();
      resolve(types);
    });
})"""

LISTEN = """(names) => {
  window.told = [];
  for (const name of names)
    document.addEventListener(name, ({detail}) => told.push([name, detail]));
}"""


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    with serving(
        tmp_path_factory.mktemp("server"), LIVE_KEEP_ALIVE_SECONDS=str(KEEP_ALIVE)
    ) as server:
        yield server


@pytest.fixture
def system(server: Server) -> System:
    return System(server)


async def _listen(page: Page, *names: str) -> None:
    await page.evaluate(LISTEN, names)


async def _told(page: Page) -> list[str]:
    """Return the names of the events that the page was told of."""
    return [name for name, _ in await page.evaluate("told")]


async def _is(page: Page, online: bool) -> None:
    is_so = f"Alpine.store('sse').online === {str(online).lower()}"
    await page.wait_for_function(is_so)
    await page.wait_for_timeout(SETTLED)
    assert await page.evaluate(is_so)


# A3
async def test_a_stream_opens_with_one_frame_and_stays_alive_by_another(
    page: Page,
) -> None:
    await page.goto("/none")
    async with asyncio.timeout(10 * KEEP_ALIVE):
        types = await page.evaluate(FRAMES, 4)
    assert types == ["stream-open"] + 3 * ["keep-alive"]


# A3
async def test_keep_alives_keep_a_page_online_and_silence_takes_it_offline(
    page: Page, proxy: HTTPProxy
) -> None:
    await live(page, f"{proxy.url}/board")
    await _listen(page, "sse:connected", "sse:disconnected")
    await page.wait_for_timeout(5 * KEEP_ALIVE * 1000)
    assert await _told(page) == []
    proxy.silence()
    await page.wait_for_function("told.length === 2")
    assert await _told(page) == ["sse:disconnected", "sse:connected"]


# A54
async def test_a_page_is_told_once_of_each_change(page: Page, server: Server) -> None:
    await live(page, "/board")
    await _listen(page, "sse:connected", "sse:disconnected")
    await page.context.set_offline(True)
    await _is(page, online=False)
    await page.context.set_offline(False)
    await _is(page, online=True)
    assert await _told(page) == ["sse:disconnected", "sse:connected"]
    await asyncio.to_thread(server.stop)
    await _is(page, online=False)
    await asyncio.to_thread(server.start)
    await _is(page, online=True)
    assert await _told(page) == 2 * ["sse:disconnected", "sse:connected"]


# A5
async def test_what_is_published_while_a_page_is_offline_arrives_once_and_in_order(
    page: Page, system: System
) -> None:
    await live(page, "/board")
    await _listen(page, "live:tick")
    await page.context.set_offline(True)
    await page.wait_for_function("Alpine.store('sse').online === false")
    for number in range(5):
        await system.post("/groups/board.news/notify", _tick(number))
    await page.context.set_offline(False)
    await _is(page, online=True)
    assert await _ticks(page) == [*range(5)]


# A6
async def test_when_more_was_missed_than_is_kept_each_component_is_fetched_once(
    page: Page, system: System
) -> None:
    await system.state(["1", "2"])
    await live(page, "/stockroom")
    await expect(page.locator("li")).to_have_count(4)
    await _listen(page, "sse:reset")
    calls = Calls(page)
    await page.context.set_offline(True)
    await page.wait_for_function("Alpine.store('sse').online === false")
    await system.state(["2", "3", "4"])
    created = {"type": "component.created", "group": "shop.item", "data": {}}
    for _ in range(2):
        await system.post("/events", {"events": [created] * KEPT})
    await page.context.set_offline(False)
    await _is(page, online=True)
    for list in ("section ul", ":not(section) > ul"):
        rows = page.locator(list).locator("li")
        await expect(rows).to_contain_text(["2", "3", "4"])
        await expect(rows).to_have_count(3)
    await page.wait_for_timeout(SETTLED)
    reset = [detail["groups"] for _, detail in await page.evaluate("told")]
    assert reset == [["shop.item"]]
    assert calls.made == ["_refresh", "_refresh"]
    assert calls.components == {"live.Shelf", "live.Basket"}


# A7
async def test_a_hundred_events_of_one_request_all_arrive(
    page: Page, system: System
) -> None:
    await live(page, "/board")
    await _listen(page, "live:tick")
    ticks = [
        {"type": "notify", "group": "board.news"} | _tick(number)
        for number in range(100)
    ]
    await system.post("/events", {"events": ticks})
    await page.wait_for_function("told.length >= 100")
    await page.wait_for_timeout(SETTLED)
    assert await _ticks(page) == [*range(100)]


# A8
async def test_a_page_that_hangs_harms_nobody_and_shows_the_last_in_the_end(
    page: Page, new_page: NewPage, system: System
) -> None:
    other = await new_page()
    for each in (page, other):
        await live(each, "/board")
    await page.evaluate(HANG, HANGS)
    start = time.monotonic()
    for first in range(0, MANY, BATCH):
        events = [_large(number) for number in range(first, first + BATCH)]
        await system.post("/events", {"events": events})
        last = f"number {first + BATCH - 1}"
        await expect(other.locator("#bound")).to_have_text(last)
    assert time.monotonic() - start < HANGS / 1000
    await expect(page.locator("#bound")).to_have_text(last, timeout=2 * HANGS)


def _large(number: int) -> dict[str, object]:
    data = {"headline": f"number {number}", "filling": "x" * LARGE}
    return {"type": "component.data_changed", "group": "board.news", "data": data}


def _tick(number: int) -> dict[str, object]:
    return {"event_name": "live:tick", "data": {"number": number}}


async def _ticks(page: Page) -> list[int]:
    """Return the numbers of the ticks that the page was told of."""
    return [detail["data"]["number"] for _, detail in await page.evaluate("told")]
