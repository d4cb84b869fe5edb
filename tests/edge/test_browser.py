"""The browser client behind a Pushpin, on pages that a WSGI server renders."""

from __future__ import annotations

import asyncio

import httpx
import pytest
from playwright.async_api import Page, expect

from tests.docs.conftest import OpenWindow
from tests.edge.worlds import World

pytestmark = [
    pytest.mark.alone,
    pytest.mark.timeout(90),
    pytest.mark.asyncio(loop_scope="session"),
]


async def _publish(world: World, headline: str) -> None:
    async with httpx.AsyncClient(headers=world.server.headers) as client:
        url = f"{world.server.url}/api/v1/groups/news.updates/data-changed"
        answer = await client.post(url, json={"data": {"headline": headline}})
    assert answer.status_code == 202


async def _shows(page: Page, headline: str) -> None:
    await expect(page.get_by_text(headline, exact=True)).to_have_count(
        2, timeout=15_000
    )


async def test_a_page_of_a_wsgi_server_stays_live_behind_a_pushpin(
    own_world: World, open_window: OpenWindow
) -> None:
    with own_world.running():
        page, other = [await open_window(base_url=own_world.url) for _ in range(2)]
        asked: list[str] = []
        page.on("request", lambda request: asked.append(request.url))
        for one in (page, other):
            await one.goto("/")
            await expect(one.get_by_role("status")).to_have_text("online")
        for number in range(3):  # the first of a group, and those that follow it
            await _publish(own_world, f"{number} of 100 %")
            for one in (page, other):
                await _shows(one, f"{number} of 100 %")
        await page.get_by_label("A headline").fill("From the form")
        await page.get_by_role("button", name="Publish").click()
        for one in (page, other):
            await _shows(one, "From the form")
        assert len([url for url in asked if "/sse/stream" in url]) == 1  # and held
        assert "/sse/ws" not in "".join(asked)

        own_world.pushpin.kill()
        await expect(page.get_by_role("status")).not_to_have_text("online")
        await _publish(own_world, "Meanwhile")
        await asyncio.to_thread(own_world.pushpin.start, own_world.server.port)
        for one in (page, other):
            await _shows(one, "Meanwhile")
        await _publish(own_world, "And after")
        for one in (page, other):
            await _shows(one, "And after")
