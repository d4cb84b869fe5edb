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

PICTURES = {
    "/": "news",
    "/todo": "todo",
    "/job": "job",
    "/chat": "chat",
    "/staff/online": "online",
    "/plain": "plain",
    "/client": "client",
    "/bare": "bare",
    "/api/docs": "api",
    "/staff/keys": "keys",
    "/staff/": "staff",
    "/sse/console": "console",
}
"""What the pictures of a page are called, by its address."""
OTHERS = ["forbidden", "missing", "console-person", "console-events", "console-why"]
"""Those of pages for who isn't staff, of addresses that there aren't, and of what the
console's navigation leads to."""
BURSTS = [0, 1, 2, 4, 7, 5, 3, 4, 2, 1, 3, 6, 8, 5, 2, 1, 2, 3, 5, 4]
"""Events in each of some seconds."""
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
KEY = "demo-key"
"""So that the pages show it as they do in `make demo`."""
SPORT = ["Two goals in a minute", "Extra time", "It ends four to three"]
DESK = ViewportSize(width=1280, height=720)
PHONE = ViewportSize(width=390, height=844)


def publish(server: Server, address: str, body: dict[str, object]) -> None:
    headers = {"Authorization": f"Bearer {KEY}", "Content-Type": "application/json"}
    url = f"{server.url}/api/v1{address}"
    with urlopen(Request(url, json.dumps(body).encode(), headers), timeout=10):
        pass


def publish_headline(server: Server, group: str, headline: str) -> None:
    body: dict[str, object] = {"data": {"headline": headline}}
    publish(server, f"/groups/{group}/data-changed", body)


async def take_news(browser: Browser, server: Server, folder: Path) -> None:
    async with _page(browser, server, DESK) as page:
        await page.goto("/")
        await expect(page.get_by_role("status")).to_have_text("online")
        publish_headline(server, "news.updates", HEADLINE)
        alert: dict[str, object] = {
            "event_name": "tetra:alert",
            "data": {"message": "System shutdown in 5 minutes"},
        }
        publish(server, "/groups/broadcast/notify", alert)
        await expect(page.get_by_text(HEADLINE)).to_have_count(2)
        await expect(page.get_by_role("alert")).to_contain_text("System shutdown")
        await _shoot(page, folder, "news")
        await page.set_viewport_size(ViewportSize(width=1100, height=620))
        await page.screenshot(path=folder.parent / "demo.png")


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
        await ben.goto("/staff/online")
        await _shoot(ben, folder, "forbidden")


async def take_plain(browser: Browser, server: Server, folder: Path) -> None:
    async with _page(browser, server, DESK) as page:
        await page.goto("/plain")
        await expect(page.locator("#log li", has_text="keep-alive")).to_have_count(1)
        for headline in (HEADLINE, "Ferry late, but on its way"):
            publish_headline(server, "news.updates", headline)
            await expect(page.locator("#headline")).to_have_text(headline)
        await _shoot(page, folder, "plain")


async def take_client(browser: Browser, server: Server, folder: Path) -> None:
    async with _page(browser, server, DESK) as page:
        await page.goto("/client")
        await page.locator("[value='orders.7']").check()
        await page.locator("[value='news.sport']").check()
        await expect(page.locator("small", has_text="refused")).to_be_visible()
        await expect(page.locator("#status")).to_contain_text("connected (")
        for headline in SPORT:
            publish_headline(server, "news.sport", headline)
            await expect(page.locator("#log li", has_text=headline)).to_have_count(1)
        await _shoot(page, folder, "client")


async def take_staffs(browser: Browser, server: Server, folder: Path) -> None:
    """The login, and the keys that staff makes."""
    async with _page(browser, server, DESK) as page:
        await page.goto("/staff/keys")
        await page.get_by_label("Password").fill("stuff")
        await page.get_by_role("button", name="Log in").click()
        await expect(page.get_by_role("alert")).to_be_visible()
        await _shoot(page, folder, "staff")
        await log_in_as_staff(page)
        for name, groups in (("shop", "shop.**"), ("newsroom", "news.**")):
            await page.goto("/staff/keys")
            await page.get_by_role("link", name="Add API key").first.click()
            await page.get_by_label("Name").fill(name)
            await page.locator("[name='scopes'][value='publish']").check()
            await page.locator("[name='patterns']").fill(groups)
            await page.get_by_role("button", name="Save", exact=True).click()
        await page.goto("/staff/keys")
        await _shoot(page, folder, "keys")


async def take_console(browser: Browser, server: Server, folder: Path) -> None:
    """Three chat, one of them in two tabs, while headlines come."""
    async with (
        _page(browser, server, DESK) as anna,
        _page(browser, server, DESK) as ben,
        _page(browser, server, DESK) as nobody,
        _page(browser, server, DESK) as staff,
    ):
        await join(anna, "anna")
        await join(ben, "ben")
        await open_todo(await ben.context.new_page())
        await nobody.goto("/")
        await log_in_as_staff(staff)
        await staff.goto("/sse/console")
        for count in BURSTS:
            for _ in range(count):
                publish_headline(server, "news.updates", HEADLINE)
            await staff.wait_for_timeout(1000)
        await _shoot(staff, folder, "console")

        people = staff.get_by_role("list", name="Online")
        await staff.goto("/sse/console/people")
        await people.get_by_role("link", name="ben").click()
        await staff.get_by_role("button", name="Trace").click()
        card = staff.locator("article:not(.over)").first
        for _ in range(2):
            await card.get_by_role("button").click()
        await expect(staff.locator("article.over")).to_have_count(1)
        await expect(staff.locator("article:not(.over)")).to_have_count(2)
        for name, text in TALK[:2]:
            await say({"anna": anna, "ben": ben}[name], text)
        deliveries = staff.get_by_role("table", name="Deliveries").locator("tbody tr")
        await expect(deliveries.filter(has_text="chat.lobby")).not_to_have_count(0)
        await _shoot(staff, folder, "console-person")

        await staff.goto("/sse/console/events")
        await staff.wait_for_timeout(2000)  # processes begin to tell within a second
        for headline in SPORT:
            publish_headline(server, "news.sport", headline)
        publish_headline(server, "news.updates", HEADLINE)
        await say(anna, TALK[3][1])
        alert: dict[str, object] = {
            "event_name": "tetra:alert",
            "data": {"message": "System shutdown in 5 minutes"},
        }
        publish(server, "/groups/broadcast/notify", alert)
        lines = staff.get_by_role("table", name="Live").locator("tbody tr")
        await expect(lines.filter(has_text="tetra:alert")).to_be_visible()
        await _shoot(staff, folder, "console-events")

        said = lines.filter(has_text="chat.lobby").first
        await said.get_by_role("link", name="Why?").click()
        await staff.get_by_label("User: name, or primary key").fill("ben")
        await staff.wait_for_timeout(2000)  # the logbook is a second late
        await staff.get_by_role("button", name="Ask").click()
        await expect(staff.locator("#outcome")).to_have_text("delivered")
        await expect(staff.locator(".head").get_by_role("status")).to_have_text("live")
        await _shoot(staff, folder, "console-why")


async def take_quiet(browser: Browser, server: Server, folder: Path) -> None:
    """Those in which nothing happens."""
    async with _page(browser, server, DESK) as page:
        await page.goto("/bare")
        await _shoot(page, folder, "bare")
        await page.goto("/api/docs")
        await expect(page.get_by_text("Publish a batch")).to_be_visible()
        await _shoot(page, folder, "api", is_whole=False)  # it is very long


async def take_missing(browser: Browser, server: Server, folder: Path) -> None:
    """Without DEBUG, as Django would show a page of its own."""
    async with _page(browser, server, DESK) as page:
        await page.goto("/tomorrows-news")
        await _shoot(page, folder, "missing")


async def _shoot(page: Page, folder: Path, name: str, is_whole: bool = True) -> None:
    await page.mouse.move(0, 0)  # so that it is over nothing
    for size, suffix in ((DESK, "desk"), (PHONE, "phone")):
        await page.set_viewport_size(size)
        await page.screenshot(
            path=folder / f"{name}-{suffix}.png",
            full_page=is_whole,
            animations="disabled",  # at their ends
        )


@asynccontextmanager
async def _page(
    browser: Browser, server: Server, size: ViewportSize
) -> AsyncIterator[Page]:
    context = await browser.new_context(base_url=server.url, viewport=size)
    yield await context.new_page()
    await context.close()


async def take(server: Server, watched: Server, quiet: Server, folder: Path) -> None:
    async with async_playwright() as playwright:
        browser = await playwright.chromium.launch(
            executable_path=CHROMIUM, args=ARGUMENTS
        )
        for part in (
            take_news,
            take_todo,
            take_job,
            take_people,
            take_plain,
            take_client,
            take_staffs,
            take_quiet,
        ):
            await part(browser, server, folder)
        await take_console(browser, watched, folder)
        await take_missing(browser, quiet, folder)
        await browser.close()


def main(arguments: Sequence[str]) -> None:
    with (
        TemporaryDirectory() as one,
        TemporaryDirectory() as second,
        TemporaryDirectory() as other,
    ):
        demo = {"SSE_PRESENCE_GRACE_SECONDS": "1", "SSE_API_KEY": KEY}
        quiet = {"DEBUG": "0", "SECRET_KEY": "picture", "ALLOWED_HOSTS": "127.0.0.1"}
        with (
            Server(Path(one), environment=demo).running() as server,
            Server(Path(second), environment=demo).running() as watched,
            Server(Path(other), environment=quiet).running() as without_debug,
        ):
            folder = Path(arguments[0]).parent / "img"
            folder.mkdir(exist_ok=True)
            asyncio.run(take(server, watched, without_debug, folder))


if __name__ == "__main__":
    main(sys.argv[1:])
