"""Pages that nobody sees, or that have no network, are right when they come back.

In Chromium as visitors have it, and behind a proxy for each page.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import AbstractAsyncContextManager, AsyncExitStack, asynccontextmanager
from typing import Any

import pytest
import pytest_asyncio

from tests.browser.chromium import Chromium, ChromiumTab
from tests.browser.notes import Notes, Visit, introduce, served
from tests.servers import Server

pytestmark = [pytest.mark.asyncio(loop_scope="session"), pytest.mark.streams]


class ChromiumVisit(Visit):
    tab: ChromiumTab


NewVisit = Callable[[], Awaitable[ChromiumVisit]]
Absence = Callable[[ChromiumVisit], AbstractAsyncContextManager[None]]


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    with served(tmp_path_factory.mktemp("server")) as server:
        yield server


@pytest_asyncio.fixture(scope="module", loop_scope="session", autouse=True)
async def _page_is_known(chromium: Chromium, server: Server) -> None:
    await introduce(await chromium.new_tab(), server)


@pytest_asyncio.fixture(loop_scope="session")
async def notes(server: Server) -> Notes:
    """None are there yet."""
    notes = Notes(server)
    await notes.do("clear")
    return notes


@pytest_asyncio.fixture(loop_scope="session")
async def new_visit(chromium: Chromium, server: Server) -> AsyncIterator[NewVisit]:
    """Opens the page in a tab in front."""
    async with AsyncExitStack() as stack:

        async def new_visit() -> ChromiumVisit:
            tab = await chromium.new_tab()
            return await stack.enter_async_context(ChromiumVisit.begin(tab, server))

        yield new_visit


@asynccontextmanager
async def hidden(visit: ChromiumVisit) -> AsyncIterator[None]:
    """Another tab is in front."""
    front = await visit.tab.browser.new_tab()
    await visit.tab.until("document.visibilityState === 'hidden'")
    yield
    await front.close()
    await visit.tab.show()
    await visit.tab.until("document.visibilityState === 'visible'")


@asynccontextmanager
async def silent(visit: ChromiumVisit) -> AsyncIterator[None]:
    """It is hidden, and what is between it and the server forgets its connections."""
    async with hidden(visit):
        visit.proxy.silence()
        yield


@asynccontextmanager
async def frozen(visit: ChromiumVisit) -> AsyncIterator[None]:
    """It is hidden, and the browser lets it run no more."""
    async with hidden(visit):
        await visit.tab.call("Page.setWebLifecycleState", {"state": "frozen"})
        yield
        await visit.tab.call("Page.setWebLifecycleState", {"state": "active"})


@asynccontextmanager
async def kept(visit: ChromiumVisit) -> AsyncIterator[None]:
    """The visitor has followed a link, and the back button brings the page back."""
    await visit.tab.open(f"{visit.proxy.url}/loads")
    yield
    await visit.tab.js("{ setTimeout(() => history.back()); }")
    await visit.tab.until("window.kept")


@asynccontextmanager
async def offline(visit: ChromiumVisit) -> AsyncIterator[None]:
    """The network is gone, and the browser says so."""
    await _emulate(visit, offline=True)
    visit.proxy.cut()  # which the emulation leaves open
    yield
    await _emulate(visit, offline=False)


async def _emulate(visit: ChromiumVisit, *, offline: bool) -> None:
    conditions: dict[str, Any] = {"offline": offline, "latency": 0}
    unlimited = {"downloadThroughput": -1, "uploadThroughput": -1}
    await visit.tab.call("Network.emulateNetworkConditions", conditions | unlimited)
    await visit.tab.until(f"navigator.onLine === {str(not offline).lower()}")


WITHOUT_STREAM = (frozen, kept, offline)


# A54
@pytest.mark.parametrize("away", [hidden, *WITHOUT_STREAM])
async def test_a_page_that_was_away_shows_what_has_happened(
    away: Absence, new_visit: NewVisit, notes: Notes
) -> None:
    changed = await notes.do("create", text="a")
    deleted = await notes.do("create", text="b")
    visit = await new_visit()
    await notes.are_heard_by(1)
    async with away(visit):
        await notes.are_heard_by(0 if away in WITHOUT_STREAM else 1)
        await notes.do("create", text="c")
        rung = [await notes.ring()]
        await notes.do("change", pk=changed, text="a2")
        await notes.do("delete", pk=deleted)
        rung.append(await notes.ring())
    await visit.shows("a2", "c")
    await visit.is_online()
    await notes.are_heard_by(1)
    rung.append(await notes.ring())
    await visit.has_rung(*rung)
    was_without = away in WITHOUT_STREAM
    assert await visit.told() == ["disconnected", "connected"] * was_without
    assert await visit.resets() == 0


# Longer than a group without subscribers is heard, and than a silent stream is trusted.
@pytest.mark.timeout(120)
async def test_pages_that_were_away_for_a_minute_show_what_has_happened(
    new_visit: NewVisit, notes: Notes
) -> None:
    pk = await notes.do("create", text="a")
    visits: list[ChromiumVisit] = []
    rung: list[int] = []
    async with AsyncExitStack() as stack:
        for away in (hidden, silent, *WITHOUT_STREAM):
            visits.append(await new_visit())
            await stack.enter_async_context(away(visits[-1]))
        for number in range(3):
            await asyncio.sleep(20)
            await notes.do("change", pk=pk, text=f"a {number}")
            await notes.do("create", text=f"b {number}")
            rung.append(await notes.ring())
    for visit in visits:
        await visit.shows("a 2", "b 0", "b 1", "b 2")
        await visit.is_online()
    rung.append(await notes.ring())
    for visit in visits:
        await visit.has_rung(*rung)
        assert await visit.resets() == 0


# A54
async def test_each_change_of_the_connection_is_told_once(
    new_visit: NewVisit, notes: Notes, server: Server
) -> None:
    visit = await new_visit()
    async with offline(visit):
        await visit.tab.until("told.length === 1")
    await visit.is_online()
    await asyncio.to_thread(server.stop)
    await visit.tab.until("told.length === 3")
    await asyncio.sleep(2)  # in which it tries in vain
    await asyncio.to_thread(server.start)
    await visit.is_online()
    await notes.do("create", text="a")
    await visit.shows("a")
    assert await visit.told() == ["disconnected", "connected"] * 2
