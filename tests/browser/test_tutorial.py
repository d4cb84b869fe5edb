from __future__ import annotations

from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest
import pytest_asyncio
from playwright.async_api import Browser, Locator, Page, expect

from tests.redis_servers import RedisServer
from tests.servers import ROOT
from tests.tutorials import Reader
from tests.wheels import build_wheel

pytestmark = pytest.mark.asyncio(loop_scope="session")

TUTORIAL = ROOT / "docs" / "tutorial.md"
BACK = 20_000
"""Milliseconds in which a page has fetched after a restart, whatever else runs."""


@pytest.fixture
def reader(tmp_path: Path, redis_server: RedisServer) -> Iterator[Reader]:
    folder = tmp_path / "wheel"
    folder.mkdir()
    instead = {"redis://localhost:6379/0": redis_server.url}
    reader = Reader(TUTORIAL.read_text(), tmp_path, build_wheel(folder), instead)
    yield reader
    reader.stop()
    print(reader.log)  # shown if the test has failed
    assert "Traceback" not in reader.log


class Windows:
    """Opens windows, and notes the errors in them."""

    def __init__(self, browser: Browser) -> None:
        self._browser = browser
        self._pages: list[Page] = []
        self.errors: list[str] = []

    async def open(self, url: str, beside: Page | None = None) -> Page:
        """Open a window of a browser of its own, or of that of another."""
        context = beside.context if beside else await self._browser.new_context()
        page = await context.new_page()
        page.on("pageerror", lambda error: self.errors.append(str(error)))
        await page.goto(url)
        self._pages.append(page)
        return page

    async def close(self) -> None:
        for page in self._pages:
            await page.context.close()


@pytest_asyncio.fixture(loop_scope="session")
async def windows(browser: Browser) -> AsyncIterator[Windows]:
    windows = Windows(browser)
    yield windows
    await windows.close()
    assert not windows.errors


@pytest.mark.timeout(240)
async def test_the_tutorial_leads_where_it_says(
    reader: Reader, windows: Windows
) -> None:
    reader.follow("1. A project")
    reader.follow("2. A model that tells of its rows")
    reader.follow("3. Components that listen")
    one = await windows.open(reader.url)
    await expect(one.get_by_text("Nothing to do.")).to_be_visible()
    await _add(one, "Buy milk")
    await expect(_row(one, "Buy milk")).to_be_visible()
    await expect(one.get_by_text("Nothing to do.")).to_be_hidden()
    other = await windows.open(reader.url)
    await _use_two_windows(one, other)
    await _restart(reader, one, other)
    await _add(one, "Feed the cat")
    for page in (one, other):
        await expect(_row(page, "Feed the cat")).to_be_visible(timeout=BACK)
    reader.follow("5. From somewhere else")
    for page in (one, other):
        await expect(_row(page, "Call mum")).to_be_visible()
    reader.follow("6. To each their own")
    await _use_three_windows(reader, windows)
    reader.follow("7. A field that saves itself")
    ada, also_ada = await _log_in_twice(reader, windows, "ada")
    await _edit(ada, also_ada)
    reader.follow("8. Tests")
    reader.follow("9. More than one process", until="python manage.py shell")
    await _restart(reader, ada, also_ada)
    reader.follow("9. More than one process")
    for page in (ada, also_ada):
        await expect(_titles(page).last).to_have_value("Call mum")
    assert reader.is_done


async def _use_two_windows(one: Page, other: Page) -> None:
    await _live(other)
    asked = _requests(other)
    await _add(one, "Water the plants")
    await expect(_row(other, "Water the plants")).to_be_visible()
    await _row(other, "Water the plants").get_by_role("checkbox").check()
    await expect(_row(one, "Water the plants").get_by_role("checkbox")).to_be_checked()
    await _delete(one, "Buy milk")
    await expect(_row(other, "Buy milk")).to_have_count(0)
    await _delete(other, "Water the plants")
    for page in (one, other):
        await expect(page.get_by_role("listitem")).to_have_text("Nothing to do.")
    assert [url.rpartition("/components/")[2] for url in asked] == [
        "todo.TodoList/_refresh",
        "todo.TodoRow/check",
        "todo.TodoRow/discard",
    ]


async def _restart(reader: Reader, *pages: Page) -> None:
    reader.stop()
    for page in pages:
        await page.wait_for_function("!Alpine.store('sse').online")
    reader.start()
    for page in pages:
        await _live(page)


async def _use_three_windows(reader: Reader, windows: Windows) -> None:
    ada, also_ada = await _log_in_twice(reader, windows, "ada")
    bob = await _log_in(reader, windows, "bob")
    asked = _requests(bob)
    await _add(ada, "Buy milk")
    await expect(_row(also_ada, "Buy milk")).to_be_visible()
    await _row(also_ada, "Buy milk").get_by_role("checkbox").check()
    await expect(_row(ada, "Buy milk").get_by_role("checkbox")).to_be_checked()
    await expect(bob.get_by_role("listitem")).to_have_text("Nothing to do.")
    assert not asked
    await ada.get_by_role("button", name="Log out").click()
    await expect(ada.get_by_label("Password")).to_be_visible()
    await also_ada.wait_for_function("!Alpine.store('sse').online")


async def _edit(ada: Page, also_ada: Page) -> None:
    asked = _requests(also_ada)
    await _titles(ada).fill("Buy oat milk")
    await expect(_titles(also_ada)).to_have_value("Buy oat milk")
    await also_ada.wait_for_timeout(500)
    assert not asked
    await _titles(also_ada).press("End")
    await _titles(also_ada).press_sequentially(", and bread")
    await ada.get_by_role("checkbox").uncheck()
    await expect(also_ada.get_by_role("checkbox")).not_to_be_checked()
    for page in (ada, also_ada):
        await expect(_titles(page)).to_have_value("Buy oat milk, and bread")


async def _log_in(
    reader: Reader, windows: Windows, name: str, beside: Page | None = None
) -> Page:
    page = await windows.open(reader.url, beside)
    if beside is None:
        await page.get_by_label("Username").fill(name)
        await page.get_by_label("Password").fill(name)
        await page.get_by_role("button", name="Log in").click()
    await expect(page.get_by_role("heading")).to_have_text(f"To do, {name}")
    await _live(page)
    return page


async def _log_in_twice(
    reader: Reader, windows: Windows, name: str
) -> tuple[Page, Page]:
    """Return two windows of one browser."""
    page = await _log_in(reader, windows, name)
    return page, await _log_in(reader, windows, name, beside=page)


async def _live(page: Page) -> None:
    await page.wait_for_function("window.Alpine?.store('sse')?.online === true")


async def _add(page: Page, title: str) -> None:
    field = page.get_by_label("What is to be done?")
    await field.fill(title)
    await field.press("Enter")
    await expect(field).to_have_value("")


async def _delete(page: Page, title: str) -> None:
    await _row(page, title).get_by_role("button", name="Delete").click()


def _row(page: Page, title: str) -> Locator:
    return page.get_by_role("listitem").filter(has_text=title)


def _titles(page: Page) -> Locator:
    return page.get_by_label("Title")


def _requests(page: Page) -> list[str]:
    """Return what a page asks for, as it does."""
    urls: list[str] = []
    page.on("request", lambda request: urls.append(request.url))
    return urls
