from __future__ import annotations

import asyncio
import time
from urllib.parse import urlsplit

import httpx
import pytest
from playwright.async_api import Browser, Page, Request, expect

from tests.servers import Server

pytestmark = pytest.mark.asyncio(loop_scope="session")


async def _publish(server: Server, headline: str) -> str:
    async with httpx.AsyncClient(headers=server.headers) as client:
        answer = await client.post(
            f"{server.url}/api/v1/groups/news.updates/data-changed",
            json={"data": {"headline": headline}},
        )
    assert answer.status_code == 202
    id: str = answer.json()["id"]
    return id


async def _is_connected(page: Page) -> None:
    await expect(page.locator("#status")).to_have_text("connected")
    await expect(page.locator("#log li", has_text="keep-alive").first).to_be_visible()


async def _log(page: Page) -> list[tuple[str, str]]:
    """Return the types and ids of what the page has heard, oldest first."""
    items = await page.locator("#log li").all()
    heard = []
    for item in reversed(items):
        type = await item.locator("b").inner_text()
        heard.append((type, await item.get_attribute("data-id") or ""))
    return heard


async def test_what_is_published_over_rest_changes_the_page_within_a_second(
    page: Page, server: Server
) -> None:
    await page.goto("/plain")
    await _is_connected(page)
    start = time.monotonic()
    await _publish(server, "Published <b>over</b> REST")
    await expect(page.locator("#headline")).to_have_text("Published <b>over</b> REST")
    assert time.monotonic() - start < 1


async def test_what_one_visitor_publishes_changes_the_page_of_another(
    page: Page, browser: Browser, server: Server
) -> None:
    other = await (await browser.new_context(base_url=server.url)).new_page()
    for one in (page, other):
        await one.goto("/plain")
        await _is_connected(one)
    await page.get_by_label("From Django").fill("From a view")
    await page.get_by_role("button", name="Publish").click()
    for one in (page, other):
        await expect(one.locator("#headline")).to_have_text("From a view")
    await other.reload()
    await expect(other.locator("#headline")).to_have_text("From a view")
    await other.context.close()


async def test_a_restart_is_survived_with_a_reset_and_what_comes_after_it(
    page: Page, server: Server
) -> None:
    await page.goto("/plain")
    await _is_connected(page)
    before = await _publish(server, "Before")
    await expect(page.locator("#headline")).to_have_text("Before")
    await asyncio.to_thread(server.stop)
    await expect(page.locator("#status")).to_have_text("connecting")
    await asyncio.to_thread(server.start)
    await _publish(server, "Around")
    await expect(page.locator("#status")).to_have_text("connected")
    await expect(page.locator("#log li", has_text="stream-reset")).to_have_count(1)
    after = [await _publish(server, "After"), await _publish(server, "Last")]
    await expect(page.locator("#headline")).to_have_text("Last")

    heard = [one for one in await _log(page) if one[0] != "keep-alive"]
    types = [type for type, _ in heard]
    close = types.index("stream-close")
    assert types[:close] == ["stream-open", "component.data_changed"]
    assert heard[close - 1][1] == before
    # The embedded broker has lost its memory, and nobody can know what was missed:
    # the stream says so, with an id of the new epoch, and goes on from there.
    assert types[close + 1 : close + 3] == ["stream-open", "stream-reset"]
    epoch = after[0].partition(":")[0]
    assert heard[close + 2][1].startswith(f"{epoch}:")
    ids = [id for type, id in heard if type == "component.data_changed"]
    assert ids[-2:] == after
    assert len(ids) == len(set(ids))


async def test_the_docs_of_the_api_need_no_other_host(
    page: Page, server: Server
) -> None:
    hosts: set[str] = set()

    def note(request: Request) -> None:
        if not request.url.startswith("data:"):
            hosts.add(urlsplit(request.url).netloc)

    page.on("request", note)
    await page.goto("/api/docs")
    await expect(page.get_by_text("/api/v1/events")).to_be_visible()
    await expect(page.get_by_text("Publish a batch")).to_be_visible()
    assert hosts == {urlsplit(server.url).netloc}
