"""Pages are live in Firefox too, and come back with all that happened meanwhile."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterator
from typing import Final

import pytest
import pytest_asyncio

from tests.browser.firefox import Firefox
from tests.browser.notes import Notes, Visit, introduce, served
from tests.proxies import Treatment
from tests.servers import Server

pytestmark = [pytest.mark.asyncio(loop_scope="session"), pytest.mark.streams]

CREATE: Final = "from tests.shop.models import Note; Note.objects.create(text='b')"


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    with served(tmp_path_factory.mktemp("server")) as server:
        yield server


@pytest_asyncio.fixture(scope="module", loop_scope="session", autouse=True)
async def _page_is_known(firefox: Firefox, server: Server) -> None:
    await introduce(await firefox.new_tab(), server)


@pytest_asyncio.fixture(loop_scope="session")
async def notes(server: Server) -> Notes:
    """There is one of them."""
    notes = Notes(server)
    await notes.do("clear")
    await notes.do("create", text="a")
    return notes


@pytest_asyncio.fixture(loop_scope="session")
async def visit(firefox: Firefox, server: Server, notes: Notes) -> AsyncIterator[Visit]:
    async with Visit.begin(await firefox.new_tab(), server) as visit:
        yield visit


async def test_a_page_is_live(visit: Visit, notes: Notes) -> None:
    assert await visit.transport() == "sse"
    await notes.do("create", text="b")
    await visit.shows("a", "b")
    await visit.has_rung(await notes.ring())
    assert await visit.told() == []


BAD = (
    Treatment.REFUSE,
    Treatment.RESET,
    Treatment.DROP,
    Treatment.BUFFER,
    Treatment.BLOCKS,
)


@pytest.mark.parametrize("streams", BAD)
async def test_behind_a_bad_proxy_a_page_is_live_by_a_websocket(
    streams: Treatment, firefox: Firefox, server: Server, notes: Notes
) -> None:
    tab = await firefox.new_tab()
    async with Visit.begin(tab, server, streams) as visit:
        await tab.until("Alpine.store('sse').transport === 'websocket'")
        await notes.do("create", text="b")
        rung = [await notes.ring()]
        await visit.shows("a", "b")
        visit.proxy.cut()
        rung.append(await notes.ring())
        await visit.has_rung(*rung)
        assert await visit.resets() == 0


async def test_a_page_whose_connection_was_cut_goes_on_where_it_was(
    visit: Visit, notes: Notes
) -> None:
    visit.proxy.streams = visit.proxy.websockets = Treatment.RESET
    visit.proxy.cut()
    await visit.tab.until("told.length === 1")
    await notes.do("create", text="b")
    rung = [await notes.ring(), await notes.ring()]
    visit.proxy.streams = visit.proxy.websockets = Treatment.PASS
    await visit.shows("a", "b")
    await visit.is_online()
    rung.append(await notes.ring())
    await visit.has_rung(*rung)
    assert await visit.told() == ["disconnected", "connected"]
    assert await visit.resets() == 0


async def test_a_page_misses_nothing_of_a_restart(
    visit: Visit, notes: Notes, server: Server
) -> None:
    await asyncio.to_thread(server.stop)
    await visit.tab.until("told.length === 1")
    server.manage("shell", "--verbosity=0", "-c", CREATE)
    await asyncio.to_thread(server.start)
    await visit.shows("a", "b")
    await visit.is_online()
    await notes.do("create", text="c")
    await visit.shows("a", "b", "c")
    await visit.has_rung(await notes.ring())
    assert await visit.told() == ["disconnected", "connected"]


async def test_a_page_to_which_the_visitor_goes_back_is_right_and_live(
    visit: Visit, notes: Notes
) -> None:
    await visit.tab.open(f"{visit.proxy.url}/loads")
    await notes.do("create", text="b")
    await visit.tab.js("{ setTimeout(() => history.back()); }")
    await visit.is_online()
    await visit.shows("a", "b")
    await notes.do("create", text="c")
    await visit.shows("a", "b", "c")
