"""Fixtures: all the clients, and servers."""

from __future__ import annotations

import os
from collections.abc import AsyncIterator, Iterator

import pytest
import pytest_asyncio
from playwright.async_api import Browser, BrowserContext

from tests.browser.conftest import browser as browser
from tests.independent import clients
from tests.independent.clients import NODE_MODULES, Client
from tests.servers import NewServer, Server

SITE = "tests.independent.site:application"


@pytest.fixture(scope="module")
def new_site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[NewServer]:
    """Makes servers that remember all that a test publishes."""
    sites: list[Server] = []

    def new_site(**environment: str) -> Server:
        folder = tmp_path_factory.mktemp("site")
        environment = {"SSE_HISTORY_SIZE": "100000"} | environment
        sites.append(Server(folder, environment=environment, application=SITE))
        return sites[-1]

    yield new_site
    for site in sites:
        assert site.stop() == 0
        assert "Traceback" not in site.log
        assert "ERROR" not in site.log


@pytest.fixture(scope="module")
def site(new_site: NewServer) -> Server:
    site = new_site()
    site.start()
    return site


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def context(browser: Browser) -> AsyncIterator[BrowserContext]:
    """An empty profile for the clients that are pages."""
    context = await browser.new_context()
    context.set_default_timeout(10_000)
    yield context
    await context.close()


@pytest.fixture(scope="module")
def all_clients(context: BrowserContext) -> dict[str, Client]:
    if not NODE_MODULES.exists():
        message = "The clients of npm are missing: make test installs them."
        if os.environ.get("CI"):
            pytest.fail(message)
        pytest.skip(message)
    return {
        "chromium": clients.in_chromium(context, "new EventSource(url)"),
        "django-eventstream": clients.reconnecting(context),
        "django-eventstream-polyfilled": clients.reconnecting(
            context, has_its_own=False
        ),
        "eventsource": clients.in_node("eventsource.mjs"),
        "eventsource-client": clients.in_node("eventsource-client.mjs"),
        "fetch-event-source": clients.fetch_event_source(context),
        "httpx-sse": clients.httpx_sse,
        "launchdarkly-eventsource": clients.launchdarkly_eventsource,
    }
