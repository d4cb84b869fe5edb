from __future__ import annotations

import asyncio
import html
import re
import signal
import time
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest
import pytest_asyncio
from playwright.async_api import Browser, Locator, Page, expect

from project.demo.jobs import MOST, SAVED_AFTER, STEPS
from project.demo.models import LOST_SECONDS
from tests.browser.conftest import NewPage
from tests.browser.people import note_posts, open_job
from tests.redis_servers import RedisServer
from tests.servers import Server, wait_until

pytestmark = pytest.mark.asyncio(loop_scope="session")

RESULT = "9,592 found"
SHUTDOWN_SECONDS = 3
ENDS = 20_000
"""Milliseconds, of which the job takes at least half."""


@pytest_asyncio.fixture(loop_scope="session")
async def visit(new_page: NewPage) -> NewPage:
    """Opens the jobs of visitors who have browsers of their own."""

    async def visit() -> Page:
        page = await new_page()
        await open_job(page)
        return page

    return visit


@pytest.fixture
def pair(tmp_path: Path, redis_server: RedisServer) -> Iterator[list[Server]]:
    """The servers A and B, over one Redis and one database."""
    environment = {"SSE_BROKER_URL": redis_server.url}
    pair: list[Server] = []
    for name in ("a", "b"):
        folder = tmp_path / name
        folder.mkdir()
        pair.append(Server(folder, environment=environment))
        environment["DATABASE_URL"] = pair[0].database_url
    try:
        for server in pair:
            server.start()
        yield pair
    finally:
        for server in pair:
            server.close()
    for server in pair:
        assert "Traceback" not in server.log


async def _second(page: Page) -> Page:
    """Open a second window of the same browser."""
    window = await page.context.new_page()
    await open_job(window)
    return window


async def _start(page: Page) -> None:
    await page.get_by_role("button", name="Start").click()
    await expect(page.get_by_role("button", name="Cancel")).to_be_visible()


def _job(page: Page) -> Locator:
    return page.get_by_role("region", name="Primes below 100,000")


async def _done(page: Page) -> int:
    done = await page.get_by_role("progressbar").evaluate("(bar) => bar.value")
    assert isinstance(done, int)
    return done


async def _passes(page: Page, percent: int) -> None:
    shown = f"document.querySelector('progress').value >= {percent}"
    await page.wait_for_function(shown)


async def test_the_progress_is_pushed_to_all_windows_and_to_no_stranger(
    visit: NewPage,
) -> None:
    page, stranger = await visit(), await visit()
    window = await _second(page)
    posts = note_posts(window)
    await _start(page)
    await _passes(window, 10)
    for _ in range(3):
        ours, theirs = await asyncio.gather(_done(page), _done(window))
        assert abs(ours - theirs) <= 5
        await asyncio.sleep(0.5)
    assert posts == ["demo.LongJob/_refresh"]  # as it has begun
    for each in (page, window):
        await expect(_job(each)).to_contain_text("Finished", timeout=ENDS)
        await expect(_job(each)).to_contain_text(RESULT)
        assert await _done(each) == STEPS
    assert posts == ["demo.LongJob/_refresh"] * 2
    await expect(_job(stranger)).to_contain_text("0 found")
    await expect(_job(stranger)).to_contain_text("It takes about ten seconds.")


async def test_a_job_is_cancelled_from_any_window_and_can_be_started_again(
    visit: NewPage,
) -> None:
    page = await visit()
    window = await _second(page)
    await _start(page)
    await _passes(window, 15)
    start = time.monotonic()
    await window.get_by_role("button", name="Cancel").click()
    for each in (page, window):
        await expect(_job(each)).to_contain_text("Cancelled at")
    assert time.monotonic() - start < 1
    done = await _done(page)
    assert done >= 15
    await asyncio.sleep(0.5)
    for each in (page, window):
        await expect(_job(each)).to_contain_text(f"Cancelled at {done} %.")
        assert await _done(each) == done
    await _start(page)
    await expect(window.get_by_role("button", name="Cancel")).to_be_visible()
    assert await _done(window) < done


async def test_who_starts_with_the_keyboard_can_cancel_with_it(visit: NewPage) -> None:
    page = await visit()
    await page.get_by_role("button", name="Start").focus()
    await page.keyboard.press("Enter")
    await expect(page.get_by_role("button", name="Cancel")).to_be_focused()
    await page.keyboard.press("Enter")
    await expect(page.get_by_role("button", name="Start again")).to_be_focused()


async def test_the_second_click_of_two_does_not_cancel_what_the_first_has_started(
    visit: NewPage,
) -> None:
    page = await visit()
    await page.get_by_role("button", name="Start").hover()
    for count in (1, 2):
        await page.mouse.down(click_count=count)
        await page.mouse.up(click_count=count)
        await expect(page.get_by_role("button", name="Cancel")).to_be_visible()
    await _passes(page, 10)


async def test_a_reload_in_the_middle_shows_where_it_is(
    visit: NewPage, server: Server
) -> None:
    page = await visit()
    await _start(page)
    await _passes(page, 25)
    cookies = {
        one.get("name", ""): one.get("value", "")
        for one in await page.context.cookies()
    }
    async with httpx.AsyncClient(base_url=server.url, cookies=cookies) as client:
        content = (await client.get("/job")).text
    saved = re.search(r'<progress max="100" :value="done" value="(\d+)"', content)
    assert saved and int(saved[1]) >= 20 and int(saved[1]) % SAVED_AFTER == 0
    await page.reload()
    await expect(page.get_by_role("button", name="Cancel")).to_be_visible()
    await _passes(page, 40)


async def test_two_windows_that_start_at_once_start_one_job(
    visit: NewPage, server: Server
) -> None:
    page = await visit()
    window = await _second(page)
    threads = server.threads
    start = "Alpine.$data(document.querySelector('.job')).start()"
    await asyncio.gather(*(one.evaluate(start) for one in (page, window)))
    for each in (page, window):
        await expect(each.get_by_role("button", name="Cancel")).to_be_visible()
    await _passes(page, 10)
    assert server.threads <= threads + 1


@pytest.mark.database  # PostgreSQL's driver complains of what isn't closed
async def test_nothing_of_a_job_is_left(visit: NewPage, server: Server) -> None:
    page = await visit()
    await _start(page)
    await page.get_by_role("button", name="Cancel").click()
    await expect(_job(page)).to_contain_text("Cancelled")
    threads, files = server.threads, len(server.files)
    await page.get_by_role("button", name="Start again").click()
    await _passes(page, 10)
    assert server.threads > threads
    await page.get_by_role("button", name="Cancel").click()
    await expect(_job(page)).to_contain_text("Cancelled")
    await asyncio.to_thread(
        wait_until, lambda: server.threads <= threads and len(server.files) <= files
    )
    assert "ResourceWarning" not in server.log


# A62
async def test_a_server_that_stops_waits_for_no_job_which_says_so_later(
    visit: NewPage, server: Server
) -> None:
    page = await visit()
    await _start(page)
    await _passes(page, 15)
    start = time.monotonic()
    assert await asyncio.to_thread(server.stop) == 0
    assert time.monotonic() - start < SHUTDOWN_SECONDS
    await asyncio.to_thread(server.start)
    await expect(_job(page)).to_contain_text("the server was stopped", timeout=15_000)
    await _start(page)


async def test_a_job_whose_server_was_killed_does_not_run_for_ever(
    visit: NewPage, server: Server
) -> None:
    page = await visit()
    await _start(page)
    await _passes(page, 15)
    assert await asyncio.to_thread(server.stop, signal.SIGKILL) == -signal.SIGKILL
    start = time.monotonic()
    await asyncio.to_thread(server.start)
    await expect(page.get_by_role("status")).to_have_text("online", timeout=15_000)
    interrupted = "Interrupted at 1"
    await expect(_job(page)).to_contain_text(interrupted, timeout=15_000)
    assert time.monotonic() - start < LOST_SECONDS + 10
    await _start(page)


async def test_so_many_are_at_work_at_once_and_no_more(server: Server) -> None:
    for number in range(MOST + 1):
        async with httpx.AsyncClient(base_url=server.url) as client:
            answer = await _call_start(client)
        assert ("Too many are at work" in answer) == (number == MOST)


async def _call_start(client: httpx.AsyncClient) -> str:
    """Start the job of a new visitor; return the HTML that shows it."""
    page = (await client.get("/job")).text
    state = re.search(r'"demo.LongJob".*? data-sse-state="([^"]+)"', page)
    csrf = re.search(r'data-csrf="([^"]+)"', page)
    assert state and csrf
    body = {"state": html.unescape(state[1]), "props": {}, "pushed": [], "args": []}
    address = "/sse/components/demo.LongJob/start"
    headers = {"X-CSRFToken": csrf[1]}
    answer = await client.post(address, json=body, headers=headers)
    assert answer.status_code == 200
    return str(answer.json()["html"])


async def test_a_job_is_seen_and_cancelled_on_another_server(
    browser: Browser, pair: list[Server]
) -> None:
    first, second = pair
    async with await browser.new_context() as context:  # whose cookies know no ports
        page, window = await context.new_page(), await context.new_page()
        for one, server in ((page, first), (window, second)):
            await one.goto(f"{server.url}/job")
            await expect(one.get_by_role("status")).to_have_text("online")
        await _start(page)
        await _passes(window, 10)
        await window.get_by_role("button", name="Cancel").click()
        for one in (page, window):
            await expect(_job(one)).to_contain_text("Cancelled at")
        await _start(window)
        await _passes(page, 10)
        assert await asyncio.to_thread(second.stop) == 0
        lost = (LOST_SECONDS + 5) * 1000
        await expect(_job(page)).to_contain_text("Interrupted at", timeout=lost)


async def test_the_page_of_the_job_is_not_wider_than_a_phone(visit: NewPage) -> None:
    page = await visit()
    await page.set_viewport_size({"width": 390, "height": 844})
    await _start(page)
    assert await page.evaluate(
        "document.documentElement.scrollWidth <= document.documentElement.clientWidth"
    )
