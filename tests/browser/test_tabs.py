"""Many tabs of one browser, which share six connections over HTTP/1.1."""

from __future__ import annotations

import asyncio
from collections import Counter

import httpx
import pytest
from playwright.async_api import BrowserContext, Page, expect

from tests.browser.conftest import NewPage
from tests.servers import Server

pytestmark = pytest.mark.asyncio(loop_scope="session")

MOST = 5
"""Tabs that hold an event stream: four, and one where another is too busy to answer."""
TRANSPORT = "window.Alpine?.store('sse')?.transport ?? null"


async def _online(page: Page) -> str:
    await expect(page.get_by_role("status")).to_have_text("online", timeout=20_000)
    transport: str = await page.evaluate(TRANSPORT)
    return transport


async def _tab(context: BrowserContext) -> Page:
    page = await context.new_page()
    await page.goto("/")
    return page


async def _publish(server: Server, headline: str) -> None:
    async with httpx.AsyncClient(headers=server.headers) as client:
        url = f"{server.url}/api/v1/groups/news.updates/data-changed"
        answer = await client.post(url, json={"data": {"headline": headline}})
    assert answer.status_code == 202


async def _all_show(tabs: list[Page], headline: str) -> None:
    for tab in tabs:
        await expect(tab.get_by_text(headline, exact=True)).to_have_count(2)


# A78
async def test_ten_tabs_load_and_are_live_and_their_buttons_answer(
    new_page: NewPage, server: Server, behind: object
) -> None:
    context = (await new_page()).context
    tabs = [await _tab(context) for _ in range(10)]
    transports = Counter([await _online(tab) for tab in tabs])
    if behind is None:
        assert 1 <= transports["sse"] <= MOST
    await _publish(server, "For all ten")
    await _all_show(tabs, "For all ten")
    for number, tab in enumerate(tabs):
        await tab.get_by_label("A headline").fill(f"From tab {number}")
        await tab.get_by_role("button", name="Publish").first.click()
        await _all_show(tabs, f"From tab {number}")


# A78
async def test_tabs_that_are_opened_at_the_same_time_agree_too(
    new_page: NewPage, server: Server, behind: object
) -> None:
    context = (await new_page()).context
    tabs = await asyncio.gather(*(_tab(context) for _ in range(10)))
    transports = Counter([await _online(tab) for tab in tabs])
    if behind is None:
        assert 1 <= transports["sse"] <= MOST
    await _publish(server, "For all ten")
    await _all_show(tabs, "For all ten")


# A78
async def test_a_tab_that_is_closed_leaves_its_place_to_the_next(
    new_page: NewPage, behind: object
) -> None:
    if behind is not None:
        pytest.skip("Behind it nobody has an event stream.")
    context = (await new_page()).context
    tabs = [await _tab(context) for _ in range(4)]
    assert {await _online(tab) for tab in tabs} == {"sse"}
    tabs += [await _tab(context) for _ in range(2)]
    assert await _online(tabs[-1]) == "websocket"
    for tab in tabs[:4]:
        await tab.close()
    assert await _online(await _tab(context)) == "sse"


# A78
async def test_a_restart_brings_all_ten_back(
    new_page: NewPage, server: Server, behind: object
) -> None:
    context = (await new_page()).context
    tabs = [await _tab(context) for _ in range(10)]
    for tab in tabs:
        await _online(tab)
    await asyncio.to_thread(server.stop)
    for tab in tabs:
        await expect(tab.get_by_role("status")).not_to_have_text(
            "online", timeout=20_000
        )
    await asyncio.to_thread(server.start)
    transports = Counter([await _online(tab) for tab in tabs])
    if behind is None:
        assert transports["sse"] <= MOST
    await _publish(server, "Back again")
    await _all_show(tabs, "Back again")
