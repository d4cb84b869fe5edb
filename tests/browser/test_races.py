from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Coroutine, Iterator
from typing import Any

import httpx
import pytest
from playwright.async_api import Page, Route, expect

from tests.browser.conftest import NewPage
from tests.servers import Server

pytestmark = [pytest.mark.asyncio(loop_scope="session"), pytest.mark.database]

SETTINGS = {"DJANGO_SETTINGS_MODULE": "tests.shop.site.settings"}
CALLS = "**/sse/components/**"

Do = Callable[..., Coroutine[Any, Any, Any]]


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    server = Server(tmp_path_factory.mktemp("server"), environment=SETTINGS)
    server.manage("migrate", "--run-syncdb", "--verbosity=0")
    server.start()
    yield server
    server.stop()
    assert "Traceback" not in server.log


@pytest.fixture
def do(server: Server) -> Do:
    """Has the server do something to the rows, of which there are none at first."""
    httpx.post(f"{server.url}/do/clear")

    async def do(doing: str, **given: object) -> Any:
        async with httpx.AsyncClient(timeout=20) as client:
            answer = await client.post(f"{server.url}/do/{doing}", data=given)
        return answer.json()["result"]

    return do


async def live(page: Page, address: str) -> None:
    await page.goto(address)
    await page.wait_for_function("window.Alpine?.store('sse')?.online === true")


async def delay_first_answer(
    page: Page, meanwhile: Callable[[], Awaitable[Any]]
) -> None:
    """Let something happen, and be heard of, between an answer and its arrival."""
    delayed = False

    async def handle(route: Route) -> None:
        nonlocal delayed
        if delayed:
            await route.continue_()
            return
        delayed = True
        answer = await route.fetch()
        await meanwhile()
        await page.wait_for_timeout(500)
        await route.fulfill(response=answer)

    await page.route(CALLS, handle)


# A39
async def test_a_row_deleted_while_the_list_is_fetched_is_gone(
    page: Page, do: Do
) -> None:
    pk = await do("create", text="a")
    await live(page, "/notes")
    await delay_first_answer(page, lambda: do("delete", pk=pk))
    await do("create", text="b")
    await expect(page.locator("#note-" + str(pk))).to_have_count(0)
    await expect(page.locator("li")).to_have_text(["b"])


# A39
async def test_a_new_row_changed_while_the_list_is_fetched_is_right(
    page: Page, do: Do
) -> None:
    await live(page, "/notes")
    await delay_first_answer(page, lambda: do("change_all", text="b"))
    await do("create", text="a")
    await expect(page.locator("li")).to_have_text(["b"])


# A47
async def test_an_earlier_change_published_after_one_without_data_is_not_kept(
    page: Page, do: Do
) -> None:
    pk = await do("create_review", stars=1)
    await live(page, "/reviews")
    stars = page.locator(".stars")
    earlier = asyncio.create_task(do("rate", pk=pk, stars=2, late=1))
    await asyncio.sleep(0.4)
    await do("rate_by_query", pk=pk, stars=3)
    await expect(stars).to_have_text("3")
    await earlier
    await page.wait_for_timeout(1000)
    await expect(stars).to_have_text("3")


async def test_a_call_whose_answer_is_lost_shows_what_it_has_done(
    new_page: NewPage, do: Do
) -> None:
    page = await new_page(may_fail=True)
    await do("create_review", stars=1)
    await live(page, "/raters")
    lost = 0

    async def lose(route: Route) -> None:
        nonlocal lost
        if route.request.url.endswith("/rate"):
            lost += 1
            await route.fetch()
            await route.abort()
        else:
            await route.continue_()

    await page.route(CALLS, lose)
    await page.locator("a").click()
    await expect(page.locator("b")).to_have_text("5")
    assert lost == 1
