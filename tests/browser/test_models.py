from __future__ import annotations

import asyncio
import re
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
import pytest_asyncio
from playwright.async_api import Browser, Page, expect

from tests.redis_servers import NewRedisServer, RedisServer
from tests.servers import NewServer, Server

pytestmark = [pytest.mark.asyncio(loop_scope="session"), pytest.mark.database]

SETTINGS = {"DJANGO_SETTINGS_MODULE": "tests.shop.site.settings"}


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    server = Server(tmp_path_factory.mktemp("server"), environment=SETTINGS)
    server.manage("migrate", "--run-syncdb", "--verbosity=0")
    server.start()
    yield server
    server.stop()
    assert "Traceback" not in server.log


@pytest.fixture
def start(tmp_path: Path) -> Iterator[NewServer]:
    """Starts a server of the test's own, which doesn't outlive it."""
    servers: list[Server] = []

    def start(*arguments: Any, **more: Any) -> Server:
        server = Server(tmp_path, *arguments, **more)
        servers.append(server)
        server.manage("migrate", "--run-syncdb", "--verbosity=0")
        server.start()
        return server

    yield start
    for server in servers:
        server.close()


class Shop:
    """What is done to the rows, in the server's process."""

    def __init__(self, server: Server) -> None:
        self._url = server.url

    async def do(self, doing: str, **given: object) -> Any:
        async with httpx.AsyncClient(timeout=20) as client:
            answer = await client.post(f"{self._url}/do/{doing}", data=given)
        assert answer.status_code == 200, answer.text
        return answer.json()["result"]

    async def loads(self) -> dict[str, int]:
        async with httpx.AsyncClient() as client:
            loads: dict[str, int] = (await client.get(f"{self._url}/loads")).json()
        return loads


@pytest_asyncio.fixture(loop_scope="session")
async def shop(server: Server) -> Shop:
    """An empty one."""
    shop = Shop(server)
    await shop.do("clear")
    return shop


@pytest_asyncio.fixture(scope="module", loop_scope="session", autouse=True)
async def _patterns_are_known(browser: Browser, server: Server) -> None:
    """Open the lists once: whoever is the first to hear a pattern fetches once more."""
    context = await browser.new_context(base_url=server.url)
    page = await context.new_page()
    for address in ("/notes", "/projects"):
        await live(page, address)
        await Shop(server).do("create", text="moves the position past the pattern's")
        await page.wait_for_timeout(500)
    await context.close()


async def live(page: Page, address: str) -> None:
    await page.goto(address)
    await page.wait_for_function("window.Alpine?.store('sse')?.online === true")


async def texts(page: Page) -> list[str]:
    return [text.strip() for text in await page.locator("li").all_inner_texts()]


# A39, A40
async def test_a_row_comes_changes_and_goes_in_every_window(
    page: Page, other: Page, shop: Shop
) -> None:
    for one in (page, other):
        await live(one, "/notes")
    pk = await shop.do("create", text="a")
    for one in (page, other):
        await expect(one.locator("li")).to_have_text(["a"])
    await shop.do("change", pk=pk, text="b")
    for one in (page, other):
        await expect(one.locator("li")).to_have_text(["b"])
    await shop.do("delete", pk=pk)
    for one in (page, other):
        await expect(one.locator("li")).to_have_count(0)


# A39, A40
async def test_each_thing_that_happens_is_one_effect(page: Page, shop: Shop) -> None:
    first = await shop.do("create", text="a")
    second = await shop.do("create", text="b")
    await live(page, "/notes")
    before = await shop.loads()
    await shop.do("change", pk=first, text="a2")
    await expect(page.locator("li")).to_have_text(["a2", "b"])
    await shop.do("delete", pk=second)
    await expect(page.locator("li")).to_have_text(["a2"])
    await page.wait_for_timeout(700)
    after = await shop.loads()
    assert after[f"note {first}"] - before[f"note {first}"] == 1
    assert after[f"note {second}"] == before[f"note {second}"]
    assert after["notes"] == before["notes"]


# A39
async def test_data_that_travels_is_shown_without_a_fetch(
    page: Page, other: Page, shop: Shop
) -> None:
    pk = await shop.do("create_review", stars=3)
    for one in (page, other):
        await live(one, "/reviews")
    before = await shop.loads()
    await shop.do("rate", pk=pk, stars=5)
    for one in (page, other):
        await expect(one.locator(".stars")).to_have_text("5")
    assert await shop.loads() == before


# A39
async def test_data_that_no_property_takes_is_fetched(
    page: Page, other: Page, shop: Shop
) -> None:
    pk = await shop.do("create_book", title="x")
    for one in (page, other):
        await live(one, "/books")
    await shop.do("change_book", pk=pk, title="y", price="9.90")
    for one in (page, other):
        await expect(one.locator("h2")).to_have_text("y")
        await expect(one.locator(".price")).to_have_text("9.90")


async def test_the_others_of_a_list_keep_focus_and_what_was_typed(
    page: Page, shop: Shop
) -> None:
    pks = [await shop.do("create", text=text) for text in "bcd"]
    await live(page, "/notes")
    remark = page.get_by_label(f"remark {pks[1]}")
    await remark.press_sequentially("half a sen")
    await shop.do("create", text="a")
    await expect(page.locator("li")).to_have_text(["a", "b", "c", "d"])
    await shop.do("change", pk=pks[1], text="z")  # it moves, when the list is fetched
    await shop.do("create", text="e")
    await expect(page.locator("li")).to_have_text(["a", "b", "d", "e", "z"])
    await shop.do("delete", pk=pks[0])
    await expect(page.locator("li")).to_have_count(4)
    await expect(remark).to_have_value("half a sen")
    await expect(remark).to_be_focused()


# A42
async def test_what_is_rolled_back_is_never_seen_and_what_is_kept_is(
    page: Page, shop: Shop
) -> None:
    await live(page, "/notes")
    before = await shop.loads()
    await shop.do("roll_back", text="lost")
    await page.wait_for_timeout(500)
    assert await shop.loads() == before
    await shop.do("keep_one_of_two", kept="kept", lost="lost")
    await expect(page.locator("li")).to_have_text(["kept"])


# A42
async def test_who_fetches_because_of_an_event_sees_its_row(
    page: Page, shop: Shop
) -> None:
    await live(page, "/notes")
    before = (await shop.loads())["notes"]
    holding = asyncio.create_task(shop.do("hold", text="a", seconds=0.7))
    await page.wait_for_timeout(400)
    assert (await shop.loads())["notes"] == before  # nothing before the commit
    await holding
    await expect(page.locator("li")).to_have_text(["a"])
    assert (await shop.loads())["notes"] == before + 1


# A43
async def test_a_row_that_goes_with_another_is_removed(page: Page, shop: Shop) -> None:
    await shop.do("create_book", title="x", author="Ada")
    await shop.do("create_book", title="y")
    await live(page, "/books")
    await expect(page.locator("article")).to_have_count(2)
    await shop.do("delete_author", name="Ada")
    await expect(page.locator("h2")).to_have_text(["y"])


# A34, A44
async def test_many_rows_at_once_are_few_fetches(
    page: Page, other: Page, shop: Shop
) -> None:
    for one in (page, other):
        await live(one, "/notes")
    before = (await shop.loads())["notes"]
    await shop.do("create_many", count=30)
    for one in (page, other):
        await expect(one.locator("li")).to_have_count(30)
    await page.wait_for_timeout(700)
    assert (await shop.loads())["notes"] - before <= 2 * 2
    await shop.do("change_all", text="same")
    for one in (page, other):
        await expect(one.locator("li")).to_have_text(["same"] * 30)
    await shop.do("delete_all")
    for one in (page, other):
        await expect(one.locator("li")).to_have_count(0)


# A44
async def test_a_relation_is_seen(page: Page, shop: Shop) -> None:
    pk = await shop.do("create_book", title="x")
    await live(page, "/books")
    await shop.do("tag", pk=pk, name="old")
    await expect(page.locator(".tags")).to_have_text("old")


# A46
async def test_a_row_is_in_its_own_project_s_list_and_moves(
    page: Page, other: Page, shop: Shop
) -> None:
    await live(page, "/projects/7")
    await live(other, "/projects/8")
    pk = await shop.do("create_task", project=7, title="paint")
    await expect(page.locator("li")).to_have_text(["paint"])
    await expect(other.locator("li")).to_have_count(0)
    await shop.do("move_task", pk=pk, project=8)
    await expect(other.locator("li")).to_have_text(["paint"])
    await expect(page.locator("li")).to_have_count(0)


# A46
async def test_a_row_moves_between_two_lists_of_one_page(
    page: Page, shop: Shop
) -> None:
    pk = await shop.do("create_task", project=7, title="paint")
    await live(page, "/projects")
    for project, left in ((8, 7), (7, 8), (8, 7)):
        await shop.do("move_task", pk=pk, project=project)
        there = page.locator(f"#project-{project} li")
        await expect(there).to_have_text(["paint"])
        await expect(page.locator(f"#project-{left} li")).to_have_count(0)
        await page.wait_for_timeout(300)
        await expect(there).to_have_text(["paint"])


# A47
@pytest.mark.parametrize("late", [0.4, 1.2])
async def test_the_last_commit_is_shown_whoever_is_heard_last(
    page: Page, other: Page, shop: Shop, late: float
) -> None:
    pk = await shop.do("create_review", stars=1)
    for one in (page, other):
        await live(one, "/reviews")
    first = asyncio.create_task(shop.do("rate", pk=pk, stars=2, late=late))
    await asyncio.sleep(late / 2)  # it has committed, and says nothing yet
    await shop.do("rate", pk=pk, stars=3)
    for one in (page, other):
        await expect(one.locator(".stars")).to_have_text("3")
    await first
    await page.wait_for_timeout(1500)
    for one in (page, other):
        await expect(one.locator(".stars")).to_have_text("3")


# A48
async def test_an_asynchronous_view_is_heard_as_often_as_it_saves(
    page: Page, server: Server, shop: Shop
) -> None:
    pk = await shop.do("create", text="a")
    await live(page, "/notes")
    async with httpx.AsyncClient() as client:
        await client.get(f"{server.url}/change-thrice/{pk}")
    await expect(page.locator("li")).to_have_text(["three"])


# A55
async def test_a_component_whose_row_is_gone_goes_with_an_event(
    page: Page, server: Server, shop: Shop
) -> None:
    pk = await shop.do("create", text="a")
    await live(page, "/notes")
    await page.evaluate(
        "window.stale = 0; addEventListener('sse:stale', () => stale++);0"
    )
    await shop.do("vanish", pk=pk)
    await expect(page.locator("li")).to_have_count(1)
    async with httpx.AsyncClient(headers=server.headers) as client:
        await client.post(
            f"{server.url}/api/v1/groups/shop.note.{pk}/data-changed", json={}
        )
    await expect(page.locator("li")).to_have_count(0)
    assert await page.evaluate("stale") == 1


# A81
async def test_a_page_is_fetched_in_its_own_language_and_knows_its_address(
    page: Page, other: Page, server: Server, shop: Shop
) -> None:
    await live(page, "/de/month?page=2")
    await live(other, "/en/month")
    await expect(page.locator("#month")).to_have_text("Januar on /de/month?page=2, 1")
    await expect(other.locator("#month")).to_have_text("January on /en/month, 2")
    async with httpx.AsyncClient(headers=server.headers) as client:
        await client.post(
            f"{server.url}/api/v1/groups/month.changed/data-changed", json={}
        )
    await expect(page.locator("#month")).to_have_text(
        re.compile(r"^Januar on /de/month\?page=2, [34]$")
    )
    await expect(other.locator("#month")).to_have_text(
        re.compile(r"^January on /en/month, [34]$")
    )


# A45
async def test_what_is_saved_while_redis_is_away_is_shown_when_it_is_back(
    browser: Browser, start: NewServer, new_redis_server: NewRedisServer
) -> None:
    redis = new_redis_server()
    redis.start()
    server = start(environment=SETTINGS | {"SSE_BROKER_URL": redis.url})
    shop = Shop(server)
    context = await browser.new_context(base_url=server.url)
    page = await context.new_page()
    await shop.do("create", text="b")
    await live(page, "/notes")
    await asyncio.to_thread(redis.kill)
    pk = await shop.do("create", text="a")
    await shop.do("change", pk=pk, text="a2")
    assert "was not published" in server.log
    await asyncio.to_thread(redis.start)
    began = time.monotonic()
    await expect(page.locator("li")).to_have_text(["a2", "b"])
    assert time.monotonic() - began < 5
    await context.close()
    await asyncio.to_thread(server.stop)
    assert "Traceback" not in server.log


async def test_a_list_is_right_whichever_process_has_rendered_it(
    browser: Browser, start: NewServer, redis_server: RedisServer
) -> None:
    environment = SETTINGS | {"SSE_BROKER_URL": redis_server.url}
    server = start(["--workers", "2"], environment)
    shop = Shop(server)
    context = await browser.new_context(base_url=server.url)
    page = await context.new_page()
    await live(page, "/notes")
    for count in range(1, 13):  # the process without a stream lags behind
        await shop.do("create", text=f"{count:02}")
        await expect(page.locator("li")).to_have_count(count, timeout=2000)
    await context.close()
    await asyncio.to_thread(server.stop)
    assert "Traceback" not in server.log
