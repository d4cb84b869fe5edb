"""The transport client, on the demo's page that has nothing else of ours."""

from __future__ import annotations

import asyncio

import httpx
import pytest
from playwright.async_api import Page, expect

from tests.servers import Server

pytestmark = pytest.mark.asyncio(loop_scope="session")


async def _publish(server: Server, group: str, headline: str) -> None:
    async with httpx.AsyncClient(headers=server.headers) as client:
        answer = await client.post(
            f"{server.url}/api/v1/groups/{group}/data-changed",
            json={"data": {"headline": headline}},
        )
    assert answer.status_code == 202


async def _is_connected(page: Page) -> None:
    await expect(page.locator("#status")).to_contain_text("connected (")


async def _hears(page: Page, headline: str, times: int) -> None:
    await expect(page.locator("#log li", has_text=headline)).to_have_count(times)


async def test_a_page_hears_the_groups_that_are_ticked_and_no_others(
    page: Page, server: Server
) -> None:
    await page.goto("/client")
    await _is_connected(page)
    await _publish(server, "news.sport", "nobody hears this")
    await _publish(server, "news.updates", "one")
    await _hears(page, "one", 1)
    await page.locator("input[value='news.sport']").check()
    await expect(page.locator("#log li", has_text="news.sport: fetch")).to_have_count(0)
    async with asyncio.timeout(10):
        while await page.locator("#log li", has_text="two").count() == 0:
            await _publish(server, "news.sport", "two")
            await asyncio.sleep(0.1)
    await page.locator("input[value='news.updates']").uncheck()
    await page.locator("input[value='news.sport']").uncheck()
    await expect(page.locator("#status")).to_contain_text("closed")
    assert await page.locator("#log li", has_text="nobody hears this").count() == 0


async def test_a_pattern_hears_all_groups_under_it(page: Page, server: Server) -> None:
    await page.goto("/client")
    await page.locator("input[value='news.updates']").uncheck()
    await page.locator("input[value='news.*']").check()
    await _is_connected(page)
    async with asyncio.timeout(10):
        while await page.locator("#log li", has_text="any").count() == 0:
            await _publish(server, "news.weather", "any")
            await asyncio.sleep(0.1)


async def test_a_group_that_is_refused_says_so_and_stops_nothing(
    page: Page, server: Server
) -> None:
    await page.goto("/client")
    await page.locator("input[value='orders.7']").check()
    refused = page.locator("label", has_text="orders.7").locator("small")
    await expect(refused).to_have_text("refused")
    await _is_connected(page)
    await _publish(server, "news.updates", "still here")
    await _hears(page, "still here", 1)


# A5
async def test_what_is_published_while_it_is_away_is_told_once_when_it_is_back(
    page: Page, server: Server
) -> None:
    await page.goto("/client")
    await _is_connected(page)
    await _publish(server, "news.updates", "before")
    await _hears(page, "before", 1)
    await page.evaluate("document.dispatchEvent(new Event('freeze'))")
    await expect(page.locator("#status")).to_have_text("disconnected")
    for number in range(5):
        await _publish(server, "news.updates", f"away {number}")
    await page.evaluate("document.dispatchEvent(new Event('resume'))")
    await _is_connected(page)
    for number in range(5):
        await _hears(page, f"away {number}", 1)
    said = await page.locator("#log li", has_text="away").all_inner_texts()
    assert [text.split("away ")[1][0] for text in said] == list("43210")
