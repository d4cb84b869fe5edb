"""Fixtures: Chromium, once, a page for each test, and a server for each test."""

from __future__ import annotations

import os
import shutil
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio
from playwright.async_api import Browser, BrowserContext, Page, async_playwright

from tests.servers import Server

CHROMIUM = os.environ.get("CHROMIUM") or shutil.which("chromium")
ARGUMENTS = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]

NewPage = Callable[..., Awaitable[Page]]


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Run these tests alone: they say within how long a page has changed."""
    for item in items:
        if Path(__file__).parent in item.path.parents:
            item.add_marker("alone")


@pytest_asyncio.fixture(scope="session", loop_scope="session")
async def browser() -> AsyncIterator[Browser]:
    if CHROMIUM is None:
        message = "There is no Chromium; CHROMIUM=/path names one."
        if os.environ.get("CI"):
            pytest.fail(message)
        pytest.skip(message)
    async with async_playwright() as playwright:
        browser = await playwright.chromium.launch(
            executable_path=CHROMIUM, args=ARGUMENTS
        )
        yield browser
        await browser.close()


@pytest_asyncio.fixture(loop_scope="session")
async def new_page(browser: Browser, server: Server) -> AsyncIterator[NewPage]:
    """Opens pages of visitors, each in an empty profile; options are those of contexts.

    A test fails if a page logs an error of its own that it may not have.
    """
    contexts: list[BrowserContext] = []
    errors: list[str] = []

    async def new_page(may_fail: bool = False, **options: Any) -> Page:
        context = await browser.new_context(base_url=server.url, **options)
        contexts.append(context)
        context.set_default_timeout(10_000)
        if not may_fail:
            context.on("weberror", lambda error: errors.append(str(error.error)))
        return await context.new_page()

    yield new_page
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


@pytest.fixture
def server(tmp_path: Path) -> Iterator[Server]:
    """A server of the test's own: it may be stopped and started again."""
    server = Server(tmp_path)
    server.start()
    yield server
    assert server.stop() == 0
    assert "Traceback" not in server.log
