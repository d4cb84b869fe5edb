from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterator
from contextlib import AsyncExitStack
from pathlib import Path

import pytest

from tests.clients import Stream, close_all
from tests.e2e.visitors import Browser
from tests.redis_servers import NewRedisServer
from tests.servers import Server

SITE = "tests.e2e.pages_site:application"
STREAMS = 500
USERS = 50


@pytest.fixture
def site(new_redis_server: NewRedisServer, tmp_path: Path) -> Iterator[Server]:
    """A server that finds what its pages were granted by, when it comes back."""
    redis = new_redis_server()
    redis.start()
    environment = {"SSE_BROKER_URL": redis.url}
    site = Server(tmp_path, environment=environment, application=SITE)
    site.start()
    yield site
    site.close()


@pytest.fixture
async def browsers(site: Server) -> AsyncIterator[list[Browser]]:
    """Those of users who are logged in."""
    async with AsyncExitStack() as stack:
        headers = await asyncio.to_thread(site.log_in, USERS)
        browsers = [Browser({"sessionid": _session(each)}) for each in headers]
        for browser in browsers:
            await stack.enter_async_context(browser)
        yield browsers


def _session(headers: dict[str, str]) -> str:
    return headers["Cookie"].removeprefix("sessionid=")


# A63
async def test_the_first_streams_of_a_process_with_grants_need_no_database(
    site: Server, browsers: list[Browser]
) -> None:
    pages = [
        (browser, await browser.page(site, f"project.{number % USERS}"))
        for number, browser in enumerate(browsers * (STREAMS // USERS))
    ]
    assert all(
        browser.cookies.keys() == {"sessionid", "sse_browser"} for browser in browsers
    )
    used = await browsers[0].get(site, "counted")
    assert len(used.json()["queries"]) >= STREAMS  # as far as they can be counted

    assert await asyncio.to_thread(site.stop) == 0
    await asyncio.to_thread(site.start)
    threads = site.threads
    streams = await asyncio.gather(
        *(browser.connect(site, page) for browser, page in pages)
    )
    for number, stream in enumerate(streams):
        opened, *_ = await stream.until("keep-alive")
        assert opened.type == "stream-open"
        assert f"project.{number % USERS}" in opened.data["groups"]
        assert "users" in opened.data["groups"]
    used = await browsers[0].get(site, "counted")
    assert used.json() == {"queries": [], "connections": []}
    assert not [name for name in site.files if "db.sqlite3" in name]
    assert site.threads <= threads + 1  # the one of the view that has counted
    await close_all(streams)


# A63
async def test_a_stream_with_a_session_cookie_alone_looks_it_up_and_is_counted(
    site: Server, browsers: list[Browser]
) -> None:
    stream: Stream = await browsers[0].open(site, "", "sessionid")
    used = await browsers[0].get(site, "counted")
    assert any("django_session" in sql for sql in used.json()["queries"])
    assert len(used.json()["connections"]) == 1
    await stream.close()
