from __future__ import annotations

import asyncio
import json

import pytest
import pytest_asyncio
from playwright.async_api import BrowserContext, Route

from tests.independent import clients
from tests.independent.clients import Client
from tests.independent.drill import A_FEW, Drill
from tests.redis_servers import RedisServer
from tests.servers import NewServer, Server

NAMES = [
    "chromium",
    "django-eventstream",
    "django-eventstream-polyfilled",
    "eventsource",
    "eventsource-client",
    "fetch-event-source",
    "httpx-sse",
    "launchdarkly-eventsource",
]


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def cut(site: Server, all_clients: dict[str, Client]) -> Drill:
    async with Drill(site, all_clients, publish_at=site) as drill:
        await drill.cut_twice()
    return drill


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def restarted(
    new_site: NewServer, all_clients: dict[str, Client], redis_server: RedisServer
) -> Drill:
    environment = {
        "SSE_BROKER_URL": redis_server.url,
        "SETTINGS": json.dumps({"KEY_PREFIX": "independent"}),
    }
    site, other = new_site(**environment), new_site(**environment)
    await asyncio.gather(*(asyncio.to_thread(each.start) for each in (site, other)))
    async with Drill(site, all_clients, publish_at=other) as drill:
        await drill.restart()
    return drill


# A67
@pytest.mark.parametrize("name", NAMES)
def test_a_client_that_is_cut_off_twice_hears_all_once_and_in_order(
    name: str, cut: Drill
) -> None:
    cut.lines[name].assert_complete(cut.published)


# A67
@pytest.mark.parametrize("name", NAMES)
def test_a_client_hears_all_once_and_in_order_over_a_restart_of_its_server(
    name: str, restarted: Drill
) -> None:
    restarted.lines[name].assert_complete(restarted.published)


@pytest.mark.asyncio(loop_scope="session")
async def test_the_client_of_django_eventstream_comes_back_from_a_bad_gateway(
    site: Server, context: BrowserContext
) -> None:
    has_been_refused = asyncio.Event()

    async def refuse(route: Route) -> None:
        await route.fulfill(status=502)
        has_been_refused.set()

    client = clients.reconnecting(context)
    async with Drill(site, {"client": client}, publish_at=site) as drill:
        line = drill.lines["client"]
        await line.hears(A_FEW)
        await context.route("**/sse/**", refuse)
        line.cut()
        line.mend()
        async with asyncio.timeout(10):
            await has_been_refused.wait()
        await context.unroute("**/sse/**", refuse)
        await line.hears(1, "stream-open")
    line.assert_complete(drill.published)
