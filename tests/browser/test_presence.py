from __future__ import annotations

import asyncio
import time
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest
from playwright.async_api import Page, expect

from tests.browser.conftest import NewPage
from tests.browser.people import (
    here,
    join,
    log_in_as_staff,
    message,
    offline,
    online,
    open_chat,
    open_online,
    say,
)
from tests.servers import Server

pytestmark = pytest.mark.asyncio(loop_scope="session")

GRACE = 5
SWEEP = 2
"""Seconds between sweeps, at most."""


FILL = """
from django.contrib.auth.models import User
from project.demo.models import ChatMessage
staff = User.objects.get(username="staff")
for number in range(50):
    ChatMessage.objects.create(author=staff, text=f"old {number}")
"""
COUNT_ENDS = """
window.ends = 0
document.addEventListener("sse:disconnected", () => (window.ends += 1))
0"""
WATCH_PEOPLE = """
window.changes = []
const note = (mark) => (node) =>
  node.nodeType === Node.ELEMENT_NODE && changes.push(mark + node.textContent.trim())
new MutationObserver((records) => {
  for (const { type, target, addedNodes, removedNodes } of records) {
    if (type === "attributes") note("~")(target)
    addedNodes.forEach(note("+"))
    removedNodes.forEach(note("-"))
  }
}).observe(document.querySelector(".people"), {
  attributes: true, childList: true, subtree: true,
})
0"""


@pytest.fixture
def server(tmp_path: Path) -> Iterator[Server]:
    environment = {"SSE_PRESENCE_GRACE_SECONDS": str(GRACE)}
    server = Server(tmp_path, environment=environment)
    server.start()
    yield server
    assert server.stop() == 0
    assert "Traceback" not in server.log


# A53
async def test_two_who_chat_see_each_other_and_what_is_said_at_once(
    new_page: NewPage,
) -> None:
    anna, ben = await new_page(), await new_page()
    await join(anna, "anna")
    start = time.monotonic()
    await join(ben, "ben")
    for page in (anna, ben):
        for name in ("anna", "ben"):
            await expect(here(page, name)).to_be_visible()
    assert time.monotonic() - start < 2
    for page, other, text in ((anna, ben, "Hello <b>"), (ben, anna, "Hello anna")):
        start = time.monotonic()
        await say(page, text)
        await expect(message(other, text)).to_be_visible()
        assert time.monotonic() - start < 1
    await expect(anna.locator(".messages li")).to_have_count(2)


async def test_who_has_no_name_reads_and_sees_who_is_here(new_page: NewPage) -> None:
    anna, nobody = await new_page(), await new_page()
    await open_chat(nobody)
    await join(anna, "anna")
    await say(anna, "Is anybody here?")
    await expect(here(nobody, "anna")).to_be_visible()
    await expect(message(nobody, "Is anybody here?")).to_be_visible()
    await expect(nobody.get_by_label("A message")).to_have_count(0)
    await expect(anna.locator(".people li")).to_have_count(1)


async def test_a_name_of_staff_cannot_be_had(new_page: NewPage) -> None:
    page = await new_page()
    await open_chat(page)
    for name, fault in (("Staff", "taken"), ("two words", "letters, digits")):
        await page.get_by_label("A name").fill(name)
        await page.get_by_role("button", name="Join").click()
        await expect(page.get_by_role("alert")).to_contain_text(fault)
    cookies = await page.context.cookies()
    assert "sessionid" not in [cookie.get("name") for cookie in cookies]


async def test_the_newest_fifty_messages_are_kept(
    new_page: NewPage, server: Server
) -> None:
    server.manage("shell", "--verbosity=0", "-c", FILL)
    page = await new_page()
    await join(page, "anna")
    await expect(message(page, "old 0")).to_have_count(1)
    await say(page, "new")
    await expect(page.locator(".messages li")).to_have_count(50)
    await expect(message(page, "old 0")).to_have_count(0)


# A53
async def test_who_closes_the_last_tab_is_gone_after_the_grace(
    new_page: NewPage,
) -> None:
    anna, ben, chloe = await new_page(), await new_page(), await new_page()
    for page, name in ((anna, "anna"), (ben, "ben"), (chloe, "chloe")):
        await join(page, name)
    second = await ben.context.new_page()
    await open_chat(second)
    await expect(here(anna, "chloe")).to_be_visible()
    await ben.close()
    await chloe.close()
    await expect(here(anna, "chloe")).to_have_count(0, timeout=10_000)
    await expect(here(anna, "ben")).to_be_visible()
    start = time.monotonic()
    await second.close()
    await expect(here(anna, "ben")).to_have_count(0, timeout=10_000)
    assert GRACE <= time.monotonic() - start < GRACE + SWEEP + 1


async def test_who_reloads_does_not_flicker(new_page: NewPage) -> None:
    anna, ben, chloe = await new_page(), await new_page(), await new_page()
    await join(anna, "anna")
    await join(ben, "ben")
    await join(chloe, "chloe")
    await expect(here(anna, "chloe")).to_be_visible()
    await anna.evaluate(WATCH_PEOPLE)
    await chloe.close()
    await ben.goto("about:blank")
    await asyncio.sleep(SWEEP + 1)  # without a grace there'd have been a sweep
    await open_chat(ben)
    await ben.reload()
    await expect(ben.get_by_role("status")).to_have_text("online")
    # Who leaves later than ben would have is gone.
    await expect(here(anna, "chloe")).to_have_count(0, timeout=10_000)
    assert await anna.evaluate("changes") == ["-chloe"]


async def test_staff_sees_who_comes_and_who_was_seen_when(new_page: NewPage) -> None:
    staff, anna, ben = await new_page(), await new_page(), await new_page()
    await join(anna, "anna")
    await log_in_as_staff(staff)
    await open_online(staff)
    await expect(online(staff, "anna")).to_contain_text("1 connection")
    start = time.monotonic()
    await join(ben, "ben")
    await expect(online(staff, "ben")).to_contain_text("since")
    assert time.monotonic() - start < 2
    await open_chat(await anna.context.new_page())
    await expect(online(staff, "anna")).to_contain_text("2 connections", timeout=10_000)
    await ben.close()
    await expect(offline(staff, "ben")).to_contain_text("last seen", timeout=10_000)
    await expect(online(staff, "ben")).to_have_count(0)


async def test_staff_ends_the_streams_of_a_user_who_may_come_back(
    new_page: NewPage,
) -> None:
    staff, anna, ben = await new_page(), await new_page(), await new_page()
    for page, name in ((anna, "anna"), (ben, "ben")):
        await join(page, name)
        await page.evaluate(COUNT_ENDS)
    await log_in_as_staff(staff)
    start = time.monotonic()
    await staff.get_by_role("button", name="Disconnect anna").click()
    await anna.wait_for_function("ends === 1")
    assert time.monotonic() - start < 1
    await expect(anna.get_by_role("status")).to_have_text("online", timeout=10_000)
    await say(ben, "Still here?")
    await expect(message(anna, "Still here?")).to_be_visible()
    assert await ben.evaluate("ends") == 0


# A19
async def test_only_staff_hears_who_is_online(
    new_page: NewPage, server: Server
) -> None:
    staff, anna = await new_page(), await new_page()
    await log_in_as_staff(staff)
    await open_online(staff)
    groups = "JSON.parse(document.querySelector('main').dataset.sseGroups)"
    assert await staff.evaluate(groups) == ["staff.online"]
    await join(anna, "anna")
    for page in (staff, anna):
        cookies = {
            cookie.get("name", ""): cookie.get("value", "")
            for cookie in await page.context.cookies()
        }
        async with httpx.AsyncClient(base_url=server.url, cookies=cookies) as client:
            answer = await client.get("/sse/groups/staff.online")
            assert "forbidden" in answer.text and "stream-open" not in answer.text

    state = await staff.evaluate("document.querySelector('main').dataset.sseState")
    refresh = """async (state) => {
      const { csrf } = document.querySelector("[data-csrf]").dataset
      const headers = { "X-CSRFToken": csrf }
      const body = JSON.stringify({ state, props: {}, pushed: [], args: [] })
      const address = "/sse/components/demo.Online/_refresh"
      return (await fetch(address, { method: "POST", headers, body })).status
    }"""
    assert await staff.evaluate(refresh, state) == 200
    assert await anna.evaluate(refresh, state) == 403


async def test_others_are_told_that_the_page_is_for_staff(new_page: NewPage) -> None:
    page = await new_page()
    await page.goto("/staff/online")
    await expect(page).to_have_url("/staff/?next=/staff/online")
    await join(page, "anna")
    answer = await page.goto("/staff/online")
    assert answer and answer.status == 403
    await expect(page.get_by_text("anna isn't staff")).to_be_visible()


async def test_nobody_logs_in_without_debug(server: Server, tmp_path: Path) -> None:
    folder = tmp_path / "without-debug"
    folder.mkdir()
    off = {"DEBUG": "0", "SECRET_KEY": "x", "ALLOWED_HOSTS": "127.0.0.1"}
    other = Server(folder, environment=off)
    other.start()
    try:
        async with httpx.AsyncClient(base_url=other.url) as client:
            assert (await client.get("/staff/")).status_code == 404
            assert (await client.get("/staff/online")).status_code == 403
            chat = await client.get("/chat")
        assert "Here now" in chat.text and "<form" not in chat.text
    finally:
        assert other.stop() == 0


# A23
async def test_a_logout_ends_the_streams_of_its_browser_and_of_no_other(
    new_page: NewPage,
) -> None:
    first, other = await new_page(), await new_page()
    await join(first, "anna")
    second = await first.context.new_page()
    await open_chat(second)
    await join(other, "anna")
    for page in (second, other):
        await page.evaluate(COUNT_ENDS)
    start = time.monotonic()
    await first.get_by_role("button", name="Log out").click()
    await second.wait_for_function("ends === 1")
    assert time.monotonic() - start < 1
    await expect(second.get_by_role("status")).to_contain_text("ended")
    await expect(first.get_by_label("A name")).to_be_visible()
    await say(other, "I am still here")
    await expect(message(first, "I am still here")).to_be_visible()
    assert await other.evaluate("ends") == 0


# A82
async def test_a_login_in_one_tab_does_not_break_the_other(new_page: NewPage) -> None:
    first, ben = await new_page(), await new_page()
    await join(ben, "ben")
    second = await first.context.new_page()
    await open_chat(second)
    await second.evaluate(COUNT_ENDS)
    await join(first, "anna")
    await expect(here(second, "anna")).to_be_visible()
    await say(second, "From the other tab")
    for page in (first, ben):
        await expect(message(page, "From the other tab")).to_be_visible()
    await say(ben, "I read you")
    await expect(message(second, "I read you")).to_be_visible()
    await expect(second.locator(".messages li")).to_have_count(2)


async def test_the_pages_of_people_are_not_wider_than_a_phone(
    new_page: NewPage,
) -> None:
    page = await new_page()
    await page.set_viewport_size({"width": 390, "height": 844})
    await join(page, "a-name-that-is-as-long-as-it-i")
    await say(page, "w" * 500)
    await _fits(page)
    await log_in_as_staff(page)
    await open_online(page)
    await _fits(page)


async def _fits(page: Page) -> None:
    assert await page.evaluate(
        "document.documentElement.scrollWidth <= document.documentElement.clientWidth"
    )
