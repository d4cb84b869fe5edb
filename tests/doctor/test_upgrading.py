from __future__ import annotations

import pytest

from sse_components.doctor.address import Address
from sse_components.doctor.findings import Finding, Level
from sse_components.doctor.upgrading import findings
from tests.doctor.told import levels, worst
from tests.proxies import HTTPProxy, Treatment
from tests.servers import Server

PATIENCE = 2


def _told(url: str) -> list[Finding]:
    return list(findings(Address.of(url), PATIENCE))


def test_a_websocket_that_opens_is_well(server: Server, nginx: str) -> None:
    assert levels(_told(server.url)) == {"WebSocket": Level.OK}
    assert levels(_told(f"{nginx}/right/")) == {"WebSocket": Level.OK}


def test_nginx_by_default_lets_none_through(nginx: str) -> None:
    fault = worst(_told(f"{nginx}/default/"))
    assert fault.level is Level.WARNING
    assert "answered with 404" in fault.text
    assert "$http_upgrade" in fault.cure


def test_a_proxy_that_changes_the_host_has_it_refused(nginx: str) -> None:
    fault = worst(_told(f"{nginx}/without-host/"))
    assert fault.level is Level.WARNING
    assert "answered with 403" in fault.text
    assert "$http_host" in fault.cure


@pytest.mark.parametrize(
    ("treatment", "text"),
    [
        (Treatment.DROP, "nothing came"),
        (Treatment.REFUSE, "answered with 403"),
        (Treatment.RESET, "it was cut"),
    ],
)
def test_what_a_proxy_does_to_a_websocket_is_told(
    proxy: HTTPProxy, treatment: Treatment, text: str
) -> None:
    proxy.websockets = treatment
    fault = worst(_told(proxy.url))
    assert fault.level is Level.WARNING
    assert text in fault.text
