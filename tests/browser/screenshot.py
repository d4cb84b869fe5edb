"""Takes the demo's pictures: python -m tests.browser.screenshot docs/demo.png.

Those of the other pages go into `img` beside that file.
"""

from __future__ import annotations

import asyncio
import json
import sys
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from urllib.request import Request, urlopen

from playwright.async_api import (
    Browser,
    Page,
    ViewportSize,
    async_playwright,
    expect,
)

from tests.browser.conftest import ARGUMENTS, CHROMIUM
from tests.browser.people import (
    add_item,
    here,
    item,
    join,
    log_in_as_staff,
    offline,
    online,
    open_chat,
    open_job,
    open_online,
    open_todo,
    say,
)
from tests.servers import Server

HEADLINE = "Storm warning lifted on the coast"
TALK = [
    ("anna", "Is the ferry back already?"),
    ("ben", "Since nine. Two boats, a bit late."),
    ("chloe", "I'm on the second one. Sunny, windy, half empty."),
    ("anna", "Then I'll take the one at noon. See you at the harbour!"),
]
ITEMS = [
    "Buy a ticket for the ferry",
    "Water the plants",
    "Ask Ben about the key, and whether the window in the kitchen closes again",
    "Call mum",
]
DESK = ViewportSize(width=1280, height=720)
PHONE = ViewportSize(width=390, height=844)


def publish(server: Server, address: str, body: dict[str, object]) -> None:
    headers = server.headers | {"Content-Type": "application/json"}
    url = f"{server.url}/api/v1{address}"
    with urlopen(Request(url, json.dumps(body).encode(), headers), timeout=10):
        pass


async def take_news(browser: Browser, server: Server, target: Path) -> None:
    async with _page(browser, server, ViewportSize(width=1100, height=620)) as page:
        await page.goto("/")
        await page.wait_for_function("window.Alpine?.store('sse')?.online === true")
        publish(
            server,
            "/groups/news.updates/data-changed",
            {"data": {"headline": HEADLINE}},
        )
        alert: dict[str, object] = {
            "event_name": "tetra:alert",
            "data": {"message": "System shutdown in 5 minutes"},
        }
        publish(server, "/groups/broadcast/notify", alert)
        await expect(page.get_by_text(HEADLINE)).to_have_count(2)
        await expect(page.get_by_role("alert")).to_contain_text("System shutdown")
        await page.screenshot(path=target)


async def take_todo(browser: Browser, server: Server, folder: Path) -> None:
    async with _page(browser, server, DESK) as page:
        await open_todo(page)
        for title in ITEMS:
            await add_item(page, title)
        await item(page, ITEMS[1]).get_by_role("checkbox").check()
        await expect(page.get_by_text("1 of 4 done")).to_be_visible()
        await _shoot(page, folder, "todo")


async def take_job(browser: Browser, server: Server, folder: Path) -> None:
    """While it runs."""
    async with _page(browser, server, DESK) as page:
        await open_job(page)
        await page.get_by_role("button", name="Start").click()
        shown = "document.querySelector('progress').value >= 42"
        await page.wait_for_function(shown)
        await _shoot(page, folder, "job")


async def take_people(browser: Browser, server: Server, folder: Path) -> None:
    """Three talk, a fourth has left; staff sees all of them."""
    async with (
        _page(browser, server, DESK) as anna,
        _page(browser, server, DESK) as ben,
        _page(browser, server, DESK) as chloe,
        _page(browser, server, DESK) as staff,
    ):
        async with _page(browser, server, DESK) as gone:
            await join(gone, "dora")
            await expect(here(gone, "dora")).to_be_visible()
        pages = {"anna": anna, "ben": ben, "chloe": chloe}
        for name, page in pages.items():
            await join(page, name)
        for name, text in TALK:
            await say(pages[name], text)
        second = await ben.context.new_page()
        await open_chat(second)
        await log_in_as_staff(staff)
        await open_online(staff)
        await expect(offline(staff, "dora")).to_contain_text("last seen")
        await expect(staff.get_by_text("2 connections")).to_be_visible(timeout=10_000)
        await expect(online(staff, "staff")).to_contain_text("1 connection")
        await expect(here(anna, "dora")).to_have_count(0)
        await _shoot(anna, folder, "chat")
        await _shoot(staff, folder, "online")


async def _shoot(page: Page, folder: Path, name: str) -> None:
    await page.mouse.move(0, 0)  # so that it is over nothing
    for size, suffix in ((DESK, "desk"), (PHONE, "phone")):
        await page.set_viewport_size(size)
        await page.screenshot(path=folder / f"{name}-{suffix}.png")


@asynccontextmanager
async def _page(
    browser: Browser, server: Server, size: ViewportSize
) -> AsyncIterator[Page]:
    context = await browser.new_context(base_url=server.url, viewport=size)
    yield await context.new_page()
    await context.close()


async def take(server: Server, target: Path) -> None:
    folder = target.parent / "img"
    folder.mkdir(exist_ok=True)
    async with async_playwright() as playwright:
        browser = await playwright.chromium.launch(
            executable_path=CHROMIUM, args=ARGUMENTS
        )
        await take_news(browser, server, target)
        await take_todo(browser, server, folder)
        await take_job(browser, server, folder)
        await take_people(browser, server, folder)
        await browser.close()


def main(arguments: Sequence[str]) -> None:
    with TemporaryDirectory() as folder:
        environment = {"SSE_PRESENCE_GRACE_SECONDS": "1"}
        server = Server(Path(folder), environment=environment)
        server.start()
        try:
            asyncio.run(take(server, Path(arguments[0])))
        finally:
            server.close()


if __name__ == "__main__":
    main(sys.argv[1:])
