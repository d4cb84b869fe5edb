"""The operator's console, as staff has it beside what a user does."""

from __future__ import annotations

import asyncio
import json
import re
import time
from collections.abc import Awaitable, Callable, Iterator
from pathlib import Path
from typing import Any, Literal
from urllib.parse import parse_qs, unquote, urlsplit

import httpx
import pytest
from playwright.async_api import Locator, Page, expect

from tests.browser.conftest import NewPage
from tests.browser.people import here, join, log_in_as_staff, note_posts, say
from tests.redis_servers import NewRedisServer, RedisServer
from tests.servers import Server

pytestmark = pytest.mark.asyncio(loop_scope="session")

SOON = 10_000
"""Milliseconds for what processes say once a second, and the page asks for then."""
LATER = 25_000
"""Milliseconds for a page that has found no stream a few times."""
COUNT_ENDS = """
window.ends = 0
document.addEventListener("sse:disconnected", () => (window.ends += 1))
0"""
PAGES = [
    "/sse/console",
    "/sse/console/groups",
    "/sse/console/groups/chat.lobby",
    "/sse/console/groups/news.*",
    "/sse/console/people",
    "/sse/console/people/2",
    "/sse/console/people/4711",
    "/sse/console/visitors",
    "/sse/console/events",
    "/sse/console/why",
]
STATES = """[...document.querySelectorAll("[data-sse-component]")].map(
  ({ dataset }) => [dataset.sseComponent, dataset.sseState])"""
CALL = """async ([component, method, state]) => {
  const { csrf } = document.querySelector("[data-csrf]").dataset
  const headers = { "X-CSRFToken": csrf }
  const body = JSON.stringify({ state, props: {}, pushed: [], args: [] })
  const address = `/sse/components/${component}/${method}`
  return (await fetch(address, { method: "POST", headers, body })).status
}"""
GRANT = "document.querySelector('[data-sse-scripts]').dataset.grant"
SCHEMES: list[Literal["light", "dark"]] = ["light", "dark"]
BACKGROUND = "getComputedStyle(document.body).backgroundColor"
AGAIN = """
window.again = 0
document.addEventListener("console.heard", ({ detail, type }) => {
  const isGoal = detail.data.events.some(({ payload }) => payload.includes("Goal"))
  if (isGoal && again++ === 0) document.dispatchEvent(new CustomEvent(type, { detail }))
})
0"""
"""What is heard of a goal is heard twice, as if another process had told of it."""
FITS = "document.documentElement.scrollWidth <= document.documentElement.clientWidth"


@pytest.fixture
def redis(new_redis_server: NewRedisServer) -> RedisServer:
    """For a server whose broker may be away."""
    redis = new_redis_server()
    redis.start()
    return redis


@pytest.fixture
def server(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Server]:
    environment = {
        "DJANGO_SETTINGS_MODULE": "tests.logged_settings",
        "LOG": str(tmp_path / "logged"),
        "SSE_PRESENCE_GRACE_SECONDS": "1",
    }
    if "redis" in request.fixturenames:
        environment["SSE_BROKER_URL"] = request.getfixturevalue("redis").url
    server = Server(tmp_path, environment=environment)
    server.start()
    yield server
    assert server.stop() == 0
    if "SSE_BROKER_URL" not in environment:
        assert " ERROR " not in (tmp_path / "logged").read_text()


@pytest.mark.streams
async def test_the_overview_shows_who_connects_and_who_goes(
    new_page: NewPage,
) -> None:
    staff, anna = await new_page(), await new_page()
    await _open(staff, "/sse/console")
    await join(anna, "anna")
    row = staff.get_by_role("row").filter(has=staff.get_by_role("link", name="anna"))
    await expect(row).to_be_visible(timeout=SOON)
    await expect(staff.locator("#connections")).to_contain_text("2 sse", timeout=SOON)
    await expect(_table(staff, "Processes").locator("tbody tr")).to_have_count(1)
    await expect(staff.locator("#rates dd").first).to_have_text(
        re.compile("[0-9]"), timeout=SOON
    )
    await anna.close()
    await expect(row).to_have_count(0, timeout=SOON)
    await expect(staff.locator("#connections")).to_contain_text("1 sse", timeout=SOON)


async def test_groups_are_found_with_those_who_are_there_and_what_came(
    new_page: NewPage, server: Server
) -> None:
    staff, anna = await new_page(), await new_page()
    await join(anna, "anna")
    await say(anna, "Hello")
    await _open(staff, "/sse/console/groups")
    await expect(staff.get_by_role("link", name="broadcast")).to_be_visible()
    await expect(staff.get_by_text("console.processes")).to_have_count(0)
    await staff.get_by_label("Names that begin with").fill("chat")
    await expect(staff.get_by_role("link", name="broadcast")).to_have_count(0)
    await staff.get_by_role("link", name="chat.lobby").click()
    await expect(staff.locator("#subscribers")).to_contain_text("1")
    members = staff.get_by_role("list", name="Members")
    await expect(members.get_by_role("link", name="anna")).to_be_visible()
    events = _table(staff, "Last events").locator("tbody tr")
    await expect(events.first).to_contain_text("component.data_changed")
    id = await _publish(server, "chat.lobby", {"data": {"n": 1}})
    await expect(events.first).to_contain_text('{"n":1}', timeout=SOON)
    await events.first.get_by_role("link", name="Why?").click()
    await expect(staff.get_by_label("Id of the event")).to_have_value(id)
    await expect(staff.get_by_label("Group, if it is known")).to_have_value(
        "chat.lobby"
    )


async def test_people_are_found_whether_online_or_not(new_page: NewPage) -> None:
    staff, anna, ben = await new_page(), await new_page(), await new_page()
    await join(ben, "ben")
    await expect(here(ben, "ben")).to_be_visible()  # so it is known that he was there
    await ben.close()
    await _open(staff, "/sse/console/people")
    await join(anna, "anna")
    people = staff.get_by_role("list", name="Online").get_by_role("listitem")
    await expect(people.filter(has_text="anna")).to_contain_text(
        "1 connection,", timeout=SOON
    )
    await expect(people.filter(has_text="ben")).to_have_count(0, timeout=SOON)
    await staff.get_by_label("Name, or primary key").fill("BE")
    found = staff.get_by_role("list", name="Found").get_by_role("listitem")
    await expect(found).to_have_count(1)
    await expect(found).to_contain_text("last seen")
    await staff.get_by_role("link", name="ben").click()
    await expect(staff.get_by_role("heading", level=1)).to_have_text("ben")
    await expect(staff.locator("#status")).to_contain_text("offline")
    card = staff.get_by_role("article")
    await expect(card).to_contain_text("the client closed it")
    await expect(card.get_by_role("link", name="chat.lobby")).to_be_visible()


async def test_the_tail_shows_each_event_once_and_filters_what_it_has(
    new_page: NewPage, server: Server
) -> None:
    staff = await new_page()
    await _open(staff, "/sse/console/events")
    await _is_heard(staff, server)
    await staff.evaluate(AGAIN)
    id = await _publish(server, "news.sport", {"data": {"headline": "<b>Goal</b>"}})
    alert = {"event_name": "tetra:alert", "data": {"message": "Down at noon"}}
    await _post(server, "/groups/broadcast/notify", alert)
    lines = _table(staff, "Live").locator("tbody tr")
    await expect(lines.first).to_contain_text("Down at noon")
    goal = lines.filter(has_text="<b>Goal</b>")
    await staff.wait_for_function("again === 2")
    await expect(goal).to_have_count(1)
    await expect(goal).to_contain_text("component.data_changed")
    for label, text in (
        ("Group or pattern", "news.*"),
        ("Group or pattern", "news"),
        ("Type", "data_changed"),
        ("Text in the payload", "goal"),
    ):
        await staff.get_by_label(label).fill(text)
        await expect(lines.filter(has_text="Down at noon")).to_have_count(0)
        await expect(goal).to_have_count(1)
        await staff.get_by_label(label).fill("")
        await expect(lines.filter(has_text="Down at noon")).to_have_count(1)
    payload = goal.get_by_role("button")
    await payload.click()
    await expect(payload).to_have_attribute("aria-expanded", "true")
    await expect(payload).to_contain_text('"headline": "<b>Goal</b>"')
    await staff.get_by_role("button", name="Pause").click()
    await _publish(server, "news.sport", {"data": {"headline": "Extra time"}})
    await expect(staff.get_by_role("button", name="Go on (1 wait)")).to_be_visible()
    await expect(lines.filter(has_text="Extra time")).to_have_count(0)
    await staff.get_by_role("button", name="Go on").click()
    await expect(lines.first).to_contain_text("Extra time")
    address = await goal.get_by_role("link", name="Why?").get_attribute("href")
    asked = parse_qs(urlsplit(address or "").query)
    assert asked == {"event": [id], "group": ["news.sport"]}
    await staff.get_by_role("button", name="Clear").click()
    await expect(lines).to_have_count(0)


async def test_what_is_published_by_hand_reaches_others_and_says_its_id(
    new_page: NewPage, server: Server, tmp_path: Path
) -> None:
    staff, other = await new_page(), await new_page()
    await other.goto("/")
    await expect(other.get_by_role("status")).to_have_text("online")
    await _open(staff, "/sse/console/events")
    fields = staff.get_by_role("region", name="Publish by hand")
    publish = fields.get_by_role("button", name="Publish")
    await fields.get_by_label("Group", exact=True).fill("news updates")
    await publish.click()
    await expect(fields.get_by_role("alert")).to_contain_text("is not a group")
    await fields.get_by_label("Group", exact=True).fill("news.updates")
    for data, fault in (
        ("{headline}", "isn't JSON"),
        ("[1]", "The data is an object"),
        ('{"headline": NaN}', "JSON"),
    ):
        await fields.get_by_label("Data, as JSON").fill(data)
        await publish.click()
        await expect(fields.get_by_role("alert")).to_contain_text(fault)
    await fields.get_by_label("Data, as JSON").fill('{"headline": "By <i>hand"}')
    await publish.click()
    await expect(other.get_by_text("By <i>hand")).to_have_count(2)
    await expect(fields.get_by_role("status")).to_contain_text(
        "Published to news.updates as "
    )
    await fields.get_by_label("What", exact=True).select_option("Notification")
    await fields.get_by_label("Name of the event").fill("tetra:alert")
    await fields.get_by_label("Group", exact=True).fill("broadcast")
    await fields.get_by_label("Data, as JSON").fill('{"message": "Down at noon"}')
    await publish.click()
    await expect(other.get_by_role("alert")).to_contain_text("Down at noon")
    await fields.get_by_label("Group", exact=True).fill("console.control")
    await publish.click()
    await expect(fields.get_by_role("alert")).to_contain_text("isn't published by hand")
    logged = (tmp_path / "logged").read_text()
    line = (
        "sse_components.console INFO published component.data_changed to news.updates"
    )
    assert f"{line} by 1" in logged
    assert "By <i>hand" not in _ours(logged) and "Down at noon" not in _ours(logged)


async def test_staff_ends_streams_and_whoever_may_comes_back(
    new_page: NewPage, tmp_path: Path
) -> None:
    staff, anna = await new_page(), await new_page()
    await join(anna, "anna")
    await anna.evaluate(COUNT_ENDS)
    await _open(staff, f"/sse/console/people/{await _pk(anna, 'anna')}")
    posts = note_posts(staff)
    open = staff.locator("article:not(.over)")
    await expect(open).to_have_count(1, timeout=SOON)
    await expect(open).to_contain_text("complete", timeout=SOON)
    first = await open.get_attribute("aria-label")
    await open.get_by_role("button").click()
    await expect(open.get_by_role("button")).to_contain_text("Really?")
    assert not {post for post in posts if post.endswith("/reconnect")}
    await open.get_by_role("button").click()
    await anna.wait_for_function("ends === 1")
    await expect(anna.get_by_role("status")).to_have_text("online", timeout=SOON)
    over = staff.locator("article.over")
    await expect(over).to_contain_text("staff had its client", timeout=SOON)
    await expect(over).to_have_attribute("aria-label", first or "")
    await expect(open).not_to_have_attribute("aria-label", first or "", timeout=SOON)
    disconnect = staff.get_by_role("button", name="Disconnect")
    await disconnect.click()
    await staff.get_by_role("button", name="Really? Press again").click()
    await anna.wait_for_function("ends === 2")
    await expect(staff.get_by_role("status").last).to_contain_text("Streams were ended")
    await expect(over.filter(has_text="was disconnected")).to_be_visible(timeout=SOON)
    await expect(anna.get_by_role("status")).to_have_text("online", timeout=SOON)
    logged = _ours((tmp_path / "logged").read_text())
    name = (first or "").removeprefix("Connection ")
    for line in (f"reconnected {name} by 1", "disconnected user 2 by 1"):
        assert f"sse_components.console INFO {line}" in logged


async def test_what_a_traced_user_is_handed_is_shown_and_logged(
    new_page: NewPage, server: Server, tmp_path: Path
) -> None:
    staff, anna, ben = await new_page(), await new_page(), await new_page()
    await join(anna, "anna")
    await join(ben, "ben")
    await _open(staff, f"/sse/console/people/{await _pk(anna, 'anna')}")
    await staff.get_by_role("button", name="Trace for 5 minutes").click()
    deliveries = _table(staff, "Deliveries").locator("tbody tr")
    await expect(staff.get_by_text("None since.")).to_be_visible()
    await _until(lambda: _said(ben, f"Hello {time.time()}", deliveries))
    await expect(deliveries.first).to_contain_text("chat.lobby")
    assert "sse_components.trace INFO" in (tmp_path / "logged").read_text()
    await deliveries.first.get_by_role("link", name="Why?").click()
    await expect(staff.locator("#outcome")).to_have_text("delivered")
    await staff.go_back()
    stop = staff.get_by_role("button", name="Stop tracing")
    await staff.route("**/untrace", lambda route: route.abort())
    await stop.click()
    await expect(staff.get_by_role("alert")).to_contain_text("That did not work")
    await staff.unroute("**/untrace")
    await stop.click()
    await expect(staff.get_by_text("no longer traced")).to_be_visible()


async def test_it_is_said_why_somebody_did_or_did_not_get_an_event(
    new_page: NewPage, server: Server
) -> None:
    staff, anna, ben = await new_page(), await new_page(), await new_page()
    await join(ben, "ben")
    await ben.close()
    await join(anna, "anna")
    await log_in_as_staff(staff)
    await asyncio.sleep(2)  # for ben's end to be in the logbook, and anna's beginning
    heard = await _publish(server, "chat.lobby", {"data": {"n": 1}})
    other = await _publish(server, "news.updates", {"data": {"headline": "Hello"}})
    await _ask(staff, heard, "anna", "chat.lobby")
    await _answers(staff, "delivered")
    await expect(staff.get_by_role("article")).to_contain_text("opened")
    await expect(staff).to_have_url(
        f"/sse/console/why?event={heard.replace(':', '%3A')}&user=anna&group=chat.lobby"
    )
    await _ask(staff, other, "anna", "news.updates")
    await _answers(staff, "not subscribed")
    await _ask(staff, heard, "ben")
    await _answers(staff, "not connected")
    await expect(staff.locator(".headline")).to_contain_text("the client closed it")
    for event, user, fault in (
        ("nonsense", "anna", "epoch:seq"),
        (heard, "no such one", "There is no user"),
    ):
        await _ask(staff, event, user)
        await expect(staff.get_by_role("alert")).to_contain_text(fault)


@pytest.mark.streams
async def test_nobody_but_staff_gets_anything_of_it(
    new_page: NewPage, server: Server
) -> None:
    staff, anna, nobody = await new_page(), await new_page(), await new_page()
    await join(anna, "anna")
    for address in PAGES:
        answer = await nobody.request.get(address, max_redirects=0)
        assert answer.status == 302
        assert unquote(answer.headers["location"]) == f"/staff/?next={address}"
        assert (await anna.request.get(address)).status == 403
    await nobody.goto("/")
    await log_in_as_staff(staff)
    grants, found = set(), set()
    for address in PAGES:
        await staff.goto(address)
        grants.add(await staff.evaluate(GRANT))
        for component, state in await staff.evaluate(STATES):
            found.add(component)
            for method, theirs in (("_refresh", 403), ("look", 409)):
                call = [component, method, state]
                assert await staff.evaluate(CALL, call) == 200, call
                assert await anna.evaluate(CALL, call) == theirs, call
    assert found == {
        f"sse_components.{name}"
        for name in (
            "Group", "Groups", "Overview", "People", "Publish", "Tail", "User",
            "Visitors", "Why",
        )
    }  # fmt: skip
    for group in ("console.tail", "console.processes", "console.user.1"):
        assert "stream-open" in await _first(staff, server, f"groups/{group}")
        for page in (anna, nobody):
            assert "forbidden" in await _first(page, server, f"groups/{group}")
            asked = await _first(page, server, f"stream?group={group}")
            opened = json.loads(asked.split("data: ", 1)[1].splitlines()[0])
            assert group not in opened["groups"] and opened["denied"] == [group]
    for grant in grants:
        for page in (anna, nobody):
            refused = await _first(page, server, f"stream?grant={grant}")
            assert "stream-open" not in refused


async def test_all_pages_are_fit_for_a_phone_and_log_no_error_in_light_and_dark(
    new_page: NewPage,
) -> None:
    logged: list[str] = []
    staff = await new_page()
    staff.on("console", lambda said: logged.append(f"{said.type}: {said.text}"))
    await staff.set_viewport_size({"width": 390, "height": 844})
    await log_in_as_staff(staff)
    backgrounds = set()
    for page in PAGES:
        await staff.goto(page)
        await expect(_status(staff)).to_have_text("live", timeout=SOON)
        for scheme in SCHEMES:
            await staff.emulate_media(color_scheme=scheme)
            assert await staff.evaluate(FITS), page
            backgrounds.add(await staff.evaluate(BACKGROUND))
    assert len(backgrounds) == len(SCHEMES)
    assert not [line for line in logged if line.startswith(("error", "warning"))]


@pytest.mark.parametrize("is_first", [False, True])
async def test_it_says_that_the_broker_is_away_and_recovers(
    new_page: NewPage, redis: RedisServer, server: Server, is_first: bool
) -> None:
    staff = await new_page()
    await _open(staff, "/sse/console/events")
    redis.stop()
    await expect(_status(staff)).not_to_have_text("live", timeout=SOON)
    await staff.get_by_label("Group", exact=True).fill("news.updates")
    await staff.get_by_role("button", name="Publish").click()
    fault = staff.get_by_role("alert").filter(has_text="whether it was published")
    await expect(fault).to_be_visible(timeout=SOON)
    await staff.goto("/sse/console/people", timeout=20_000)
    await expect(staff.get_by_role("alert")).to_contain_text("The broker is away")
    # The page's grant is of a memory that is gone. Where the server knows that before
    # the page's first stream, it is refused.
    await staff.context.set_offline(not is_first)
    redis.start()
    if not is_first:
        await _until(lambda: _is_ready(server))
    await staff.context.set_offline(False)
    await expect(staff.get_by_role("alert")).to_have_count(0, timeout=LATER)
    await expect(_status(staff)).to_have_text("live", timeout=LATER)
    people = staff.get_by_role("list", name="Online")
    await expect(people.get_by_role("link", name="staff")).to_be_visible(timeout=SOON)


async def _open(page: Page, address: str) -> None:
    """Open a page of the console as staff, and wait until it hears processes."""
    await log_in_as_staff(page)
    await page.goto(address)
    await expect(_status(page)).to_have_text("live", timeout=SOON)


def _status(page: Page) -> Locator:
    return page.locator("main .head").get_by_role("status")


def _table(page: Page, name: str) -> Locator:
    return page.get_by_role("table", name=name, exact=True)


async def _is_heard(page: Page, server: Server) -> None:
    """Publish until a line says so: processes begin to tell within a second."""
    lines = _table(page, "Live").locator("tbody tr")

    async def is_there() -> bool:
        await _publish(server, "news.other", {"data": {}})
        await asyncio.sleep(0.4)
        return await lines.count() > 0

    await _until(is_there)


async def _is_ready(server: Server) -> bool:
    async with httpx.AsyncClient() as client:
        answer = await client.get(f"{server.url}/api/v1/health/ready")
    return answer.is_success


async def _said(page: Page, text: str, seen: Locator) -> bool:
    """Say something in the chat, and return whether it is seen a moment later."""
    await say(page, text)
    await asyncio.sleep(1)
    return await seen.count() > 0


async def _ask(page: Page, event: str, user: str, group: str = "") -> None:
    await page.goto("/sse/console/why")
    await page.get_by_label("Id of the event").fill(event)
    await page.get_by_label("User: name, or primary key").fill(user)
    await page.get_by_label("Group, if it is known").fill(group)
    await page.get_by_role("button", name="Ask").click()


async def _answers(page: Page, outcome: str) -> None:
    """Look until the answer is this one, which the logbook knows a second later."""
    found = page.locator("#outcome")

    async def is_so() -> bool:
        if await found.text_content() == outcome:
            return True
        await page.get_by_role("button", name="Look again").click()
        await asyncio.sleep(0.4)
        return False

    await _until(is_so)


async def _until(condition: Callable[[], Awaitable[bool]]) -> None:
    deadline = time.monotonic() + 10
    while not await condition():
        assert time.monotonic() < deadline, "It has not become so"


async def _publish(server: Server, group: str, body: dict[str, Any]) -> str:
    """Change the data of a group over REST; return the event's id."""
    answer = await _post(server, f"/groups/{group}/data-changed", body)
    id: str = answer["id"]
    return id


async def _post(server: Server, path: str, body: dict[str, Any]) -> dict[str, Any]:
    async with httpx.AsyncClient(headers=server.headers) as client:
        answer = await client.post(f"{server.url}/api/v1{path}", json=body)
    assert answer.status_code == 202
    found: dict[str, Any] = answer.json()
    return found


async def _first(page: Page, server: Server, address: str) -> str:
    """Return the first event of a stream, as the one who has a page is given it."""
    cookies = {
        cookie.get("name", ""): cookie.get("value", "")
        for cookie in await page.context.cookies()
    }
    async with (
        httpx.AsyncClient(base_url=server.url, cookies=cookies) as client,
        client.stream("GET", f"/sse/{address}") as answer,
    ):
        text = ""
        async for part in answer.aiter_text():
            text += part
            if "\n\n" in text.partition("data: ")[2]:
                return text
    return text


async def _pk(page: Page, name: str) -> str:
    """Return the primary key of somebody whom a page of the chat shows."""
    entry = await here(page, name).get_attribute("id")
    assert entry
    return entry.removeprefix("here-")


def _ours(logged: str) -> str:
    """Return what the library has logged."""
    lines = logged.splitlines()
    return "\n".join(line for line in lines if line.startswith("sse_components"))
