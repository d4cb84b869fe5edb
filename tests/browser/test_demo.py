from __future__ import annotations

import time

import httpx
import pytest
import pytest_asyncio
from playwright.async_api import Page, expect

from project.demo.management.commands.seed import HEADLINES
from tests.browser.conftest import NewPage
from tests.browser.screenshot import PICTURES
from tests.servers import Server

pytestmark = pytest.mark.asyncio(loop_scope="session")


@pytest_asyncio.fixture(loop_scope="session")
async def phone(new_page: NewPage) -> Page:
    """A page of another visitor, on a small screen."""
    return await new_page(viewport={"width": 390, "height": 800})


async def _open(page: Page) -> None:
    await page.goto("/")
    await expect(page.get_by_role("status")).to_have_text("online")


async def _headlines(page: Page) -> list[str]:
    return await page.locator(".headline").all_inner_texts()


# A17
async def test_the_tickers_begin_with_a_headline_of_the_table(page: Page) -> None:
    await _open(page)
    headlines = await _headlines(page)
    assert len(headlines) == 2
    assert set(headlines) <= set(HEADLINES)


# A17
async def test_a_headline_from_anywhere_shows_in_both_windows_and_both_ways(
    page: Page, phone: Page, server: Server
) -> None:
    for one in (page, phone):
        await _open(one)
    start = time.monotonic()
    async with httpx.AsyncClient(headers=server.headers) as client:
        url = f"{server.url}/api/v1/groups/news.updates/data-changed"
        await client.post(url, json={"data": {"headline": "From anywhere"}})
    for one in (page, phone):
        await expect(one.get_by_text("From anywhere", exact=True)).to_have_count(2)
    assert time.monotonic() - start < 1


async def test_a_headline_from_the_form_shows_in_both_windows(
    page: Page, phone: Page
) -> None:
    for one in (page, phone):
        await _open(one)
    await page.get_by_label("A headline").fill("From the form")
    await page.get_by_role("button", name="Publish").click()
    for one in (page, phone):
        await expect(one.get_by_text("From the form", exact=True)).to_have_count(2)


# A33
async def test_an_alert_is_shown_to_everybody_and_dismissed_by_each(
    page: Page, phone: Page
) -> None:
    for one in (page, phone):
        await _open(one)
        await expect(one.get_by_role("alert")).to_be_hidden()
    await page.get_by_label("An alert").fill("System shutdown in 5m")
    await page.get_by_role("button", name="Alert").click()
    for one in (page, phone):
        await expect(one.get_by_role("alert")).to_contain_text("System shutdown in 5m")
    await page.get_by_role("button", name="Dismiss").click()
    await expect(page.get_by_role("alert")).to_be_hidden()
    await expect(phone.get_by_role("alert")).to_be_visible()


@pytest.mark.parametrize("address", PICTURES)
async def test_nothing_is_wider_than_a_phone(phone: Page, address: str) -> None:
    await phone.goto(address)
    assert await phone.evaluate(
        "document.documentElement.scrollWidth <= document.documentElement.clientWidth"
    )


# A1
async def test_a_page_without_components_has_no_script(page: Page) -> None:
    await page.goto("/bare")
    links_to_the_console = 'href="/sse/console"'
    assert "/sse/" not in (await page.content()).replace(links_to_the_console, "")
