from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest
import pytest_asyncio
from playwright.async_api import Page, expect

from sse_components.grants import Grants
from tests.browser.conftest import NewPage
from tests.browser.live.visits import APPLICATION, Calls, System, live
from tests.servers import Server

pytestmark = pytest.mark.asyncio(loop_scope="session")

SETTLED = 700
"""Milliseconds after which a fetch that is going to be made has been."""


@pytest.fixture
def server(tmp_path: Path) -> Iterator[Server]:
    server = Server(tmp_path, application=APPLICATION)
    server.start()
    yield server
    server.stop()
    assert "Traceback" not in server.log


@pytest_asyncio.fixture(loop_scope="session")
async def others(new_page: NewPage) -> list[Page]:
    """Pages of two other visitors."""
    return [await new_page() for _ in range(2)]


@pytest.fixture
def system(server: Server) -> System:
    return System(server)


# A51
async def test_a_change_in_one_of_three_pages_is_saved_once_and_shown_in_all(
    page: Page, others: list[Page], system: System
) -> None:
    pages = [page, *others]
    calls = [Calls(one) for one in pages]
    for one in pages:
        await live(one, "/text")
    await page.get_by_label("title").fill("second")
    for one in pages:
        await expect(one.locator("#title")).to_have_text("second")
        await expect(one.get_by_label("title")).to_have_value("second")
    await page.wait_for_timeout(SETTLED)
    assert [each.made for each in calls] == [["save"], [], []]
    loads = await system.state()
    assert loads["save title first second"] == 1
    await page.get_by_label("title").blur()
    await others[0].get_by_label("title").fill("third")
    for one in pages:
        await expect(one.locator("#title")).to_have_text("third")
    await page.wait_for_timeout(SETTLED)
    assert [each.made for each in calls] == [["save"], ["save"], []]


# A51
async def test_a_change_inside_a_list_is_saved_once_and_shown_in_all(
    page: Page, others: list[Page], system: System
) -> None:
    pages = [page, *others]
    calls = [Calls(one) for one in pages]
    for one in pages:
        await live(one, "/text")
    await page.get_by_role("button", name="tag").click()
    for one in pages:
        await expect(one.locator("#tags")).to_have_text("a,b")
    await page.wait_for_timeout(SETTLED)
    assert [each.made for each in calls] == [["save"], [], []]
    assert (await system.state())["save tags ['a'] ['a', 'b']"] == 1


async def test_a_change_is_also_what_a_handler_in_the_page_sets(
    page: Page, system: System
) -> None:
    calls = Calls(page)
    await live(page, "/text")
    await page.evaluate(
        "Alpine.$data(document.querySelector('section')).title = 'by a script'"
    )
    await expect(page.locator("#title")).to_have_text("by a script")
    await page.wait_for_timeout(SETTLED)
    assert calls.made == ["save"]


# A32
async def test_a_field_that_is_being_typed_in_is_not_overwritten(
    page: Page, others: list[Page], system: System
) -> None:
    other = others[0]
    for one in (page, other):
        await live(one, "/letter")
    subject, body = page.get_by_label("subject"), page.get_by_label("body")
    await subject.press_sequentially("half a sen")
    address = "/groups/live.letter/data-changed"
    await system.post(address, {"data": {"subject": "theirs", "body": "theirs"}})
    await expect(other.get_by_label("subject")).to_have_value("theirs")
    await expect(body).to_have_value("theirs")
    await expect(subject).to_have_value("half a sen")
    await expect(subject).to_be_focused()
    await subject.press_sequentially("tence")
    await page.wait_for_timeout(2100)  # a pause, in which it stays the visitor's
    await system.post(address, {"data": {"subject": "theirs too", "body": "newer"}})
    await expect(body).to_have_value("newer")
    await expect(subject).to_have_value("half a sentence")
    await subject.blur()
    await system.post(address, {"data": {"subject": "newer"}})
    await expect(subject).to_have_value("newer")


_OBSERVE = """
  window.shown = {};
  for (const root of document.querySelectorAll('p')) {
    shown[root.id] = [];
    const parts = {childList: true, characterData: true, subtree: true};
    new MutationObserver(() => {
      shown[root.id].push(root.querySelector('b').textContent);
    }).observe(root.querySelector('i'), parts);
  }
"""


# A49
@pytest.mark.parametrize("when", ["now", "early", "late"])
async def test_who_made_a_change_is_rendered_once_and_all_others_are_too(
    page: Page, others: list[Page], when: str
) -> None:
    tab = await page.context.new_page()  # of the same visitor
    pages = [page, tab, *others]
    calls = [Calls(one) for one in pages]
    for one in pages:
        await live(one, "/counts")
        await one.evaluate(_OBSERVE)
    await page.locator("#count-a").get_by_role("button", name=when).click()
    if when == "early":
        for one in pages[1:]:
            await expect(one.locator("#count-a b")).to_have_text("1")
        assert await page.locator("#count-a b").text_content() == "0"
    for one in pages:
        for id in ("count-a", "count-b"):
            await expect(one.locator(f"#{id} b")).to_have_text("1")
    await page.wait_for_timeout(SETTLED)
    for one in pages:
        assert await one.evaluate("shown") == {"count-a": ["1"], "count-b": ["1"]}
    assert sorted(calls[0].made) == ["_refresh", "add"]
    for each in calls[1:]:
        assert each.made == ["_refresh", "_refresh"]


# A49
async def test_a_duplicated_tab_is_another_tab(page: Page) -> None:
    await live(page, "/counts")
    await page.evaluate("sessionStorage.setItem('mark', 'copied')")
    async with page.expect_popup() as opened:
        await page.evaluate("void window.open(location.href)")
    copy = await opened.value
    assert await copy.evaluate("sessionStorage.getItem('mark')") == "copied"
    await copy.wait_for_function("window.Alpine?.store('sse')?.online === true")
    for count, tab in enumerate((page, copy), 1):
        await tab.locator("#count-a").get_by_role("button", name="now").click()
        for one in (page, copy):
            await expect(one.locator("#count-a b")).to_have_text(str(count))


# A50
async def test_what_a_form_inside_a_list_adds_is_shown_in_its_own_page_too(
    page: Page, others: list[Page], system: System
) -> None:
    await system.state(["1"])
    for one in (page, others[0]):
        await live(one, "/basket")
        await expect(one.locator("li")).to_have_text(["1"])
    field = page.get_by_label("new")
    for number in ("2", "3"):
        await field.fill(number)
        await field.press("Enter")
        for one in (page, others[0]):
            await expect(one.locator("li").last).to_have_text(number)
        await expect(field).to_have_value("")
        await expect(field).to_be_focused()


# A52
async def test_a_push_to_one_item_of_three_changes_that_one_only(
    page: Page, system: System
) -> None:
    await system.state(["1", "2", "3"])
    calls = Calls(page)
    await live(page, "/shelf")
    before = await system.state()
    await page.evaluate(
        "window.changed = [];"
        "document.querySelectorAll('li').forEach((row, n) => new MutationObserver("
        "() => changed.push(n + 1)).observe(row, {attributes: true, childList: true,"
        " characterData: true, subtree: true}));0"
    )
    await system.post("/groups/shop.item.2/data-changed", {"data": {"label": "two"}})
    await expect(page.locator("li").nth(1)).to_contain_text("two")
    await page.wait_for_timeout(SETTLED)
    assert set(await page.evaluate("changed")) == {2}
    assert calls.made == ["_refresh"]
    after = await system.state()
    assert {name for name in after if after[name] != before[name]} == {"row", "row 2"}


# A52
async def test_items_that_change_their_order_keep_what_was_done_in_them(
    page: Page, system: System
) -> None:
    await system.state(["1", "2", "3"])
    await live(page, "/shelf")
    rows = page.locator("li")
    await page.evaluate("document.querySelectorAll('li').forEach((li, n) => li.n = n)")
    await page.get_by_label("note 1").fill("mine 1")
    await page.get_by_label("note 3").fill("mine 3")
    await system.post("/groups/shop.item.2/data-changed", {"data": {"label": "two"}})
    await expect(rows.nth(1)).to_contain_text("two")
    await system.state(["3", "1", "2"])
    await system.post("/groups/shop.item/data-changed", {})
    await expect(rows.first).to_contain_text("item 3")
    assert await page.evaluate(
        "[...document.querySelectorAll('li')].map((li) => li.n)"
    ) == [2, 0, 1]
    for number, value in {"1": "mine 1", "2": "", "3": "mine 3"}.items():
        await expect(page.get_by_label(f"note {number}")).to_have_value(value)
    await expect(page.get_by_label("note 3")).to_be_focused()


# A61
@pytest.mark.streams
async def test_a_list_of_a_thousand_items_is_two_groups_and_a_new_one_needs_none(
    page: Page, others: list[Page], server: Server, system: System
) -> None:
    first = Calls(others[0])
    await live(others[0], "/catalogue")
    await others[0].wait_for_timeout(SETTLED)
    assert first.made == ["_refresh"]  # nobody had the pattern before: decision 0006
    pushed = "/groups/stock.article.{}/data-changed".format
    await system.post(pushed(500), {"data": {"name": "old"}})
    await expect(others[0].locator("#article-500")).to_have_text("old")
    calls = Calls(page)
    await live(page, "/catalogue")
    grant = await page.locator("[data-sse-scripts]").get_attribute("data-grant")
    assert grant
    names = {"stock.article", "stock.article.*"}
    assert set(Grants(3600).read(grant).groups) == names
    opened = await page.evaluate(
        """async (grant) => {
          const query = new URLSearchParams({grant});
          const stream = new EventSource(`/sse/stream?${query}`);
          const frame = await new Promise((resolve) =>
            stream.addEventListener('stream-open', (event) => resolve(event.data)));
          stream.close();
          return JSON.parse(frame);
        }""",
        grant,
    )
    assert set(opened["groups"]) == names | {"broadcast"}
    assert calls.streams == 2  # the page's, and that one

    await system.post(pushed(500), {"data": {"name": "rare"}})
    await expect(page.locator("#article-500")).to_have_text("rare")
    assert calls.made == []

    async with httpx.AsyncClient(timeout=20) as client:
        new = (await client.post(f"{server.url}/stock")).json()
    assert new == 1000
    await expect(page.locator("li")).to_have_count(1001)
    await system.post(pushed(1000), {"data": {"name": "new"}})
    await expect(page.locator("#article-1000")).to_have_text("new")
    await page.wait_for_timeout(SETTLED)
    assert calls.made == ["_refresh"]
    assert calls.streams == 2


async def test_a_method_with_a_debounce_is_called_when_the_visitor_pauses(
    page: Page, system: System
) -> None:
    calls = Calls(page)
    await live(page, "/finder")
    await page.get_by_label("query").press_sequentially("lilies", delay=40)
    await expect(page.locator("#found")).to_have_text("found lilies")
    await page.wait_for_timeout(SETTLED)
    assert calls.made == ["find"]
    assert await page.evaluate(
        "Promise.all(['a', 'b'].map((text) =>"
        " Alpine.$data(document.querySelector('section')).find(text)))"
    ) == ["found b", "found b"]
    assert calls.made == ["find", "find"]
    assert (await system.state())["find"] == 2


async def test_a_method_with_a_throttle_is_called_at_its_pace_and_with_the_last(
    page: Page, system: System
) -> None:
    calls = Calls(page)
    await live(page, "/finder")
    results = await page.evaluate(
        "Promise.all([1, 2, 3, 4, 5].map((place) =>"
        " Alpine.$data(document.querySelector('section')).follow(place)))"
    )
    assert results == [1, 5, 5, 5, 5]
    assert calls.made == ["follow", "follow"]
    loads = await system.state()
    assert {name for name in loads if name.startswith("follow")} == {
        "follow 1",
        "follow 5",
    }


_CALL = "(name) => Alpine.$data(document.querySelector('#doer'))[name]()"


async def test_a_method_sets_properties_without_a_render(page: Page) -> None:
    await live(page, "/doer")
    await page.evaluate(_CALL, "update")
    await expect(page.locator("#doer p")).to_have_text(["updated", "before"])


async def test_a_method_fires_an_event_that_the_page_hears(page: Page) -> None:
    await live(page, "/doer")
    await page.evaluate(
        "document.addEventListener('doer:done', (event) => heard = event.detail);0"
    )
    await page.evaluate(_CALL, "dispatch")
    assert await page.evaluate("heard") == {"pk": 7}


async def test_a_method_takes_its_component_off_the_page(page: Page) -> None:
    await live(page, "/doer")
    await page.evaluate(_CALL, "remove")
    await expect(page.locator("#doer")).to_have_count(0)
    await page.wait_for_function("Alpine.store('sse').state === 'closed'")


async def test_a_method_sends_the_visitor_to_another_page(page: Page) -> None:
    await live(page, "/doer")
    await page.evaluate(_CALL, "redirect")
    await page.wait_for_url("**/none")
