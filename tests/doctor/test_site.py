from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from pytest_django import Settings

from sse_components.doctor import site
from sse_components.doctor.address import Address
from sse_components.doctor.findings import Finding, Level
from tests.doctor.told import levels
from tests.proxies import Proxy, tls_context
from tests.servers import Server

pytestmark = pytest.mark.usefixtures("_settings_of_the_site")

WELL = {
    "address": Level.OK,
    "clock of the site": Level.OK,
    "compression": Level.OK,
    "caching": Level.OK,
    "stream": Level.OK,
    "buffering": Level.OK,
    "event": Level.OK,
    "WebSocket": Level.OK,
}


@pytest.fixture
async def url(
    server: Server, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> AsyncIterator[str]:
    """The address of the site behind TLS, by an issuer that is trusted."""
    authority = tmp_path / "authority.pem"
    monkeypatch.setenv("SSL_CERT_FILE", str(authority))
    proxy = Proxy(server.port, tls_context(authority))
    await proxy.start()
    yield f"https://127.0.0.1:{proxy.port}/"
    await proxy.stop()


def _told(url: str) -> list[Finding]:
    return list(site.findings(Address.of(url)))


async def test_a_site_that_is_reached_over_tls_is_looked_at(url: str) -> None:
    found = levels(await asyncio.to_thread(_told, url))
    assert found == WELL | {"address": Level.WARNING}  # it is HTTP/1.1


def test_a_site_that_can_not_be_reached_is_looked_at_no_further() -> None:
    assert levels(_told("http://127.0.0.1:1/")) == {"address": Level.ERROR}


def test_a_broker_that_is_away_leaves_no_event_to_try(
    server: Server, settings: Settings
) -> None:
    settings.SSE_COMPONENTS = {"BROKER_URL": "redis://127.0.0.1:1/0"}
    found = _told(server.url)
    assert levels(found) == WELL
    assert "not tried" in next(one.text for one in found if one.subject == "event")


def test_the_embedded_broker_leaves_none_either(
    server: Server, settings: Settings
) -> None:
    settings.SSE_COMPONENTS = {}
    found = _told(server.url)
    assert levels(found) == WELL
    assert "not tried" in next(one.text for one in found if one.subject == "event")
