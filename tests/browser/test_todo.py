from __future__ import annotations

import asyncio
import time
from collections.abc import Iterator

import httpx
import pytest
import pytest_asyncio
from playwright.async_api import Page, expect

from project.demo.components.todo import ALL_ITEMS, ITEMS
from tests.browser.conftest import NewPage
from tests.browser.people import (
    add_item,
    item,
    items,
    join,
    note_posts,
    open_todo,
    shows_items,
)
from tests.servers import Server

pytestmark = [pytest.mark.asyncio(loop_scope="session"), pytest.mark.database]


FILL = """
from project.demo.models import TodoItem
rows = [
    TodoItem(owner="{owner}", title=f"item {{number}}", position=number)
    for number in range({count})
]
TodoItem.objects.bulk_create(rows)
"""
COUNT = "from project.demo.models import TodoItem; print(TodoItem.objects.count())"

OWNER = "JSON.parse(document.querySelector('.todo').dataset.sseGroups)[0].slice(5)"
FOCUS = "document.activeElement.id || document.activeElement.ariaLabel"


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """One for all tests: their visitors have lists of their own."""
    server = Server(tmp_path_factory.mktemp("server"))
    server.start()
    yield server
    assert server.stop() == 0
    assert "Traceback" not in server.log


@pytest_asyncio.fixture(loop_scope="session")
async def visit(new_page: NewPage) -> NewPage:
    """Opens the lists of visitors who have browsers of their own."""

    async def visit() -> Page:
        page = await new_page()
        await open_todo(page)
        return page

    return visit


async def _second(page: Page) -> Page:
    """Open a second window of the same browser."""
    window = await page.context.new_page()
    await open_todo(window)
    return window


# A50
async def test_what_one_adds_shows_in_its_windows_and_in_nobody_elses(
    visit: NewPage,
) -> None:
    page, stranger = await visit(), await visit()
    window = await _second(page)
    await expect(page.get_by_text("Nothing to do yet.")).to_be_visible()
    for title in ("Buy milk", "Water the plants"):
        start = time.monotonic()
        await add_item(page, title)
        await expect(item(window, title)).to_be_visible()
        assert time.monotonic() - start < 1
        assert await page.evaluate(FOCUS) == "new-item"
        await expect(page.get_by_label("What is to be done?")).to_have_value("")
    await expect(window.get_by_text("0 of 2 done")).to_be_visible()
    await add_item(stranger, "Call mum")
    await shows_items(stranger, ["Call mum"])
    for own in (page, window):
        await shows_items(own, ["Buy milk", "Water the plants"])


async def test_a_check_and_a_title_are_shown_without_being_fetched(
    visit: NewPage,
) -> None:
    page = await visit()
    await add_item(page, "Buy milk")
    await add_item(page, "Call mum")
    window = await _second(page)
    posts = note_posts(window)
    start = time.monotonic()
    await item(page, "Call mum").get_by_role("checkbox").check()
    await expect(item(window, "Call mum").get_by_role("checkbox")).to_be_checked()
    await expect(window.get_by_text("1 of 2 done")).to_be_visible()
    assert time.monotonic() - start < 1
    await expect(item(window, "Buy milk").get_by_role("checkbox")).not_to_be_checked()
    await item(page, "Buy milk").get_by_label("Title").fill("Buy oat milk")
    await shows_items(window, ["Buy oat milk", "Call mum"])
    await item(page, "Call mum").get_by_role("checkbox").uncheck()
    await expect(window.get_by_text("0 of 2 done")).to_be_visible()
    await expect(item(window, "Call mum").get_by_role("checkbox")).not_to_be_checked()
    assert set(posts) == {"demo.TodoCount/_refresh"}
    await window.reload()
    await shows_items(window, ["Buy oat milk", "Call mum"])


async def test_while_one_types_a_title_is_saved_when_there_is_a_pause(
    visit: NewPage,
) -> None:
    page = await visit()
    await add_item(page, "Buy")
    posts = note_posts(page)
    await item(page, "Buy").get_by_label("Title").press("End")
    await page.keyboard.type(" some milk", delay=30)
    await expect(item(page, "Buy some milk")).to_be_visible()
    window = await _second(page)
    await page.keyboard.press("Enter")
    await expect(page.locator("body")).to_be_focused()
    await shows_items(page, ["Buy some milk"])
    await window.reload()
    await shows_items(window, ["Buy some milk"])
    posts_of_the_row = [post for post in posts if "TodoCount" not in post]
    assert posts_of_the_row == ["demo.TodoRow/rename"]


async def test_a_title_without_a_word_becomes_what_it_was(visit: NewPage) -> None:
    page = await visit()
    await page.get_by_label("What is to be done?").fill("  Buy   milk ")
    await page.keyboard.press("Enter")
    await shows_items(page, ["Buy milk"])
    field = item(page, "Buy milk").get_by_label("Title")
    await field.fill("  ")
    await page.get_by_label("What is to be done?").focus()
    await shows_items(page, ["Buy milk"])


async def test_what_is_deleted_is_gone_from_all_windows(visit: NewPage) -> None:
    page = await visit()
    for title in ("one", "two", "three", "four"):
        await add_item(page, title)
    window = await _second(page)
    posts = note_posts(window)
    start = time.monotonic()
    await page.get_by_role("button", name="Delete: two").click()
    await shows_items(window, ["one", "three", "four"])
    await expect(window.get_by_text("0 of 3 done")).to_be_visible()
    assert time.monotonic() - start < 1
    for title in ("one", "four"):
        await item(window, title).get_by_role("checkbox").check()
    await expect(page.get_by_text("2 of 3 done")).to_be_visible()
    await page.get_by_role("button", name="Clear done").click()
    for each in (page, window):
        await shows_items(each, ["three"])
        await expect(each.get_by_text("0 of 1 done")).to_be_visible()
        await expect(each.get_by_role("button", name="Clear done")).to_have_count(0)
    assert "demo.TodoList/_refresh" not in posts
    await page.get_by_role("button", name="Delete: three").click()
    await expect(window.get_by_text("Nothing to do yet.")).to_be_visible()


async def test_a_row_is_moved_by_the_keyboard_and_keeps_the_focus(
    visit: NewPage,
) -> None:
    page = await visit()
    for title in ("one", "two", "three"):
        await add_item(page, title)
    window = await _second(page)
    await page.get_by_role("button", name="Move down: one").focus()
    for order in (["two", "one", "three"], ["two", "three", "one"]):
        start = time.monotonic()
        await page.keyboard.press("Enter")
        for each in (page, window):
            await shows_items(each, order)
        assert time.monotonic() - start < 1
        assert await page.evaluate(FOCUS) == "Move down: one"
    await page.keyboard.press("Enter")  # it is the last already
    await page.get_by_role("button", name="Move up: three").click()
    for each in (page, window):
        await shows_items(each, ["three", "two", "one"])
    await window.reload()
    await shows_items(window, ["three", "two", "one"])


async def test_who_deletes_by_the_keyboard_goes_on_at_the_next_row(
    visit: NewPage,
) -> None:
    page = await visit()
    for title in ("one", "two", "three"):
        await add_item(page, title)
    await page.get_by_role("button", name="Delete: two").focus()
    for left, focus in (
        (["one", "three"], "Delete: three"),
        (["one"], "Delete: one"),
        ([], "new-item"),
    ):
        await page.keyboard.press("Enter")
        await shows_items(page, left)
        assert await page.evaluate(FOCUS) == focus


# A32
async def test_who_types_in_a_row_keeps_the_focus_and_the_text_whatever_others_do(
    visit: NewPage,
) -> None:
    page = await visit()
    for title in ("one", "two", "three"):
        await add_item(page, title)
    window = await _second(page)
    await item(window, "two").get_by_label("Title").press("Home")
    await window.keyboard.type("number ")
    await window.evaluate("window.field = document.activeElement")
    await add_item(page, "four")
    await item(page, "one").get_by_role("checkbox").check()
    await page.get_by_role("button", name="Delete: three").click()
    await page.get_by_role("button", name="Move up: four").click()
    await shows_items(window, ["one", "four", "number two"])
    assert await window.evaluate("document.activeElement === window.field")
    await window.keyboard.type("is ")
    await shows_items(page, ["one", "four", "number is two"])
    await expect(item(window, "one").get_by_role("checkbox")).to_be_checked()


async def test_what_is_typed_while_a_row_is_being_added_is_kept(visit: NewPage) -> None:
    page = await visit()
    await page.get_by_label("What is to be done?").focus()
    await page.keyboard.type("one\ntwo\nthree\nfo")
    await expect(items(page)).to_have_count(3)
    await expect(page.get_by_label("What is to be done?")).to_have_value("fo")


# A19
async def test_a_stranger_gets_neither_the_events_nor_the_rows(
    visit: NewPage, server: Server
) -> None:
    page, stranger = await visit(), await visit()
    await add_item(page, "Buy milk")
    owner = await page.evaluate(OWNER)
    cookies = {
        cookie.get("name", ""): cookie.get("value", "")
        for cookie in await stranger.context.cookies()
    }
    async with httpx.AsyncClient(base_url=server.url, cookies=cookies) as client:
        for name in (f"todo.{owner}", f"todo.{owner}.*", "todo.nobody"):
            answer = await client.get(f"/sse/groups/{name}")
            assert "forbidden" in answer.text and "stream-open" not in answer.text

    state = await items(page).get_attribute("data-sse-state")
    discard = """async (state) => {
      const { csrf } = document.querySelector("[data-csrf]").dataset
      const headers = { "X-CSRFToken": csrf }
      const body = JSON.stringify({ state, props: {}, pushed: [], args: [] })
      const address = "/sse/components/demo.TodoRow/discard"
      return (await fetch(address, { method: "POST", headers, body })).status
    }"""
    assert await stranger.evaluate(discard, state) == 410
    await shows_items(page, ["Buy milk"])
    assert await page.evaluate(discard, state) == 200


# A22
async def test_the_page_does_not_tell_the_session_key(visit: NewPage) -> None:
    page = await visit()
    await add_item(page, "Buy milk")
    cookies = await page.context.cookies()
    keys = [one.get("value") for one in cookies if one.get("name") == "sessionid"]
    assert keys and keys[0] and keys[0] not in await page.content()


async def test_a_list_that_is_full_says_so_and_gives_the_text_back(
    visit: NewPage, server: Server
) -> None:
    page = await visit()
    owner = await page.evaluate(OWNER)
    server.manage("shell", "--verbosity=0", "-c", FILL.format(owner=owner, count=ITEMS))
    await page.reload()
    await expect(items(page)).to_have_count(ITEMS)
    window = await _second(page)
    field = page.get_by_label("What is to be done?")
    await field.fill("one more")
    await field.press("Enter")
    await expect(page.get_by_role("alert")).to_have_text("A list has room for 100.")
    await expect(field).to_have_value("one more")
    await page.get_by_role("button", name="Delete: item 99").click()
    await expect(items(window)).to_have_count(ITEMS - 1)
    await field.press("Enter")
    await expect(item(window, "one more")).to_be_visible()
    await expect(page.get_by_role("alert")).to_have_count(0)


async def test_the_oldest_rows_of_all_make_room(visit: NewPage, server: Server) -> None:
    count = ALL_ITEMS - int(server.manage("shell", "--verbosity=0", "-c", COUNT))
    fill = FILL.format(owner="somebody", count=count)
    server.manage("shell", "--verbosity=0", "-c", fill)
    page = await visit()
    await add_item(page, "Buy milk")
    await shows_items(page, ["Buy milk"])
    assert int(server.manage("shell", "--verbosity=0", "-c", COUNT)) == ALL_ITEMS


async def test_nobody_finds_the_database_locked_by_others(visit: NewPage) -> None:
    moves = """async (count) => {
      const row = document.querySelector(".todo li")
      for (; count; count--) await Alpine.$data(row).move(1)
    }"""
    pages = [await visit() for _ in range(4)]
    for page in pages:
        for title in ("one", "two"):
            await add_item(page, title)
    await asyncio.gather(*(page.evaluate(moves, 20) for page in pages))


# A82
async def test_a_login_keeps_the_list(visit: NewPage) -> None:
    page = await visit()
    await add_item(page, "Buy milk")
    window = await page.context.new_page()
    await join(window, "anna")
    await open_todo(window)
    await shows_items(window, ["Buy milk"])
    await add_item(window, "Call mum")
    await shows_items(page, ["Buy milk", "Call mum"])
    await add_item(page, "Water the plants")
    await shows_items(window, ["Buy milk", "Call mum", "Water the plants"])


async def test_the_list_is_not_wider_than_a_phone(visit: NewPage) -> None:
    page = await visit()
    await page.set_viewport_size({"width": 390, "height": 844})
    await add_item(page, "w" * 200)
    assert await page.evaluate(
        "document.documentElement.scrollWidth <= document.documentElement.clientWidth"
    )
