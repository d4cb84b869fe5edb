"""Fixtures of the documentation's tests: a browser, and windows of it."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any

import pytest_asyncio
from playwright.async_api import Browser, Page

from tests.browser.conftest import browser

__all__ = ["browser"]

OpenWindow = Callable[..., Awaitable[Page]]


@pytest_asyncio.fixture(loop_scope="session")
async def open_window(browser: Browser) -> AsyncIterator[OpenWindow]:
    """Opens windows, each of a browser of its own; options are those of contexts."""
    contexts = []
    errors: list[str] = []

    async def open_window(**options: Any) -> Page:
        context = await browser.new_context(**options)
        context.set_default_timeout(10_000)
        context.on("weberror", lambda error: errors.append(str(error.error)))
        contexts.append(context)
        return await context.new_page()

    yield open_window
    for context in contexts:
        await context.close()
    assert not errors
