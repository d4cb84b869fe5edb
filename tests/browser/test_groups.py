"""Which groups a page hears, and that it hears all of them while they change."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

import httpx
import pytest
from playwright.async_api import Page, expect

from tests.browser.live.visits import Calls, System, live, serving
from tests.servers import Server, wait_until

pytestmark = pytest.mark.asyncio(loop_scope="session")

LIST = "shop.item"
TILES = 20
TICK_SECONDS = 0.02
GIVE_UP = 31_000
"""Milliseconds after which a page gives up what it has no component for."""

LISTEN = """() => {
  window.ticks = [];
  document.addEventListener('live:tick', ({detail}) =>
    ticks.push([detail.group, detail.data.number]));
}"""
FLOWS = "(opened) => Alpine.store('sse').lastActivity - opened > 500"
HEARS = "([group, from]) => ticks.some(([each, n]) => each === group && n >= from)"


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    with serving(tmp_path_factory.mktemp("server")) as server:
        yield server


@pytest.fixture
def system(server: Server) -> System:
    return System(server)


@dataclass
class Ticks:
    """What was published to two groups, again and again."""

    groups: Sequence[str]
    ids: dict[str, list[int]] = field(init=False)
    """Of each group, the places of its ticks in the order of all events."""

    def __post_init__(self) -> None:
        self.ids = {group: [] for group in self.groups}

    async def publish(self, client: httpx.AsyncClient) -> None:
        number = len(self.ids[self.groups[0]])
        tick = {"event_name": "live:tick", "data": {"number": number}}
        events = [{"type": "notify", "group": each} | tick for each in self.groups]
        answer = await client.post("/api/v1/events", json={"events": events})
        for group, result in zip(self.groups, answer.json()["results"], strict=True):
            self.ids[group].append(_place(result["id"]))


@asynccontextmanager
async def _ticking(server: Server, *groups: str) -> AsyncIterator[Ticks]:
    """Publish to groups every few milliseconds meanwhile."""
    ticks = Ticks(groups)
    is_over = asyncio.Event()

    async def tick() -> None:
        options: dict[str, Any] = {"base_url": server.url, "headers": server.headers}
        async with httpx.AsyncClient(**options) as client:
            while not is_over.is_set():
                await ticks.publish(client)
                await asyncio.sleep(TICK_SECONDS)

    task = asyncio.create_task(tick())
    try:
        yield ticks
    finally:
        is_over.set()
        await task


# A2
@pytest.mark.streams
async def test_twenty_components_in_twenty_groups_hear_all_of_them_in_one_stream(
    page: Page, system: System
) -> None:
    calls = Calls(page)
    await live(page, "/tiles")
    await expect(page.locator("p")).to_have_count(TILES)
    for number in range(TILES):
        pushed = {"data": {"label": f"tile {number}"}}
        await system.post(f"/groups/live.tile.{number}/data-changed", pushed)
    for number in range(TILES):
        await expect(page.locator(f"#tile-{number}")).to_have_text(f"tile {number}")
    assert calls.made == []
    assert calls.streams == 1


# A14
async def test_the_group_of_the_last_component_that_had_it_is_no_longer_sent(
    page: Page, server: Server, system: System
) -> None:
    await page.clock.install()
    await live(page, "/tiles")
    # A stream that is silent in its first seconds is taken for one that is held back,
    # so the clock may not leap before its first keep-alive.
    opened = await page.evaluate("Alpine.store('sse').lastActivity")
    await page.wait_for_function(FLOWS, arg=opened)
    await _has_subscribers(server, "live.tile.3", 1)
    await system.post("/groups/live.tile.3/component-removed", {})
    await expect(page.locator("#tile-3")).to_have_count(0)
    await page.clock.fast_forward(GIVE_UP)
    await _has_subscribers(server, "live.tile.3", 0)
    await _has_subscribers(server, "live.tile.4", 1)
    await system.post("/groups/live.tile.4/data-changed", {"data": {"label": "still"}})
    await expect(page.locator("#tile-4")).to_have_text("still")


# A14
async def test_nothing_is_lost_in_old_and_new_groups_while_a_refresh_brings_a_new_one(
    page: Page, server: Server, system: System
) -> None:
    await system.state(["1"])
    await live(page, "/shelf")
    await page.evaluate(LISTEN)
    for number in (2, 3, 4):
        group = f"{LIST}.{number}"
        await page.evaluate("window.ticks = []")
        async with _ticking(server, LIST, group) as ticks:
            await asyncio.sleep(0.2)
            await system.state([str(each) for each in range(1, number + 1)])
            await system.post(f"/groups/{LIST}/component-created", {"data": {}})
            row = page.locator(f"[data-sse-groups='[\"{group}\"]']")
            position = await row.get_attribute("data-sse-position")
            await page.wait_for_function(HEARS, arg=[group, 0])
            await asyncio.sleep(0.5)
        last = len(ticks.ids[LIST]) - 1
        for each in (LIST, group):
            await page.wait_for_function(HEARS, arg=[each, last])
        heard = await _heard(page)
        assert heard[LIST] == [*range(last + 1)]
        assert position
        after = sum(place <= _place(position) for place in ticks.ids[group])
        assert 0 < after < last  # it was rendered in the midst of them
        assert heard[group][0] <= after
        assert heard[group] == [*range(heard[group][0], last + 1)]


async def _has_subscribers(server: Server, group: str, count: int) -> None:
    """Wait until the server says that a group has so many."""
    address = f"{server.url}/api/v1/groups/{group}"

    def has_so_many() -> bool:
        answer = httpx.get(address, headers=server.headers)
        return bool(answer.json()["subscribers"] == count)

    await asyncio.to_thread(wait_until, has_so_many)


async def _heard(page: Page) -> dict[str, list[int]]:
    """Return the numbers of the ticks of each group, as the page was told of them."""
    heard: dict[str, list[int]] = {}
    for group, number in await page.evaluate("ticks"):
        heard.setdefault(group, []).append(number)
    return heard


def _place(id: str) -> int:
    """Return where an event or a position is in the order of all events."""
    return int(id.rpartition(":")[2])
