"""Fixtures: browsers, once, a page for each test, and a server for each test."""

from __future__ import annotations

import asyncio
import os
import shutil
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio
from playwright.async_api import (
    Browser,
    BrowserContext,
    Page,
    async_playwright,
    expect,
)

from tests.browser.chromium import Chromium
from tests.browser.firefox import Firefox
from tests.proxies import HTTPProxy, Treatment
from tests.servers import Server

CHROMIUM = os.environ.get("CHROMIUM") or shutil.which("chromium")
FIREFOX = os.environ.get("FIREFOX") or shutil.which("firefox-esr")
ARGUMENTS = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]

FALLBACK_SECONDS = 10
"""How long a page may take to find another transport."""
ALLOWED: dict[Treatment, list[str | None]] = {
    treatment: ["websocket", None] for treatment in Treatment
} | {Treatment.PASS: ["sse", None], Treatment.CUT: ["sse", "websocket", None]}
"""What a page's stream may be behind each; None when it has none at the moment."""
TRANSPORT = "window.Alpine?.store('sse')?.transport ?? null"
REMEMBER = """if (location.host)
  sessionStorage["sse:websocket"] ??= Date.now() + 600_000"""
"""As a tab does that has been behind a bad proxy before. To find it out takes a page
5 s, and has tests of its own."""

WITHOUT_STREAMS = {"test_morph.py"}
"""Here nothing comes by itself, so nothing is late."""

NewPage = Callable[..., Awaitable[Page]]


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption(
        "--behind",
        type=Treatment,
        choices=list(Treatment),
        help="Put a proxy in front of every server that treats streams like this.",
    )


def pytest_configure(config: pytest.Config) -> None:
    line = "streams: counts streams or opens its own, so none may be kept from it"
    config.addinivalue_line("markers", line)


def pytest_collection_modifyitems(
    config: pytest.Config, items: list[pytest.Item]
) -> None:
    """Run these tests alone: they say within how long a page has changed."""
    is_bad = _behind(config) not in (None, Treatment.PASS)
    for item in items:
        if Path(__file__).parent in item.path.parents:
            if item.path.name not in WITHOUT_STREAMS:
                item.add_marker("alone")
            if is_bad and not _goes_through(item):
                item.add_marker(pytest.mark.skip(reason="not for a bad proxy"))


@pytest.fixture(scope="session")
def behind(request: pytest.FixtureRequest) -> Treatment | None:
    """What a proxy does to the streams of all servers, if there is one."""
    return _behind(request.config)


@pytest.fixture(scope="session", autouse=True)
def _servers_are_behind_it(behind: Treatment | None) -> Iterator[None]:
    if behind is None:
        yield
        return
    proxies: list[HTTPProxy] = []

    def front(port: int) -> int:
        proxies.append(HTTPProxy(port, behind))
        proxies[-1].start()
        return proxies[-1].port

    Server.front = front
    expect.set_options(timeout=(5 + FALLBACK_SECONDS) * 1000)  # 5 are the default
    yield
    Server.front = None
    for proxy in proxies:
        proxy.close()


@pytest_asyncio.fixture(scope="session", loop_scope="session")
async def browser() -> AsyncIterator[Browser]:
    binary = _found("Chromium", CHROMIUM)
    async with async_playwright() as playwright:
        browser = await playwright.chromium.launch(
            executable_path=binary, args=ARGUMENTS
        )
        yield browser
        await browser.close()


@pytest_asyncio.fixture(scope="session", loop_scope="session")
async def chromium(
    tmp_path_factory: pytest.TempPathFactory,
) -> AsyncIterator[Chromium]:
    """One whose tabs are hidden, frozen and kept as those of visitors are."""
    binary, profile = _found("Chromium", CHROMIUM), tmp_path_factory.mktemp("chromium")
    async with Chromium.start(binary, ARGUMENTS, profile) as chromium:
        yield chromium


@pytest_asyncio.fixture(scope="session", loop_scope="session")
async def firefox(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Firefox]:
    binary, profile = _found("Firefox", FIREFOX), tmp_path_factory.mktemp("firefox")
    async with Firefox.start(binary, profile) as firefox:
        yield firefox


@pytest_asyncio.fixture(loop_scope="session")
async def new_page(
    browser: Browser, server: Server, behind: Treatment | None
) -> AsyncIterator[NewPage]:
    """Opens pages of visitors, each in an empty profile; options are those of contexts.

    A test fails if a page logs an error of its own that it may not have.
    """
    contexts: list[BrowserContext] = []
    errors: list[str] = []

    async def new_page(may_fail: bool = False, **options: Any) -> Page:
        context = await browser.new_context(base_url=server.url, **options)
        contexts.append(context)
        context.set_default_timeout(10_000)
        if behind in (Treatment.DROP, Treatment.BUFFER, Treatment.BLOCKS):
            await context.add_init_script(REMEMBER)
        if not may_fail:
            context.on("weberror", lambda error: errors.append(str(error.error)))
        return await context.new_page()

    yield new_page
    if behind is not None:
        for page in [page for context in contexts for page in context.pages]:
            await _has_transport(page, ALLOWED[behind])
    for context in contexts:
        await context.close()
    assert not errors


@pytest_asyncio.fixture(loop_scope="session")
async def page(new_page: NewPage) -> Page:
    """A visitor's."""
    return await new_page()


@pytest_asyncio.fixture(loop_scope="session")
async def other(new_page: NewPage) -> Page:
    """Another visitor's."""
    return await new_page()


@pytest_asyncio.fixture(loop_scope="session")
async def proxy(server: Server) -> AsyncIterator[HTTPProxy]:
    """Between a page and its server, if the page is opened there."""
    proxy = HTTPProxy(server.port)
    proxy.start()
    yield proxy
    await asyncio.to_thread(proxy.close)


@pytest.fixture
def server(tmp_path: Path) -> Iterator[Server]:
    """A server of the test's own: it may be stopped and started again."""
    server = Server(tmp_path)
    server.start()
    yield server
    assert server.stop() == 0
    assert "Traceback" not in server.log


def _behind(config: pytest.Config) -> Treatment | None:
    # A run that finds this file late doesn't know the option.
    treatment: Treatment | None = config.getoption("behind", default=None)
    return treatment


def _goes_through(item: pytest.Item) -> bool:
    """Whether a test's pages are behind the proxy, and may be."""
    fixtures = getattr(item, "fixturenames", ())
    return "new_page" in fixtures and not item.get_closest_marker("streams")


def _found(name: str, binary: str | None) -> str:
    if binary is None:
        message = f"There is no {name}; {name.upper()}=/path names one."
        if os.environ.get("CI"):
            pytest.fail(message)
        pytest.skip(message)
    return binary


async def _has_transport(page: Page, allowed: Sequence[str | None]) -> None:
    """Wait until a page's stream is one of those that are left to it, or closed."""
    deadline = time.monotonic() + FALLBACK_SECONDS
    while (transport := await page.evaluate(TRANSPORT)) not in allowed:
        assert time.monotonic() < deadline, f"{page.url} has its stream by {transport}"
        await asyncio.sleep(0.1)
