"""Networks that don't let event streams through."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from playwright.async_api import Page, expect

from tests.browser.live.visits import System, live, serving
from tests.proxies import HTTPProxy, Treatment
from tests.servers import Server

pytestmark = [
    pytest.mark.asyncio(loop_scope="session"),
    pytest.mark.streams,  # has bad proxies of its own
]

ONLINE_BY = "(name) => window.Alpine?.store('sse')?.transport === name"
CALL = "(name) => Alpine.$data(document.querySelector('#doer'))[name]()"
SHOWS = "(text) => document.body.innerText.includes(text)"
NEWS = "/groups/board.news/data-changed"
REMEMBERED = "Number(sessionStorage.getItem('sse:websocket')) > Date.now()"


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    with serving(
        tmp_path_factory.mktemp("server"), LIVE_KEEP_ALIVE_SECONDS="1"
    ) as server:
        yield server


@pytest.fixture
def system(server: Server) -> System:
    return System(server)


async def _is_online_by(page: Page, transport: str) -> None:
    # The promise is 10 s after the page is there, where not everything is slow.
    await page.wait_for_function(ONLINE_BY, arg=transport, timeout=30_000)


async def _hears(page: Page, system: System, headline: str) -> None:
    await system.post(NEWS, {"data": {"headline": headline}})
    await page.wait_for_function(SHOWS, arg=headline)


# A9
@pytest.mark.parametrize(
    "treatment",
    [
        Treatment.DROP,
        Treatment.REFUSE,
        Treatment.RESET,
        Treatment.BUFFER,
        Treatment.BLOCKS,
    ],
)
async def test_a_page_behind_a_bad_proxy_is_live_by_a_websocket(
    page: Page, proxy: HTTPProxy, system: System, treatment: Treatment
) -> None:
    proxy.streams = treatment
    await page.goto(f"{proxy.url}/board")
    await _is_online_by(page, "websocket")
    await _hears(page, system, f"Past {treatment}")


# A9
async def test_streams_that_are_always_cut_soon_are_given_up_and_nothing_is_lost(
    page: Page, proxy: HTTPProxy, system: System
) -> None:
    proxy.streams, proxy.cut_after = Treatment.CUT, 1
    await page.goto(f"{proxy.url}/board")
    await _is_online_by(page, "sse")
    await _is_online_by(page, "websocket")
    assert proxy.count("/sse/stream") >= 3
    await _hears(page, system, "Past the scissors")


# A9
async def test_what_was_found_out_is_good_for_the_next_page_of_the_tab(
    page: Page, proxy: HTTPProxy, system: System
) -> None:
    proxy.streams = Treatment.REFUSE
    await page.goto(f"{proxy.url}/board")
    await page.wait_for_function(REMEMBERED)
    tried = proxy.count("/sse/stream")
    await page.reload()
    await _is_online_by(page, "websocket")
    await _hears(page, system, "On the next page")
    assert proxy.count("/sse/stream") == tried


async def test_an_outage_of_a_moment_brings_the_event_stream_back(
    page: Page, proxy: HTTPProxy, system: System
) -> None:
    await live(page, f"{proxy.url}/board")
    proxy.streams = Treatment.REFUSE
    proxy.cut()
    await _is_online_by(page, "websocket")
    proxy.streams = Treatment.PASS
    await _is_online_by(page, "sse")
    assert not await page.evaluate(REMEMBERED)
    await _hears(page, system, "As before")


# A10
async def test_buttons_answer_where_there_is_no_stream_of_either_kind(
    page: Page, proxy: HTTPProxy
) -> None:
    proxy.streams = proxy.websockets = Treatment.REFUSE
    await page.goto(f"{proxy.url}/doer")
    await page.wait_for_function("window.Alpine?.store('sse')")
    await page.evaluate(CALL, "update")
    await expect(page.locator("#text")).to_have_text("updated")
    await page.wait_for_timeout(2_000)
    assert await page.evaluate("Alpine.store('sse').online") is False
    assert proxy.count("/sse/ws") >= 2
