from __future__ import annotations

import asyncio
import re
import time
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio
from playwright.async_api import Page, Route, expect

from sse_components.grants import Grants
from tests.browser.conftest import NewPage
from tests.browser.live.visits import APPLICATION, Calls, System, live
from tests.proxies import Proxy
from tests.servers import ROOT, Server

pytestmark = pytest.mark.asyncio(loop_scope="session")

ALPINE = ROOT / "static" / "node_modules" / "alpinejs" / "dist" / "cdn.min.js"


@pytest.fixture
def server(tmp_path: Path) -> Iterator[Server]:
    server = Server(tmp_path, application=APPLICATION)
    server.start()
    yield server
    server.stop()
    assert "Traceback" not in server.log


@pytest.fixture
def system(server: Server) -> System:
    return System(server)


NEWS = "/groups/board.news/data-changed"


# A1
async def test_a_page_without_components_loads_no_script_and_opens_no_stream(
    page: Page,
) -> None:
    asked: list[str] = []
    page.on("request", lambda request: asked.append(request.url))
    await page.goto("/none")
    await page.wait_for_timeout(300)
    assert not [url for url in asked if "/sse/" in url]
    assert "<script" not in await page.content()


# A2
@pytest.mark.streams
async def test_many_components_share_one_stream(page: Page) -> None:
    calls = Calls(page)
    await live(page, "/many")
    await page.wait_for_timeout(500)
    assert calls.streams == 1


# A17, A30, A31
async def test_a_headline_shows_in_every_window_within_a_second(
    page: Page, other: Page, system: System
) -> None:
    for one in (page, other):
        await live(one, "/board")
    start = time.monotonic()
    data = {
        "headline": "<i>Hello</i>",
        "nobody": 1,
        "_methods": {},
        "__proto__": {"x": 1},
    }
    await system.post(NEWS, {"data": data})
    for one in (page, other):
        for id in ("server", "bound", "quiet"):
            await expect(one.locator(f"#{id}")).to_have_text("<i>Hello</i>")
    assert time.monotonic() - start < 1
    for one in (page, other):
        assert await one.evaluate("({}).x === undefined && window.nobody === undefined")


# A30
async def test_a_property_that_no_template_reads_changes_without_a_fetch(
    page: Page, system: System
) -> None:
    await live(page, "/board")
    before = await system.state()
    await system.post(NEWS, {"data": {"count": 7}})
    await expect(page.locator("#count")).to_have_text("7")
    await system.post(NEWS, {"data": {"headline": "x"}})
    await expect(page.locator("#quiet")).to_have_text("x")
    await expect(page.locator("#server")).to_have_text("x")
    await expect(page.locator("#count")).to_have_text("7")
    assert (await system.state())["quiet"] == before["quiet"]


# A31
@pytest.mark.parametrize("body", [{}, {"data": {"count": 1}, "update": True}])
async def test_without_data_or_with_update_the_html_is_fetched(
    page: Page, system: System, body: dict[str, Any]
) -> None:
    await live(page, "/shelf")
    await system.state(["1", "2", "3", "4"])
    await system.post("/groups/shop.item/data-changed", body)
    await expect(page.locator("li")).to_have_count(4)


# A33
async def test_a_notification_fires_an_event_and_calls_the_listening_method_once(
    page: Page, other: Page, system: System
) -> None:
    for one in (page, other):
        await live(one, "/board")
        await one.evaluate(
            "window.rung = [];"
            "document.addEventListener('board:ring', e => rung.push(e.detail));0"
        )
    await system.post(
        "/groups/board.news/notify",
        {"event_name": "board:ring", "data": {"text": "hi"}},
    )
    for one in (page, other):
        await expect(one.locator("#heard")).to_have_text("[hi]")
        rung = await one.evaluate("rung")
        assert [(r["data"], r["group"]) for r in rung] == [
            ({"text": "hi"}, "board.news")
        ]
    assert (await system.state())["ring"] == 2


# A34
async def test_many_creations_at_once_are_few_fetches(
    page: Page, system: System
) -> None:
    await live(page, "/shelf")
    before = (await system.state([str(n) for n in range(23)]))["shelf"]
    event = {"type": "component.created", "group": "shop.item", "data": {"pk": 1}}
    await system.post("/events", {"events": [event] * 20})
    await expect(page.locator("li")).to_have_count(23)
    await page.wait_for_timeout(500)
    assert (await system.state())["shelf"] - before <= 2


# A35
async def test_an_item_is_removed_by_its_group_or_key_in_every_browser(
    page: Page, other: Page, system: System
) -> None:
    await system.state(["1", "2", "3"])
    for one in (page, other):
        await live(one, "/shelf")
        await expect(one.locator("li")).to_have_count(3)
    removed = "/groups/shop.item/component-removed"
    await system.post(removed, {"target_group": "shop.item.9"})
    await system.post(removed, {"target_group": "shop.item.2"})
    for one in (page, other):
        await expect(one.locator("li")).to_have_count(2)
        await expect(one.locator("li").nth(1)).to_contain_text("item 3")
    await system.post("/groups/shop.item.3/component-removed", {"key": "3"})
    for one in (page, other):
        await expect(one.locator("li")).to_have_count(1)


# A36
async def test_all_components_of_a_group_are_removed(
    page: Page, system: System
) -> None:
    await live(page, "/board")
    await system.post("/groups/board.news/component-removed", {})
    await expect(page.locator("[data-sse-component]")).to_have_count(0)


# A58
async def test_what_is_published_between_rendering_and_connecting_arrives(
    page: Page,
) -> None:
    await page.goto("/race")
    await expect(page.locator("#quiet")).to_have_text("just in time")


# A5
async def test_what_is_published_while_the_connection_is_cut_is_applied_in_order(
    page: Page, server: Server, system: System
) -> None:
    proxy = Proxy(server.port)
    await proxy.start()
    await live(page, f"http://127.0.0.1:{proxy.port}/board")
    await page.evaluate(
        "window.seen = []; const quiet = document.querySelector('#quiet');"
        "new MutationObserver(() => seen.push(quiet.textContent)).observe(quiet,"
        " {childList: true, characterData: true, subtree: true});0"
    )
    proxy.cut()
    await page.wait_for_function("Alpine.store('sse').online === false")
    for count, headline in enumerate(["one", "two", "three"], 1):
        await system.post(NEWS, {"data": {"headline": headline, "count": count}})
    proxy.mend()
    await expect(page.locator("#quiet")).to_have_text("three")
    await expect(page.locator("#count")).to_have_text("3")
    seen = await page.evaluate("seen")
    assert seen == ["one", "two", "three"]
    await page.goto("about:blank")
    await proxy.stop()


# A4
async def test_all_groups_are_live_again_after_a_restart(
    page: Page, server: Server, system: System
) -> None:
    await live(page, "/board")
    await asyncio.to_thread(server.stop)
    await page.wait_for_function("Alpine.store('sse').online === false")
    await asyncio.to_thread(server.start)
    await page.wait_for_function("Alpine.store('sse').online === true")
    await system.post(NEWS, {"data": {"headline": "back"}})
    for id in ("server", "quiet"):
        await expect(page.locator(f"#{id}")).to_have_text("back")


@pytest_asyncio.fixture(loop_scope="session")
async def proxied(page: Page, server: Server) -> AsyncIterator[Proxy]:
    """A proxy through which the page shows the shelf."""
    proxy = Proxy(server.port)
    await proxy.start()
    await live(page, f"http://127.0.0.1:{proxy.port}/shelf")
    yield proxy
    await page.goto("about:blank")
    await proxy.stop()


async def _restart(page: Page, proxy: Proxy, server: Server) -> None:
    """Have the server forget its grants and its history, behind a proxy that is cut."""
    proxy.cut()
    await page.wait_for_function("Alpine.store('sse').online === false")
    await asyncio.to_thread(server.stop)
    await asyncio.to_thread(server.start)


# A6
async def test_after_a_reset_a_list_is_fetched_and_brings_its_rows(
    page: Page, proxied: Proxy, server: Server, system: System
) -> None:
    await _restart(page, proxied, server)
    await system.state(["2", "4"])
    calls = Calls(page)
    proxied.mend()
    await page.wait_for_function("Alpine.store('sse').online === true")
    await expect(page.locator("li")).to_have_count(2)
    await expect(page.locator("li").nth(1)).to_contain_text("item 4")
    await page.wait_for_timeout(500)
    # For a grant, and for the reset of the stream that it opened.
    assert calls.made == ["_refresh", "_refresh"]
    assert calls.components == {"live.Shelf"}


# A6
async def test_after_a_reset_rows_that_stay_as_they_are_have_been_fetched_too(
    page: Page, proxied: Proxy, server: Server
) -> None:
    await _restart(page, proxied, server)
    calls = Calls(page)
    answers: list[str] = []

    async def answer(route: Route) -> None:
        if not answers:
            answers.append(await (await route.fetch()).text())
        await route.fulfill(body=answers[0], content_type="application/json")

    await page.route("**/_refresh", answer)
    proxied.mend()
    await page.wait_for_function("Alpine.store('sse').online === true")
    await page.wait_for_timeout(1000)
    assert calls.made == ["_refresh", "_refresh"]
    assert calls.components == {"live.Shelf"}


async def test_a_list_that_grows_keeps_focus_and_what_was_typed(
    page: Page, system: System
) -> None:
    await system.state(["1", "2", "3"])
    await live(page, "/shelf")
    note = page.get_by_label("note 2")
    await note.fill("half a sen")
    await system.state(["0", "3", "1", "2"])
    await system.post("/groups/shop.item/component-created", {"data": {"pk": 0}})
    await expect(page.locator("li")).to_have_count(4)
    await expect(page.locator("li").nth(0)).to_contain_text("item 0")
    await expect(note).to_have_value("half a sen")
    await expect(note).to_be_focused()


async def test_a_public_method_is_called_from_the_page(page: Page) -> None:
    await live(page, "/shelf")
    row = page.locator("li", has_text="item 2")
    await row.get_by_role("button").click()
    await expect(page.locator("li", has_text=re.compile("item 2!"))).to_have_count(1)


# A79
async def test_a_page_that_has_alpine_already_goes_on_with_it(
    new_page: NewPage, system: System
) -> None:
    # Theirs starts before ours is there, finds roots it doesn't know, and says so.
    page = await new_page(may_fail=True)
    assert ALPINE.exists(), "the client's packages are not installed: make install"
    await page.route("**/alpine.js", lambda route: route.fulfill(path=ALPINE))
    await live(page, "/own-alpine")
    assert await page.evaluate("window.theirs === window.Alpine")
    await system.post(NEWS, {"data": {"headline": "with theirs"}})
    await expect(page.locator("#quiet")).to_have_text("with theirs")


# A80
@pytest.mark.parametrize("address", ["/cached", "/fragment"])
async def test_what_a_cache_delivers_has_nobodys_grant_and_comes_alive_by_one_refresh(
    page: Page, other: Page, server: Server, system: System, address: str
) -> None:
    users = await asyncio.to_thread(server.log_in, 2)
    for one, headers in zip((page, other), users, strict=True):
        key = headers["Cookie"].partition("=")[2]
        await one.context.add_cookies(
            [{"name": "sessionid", "value": key, "url": server.url}]
        )
    await live(page, address)
    calls = Calls(other)
    await live(other, address)
    theirs, own = [
        Grants(3600).read(
            str(await one.locator("[data-sse-scripts]").get_attribute("data-grant"))
        )
        for one in (page, other)
    ]
    assert theirs.groups == ("board.news",)
    assert own.groups == ()
    assert own.whose.user != theirs.whose.user
    await expect(other.locator("#server")).to_have_text("from load")
    for count in (1, 2):
        await other.wait_for_timeout(500)
        await system.post(NEWS, {"data": {"count": count}})  # which needs no refresh
        await expect(other.locator("#count")).to_have_text(str(count), timeout=1000)
    assert calls.made == ["_refresh"]
