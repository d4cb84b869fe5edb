from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from sse_components.doctor import django_alone, streaming
from sse_components.doctor.address import Address
from sse_components.doctor.findings import Level
from tests.doctor.told import worst
from tests.servers import Server
from tests.wsgi import Site

SECONDS = 5


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    site = Site(tmp_path_factory.mktemp("site"))
    with site.running():
        yield site


# A12
def test_a_site_that_a_wsgi_server_serves_is_an_error_with_its_cure(site: Site) -> None:
    fault = worst(streaming.findings(Address.of(site.url), None))
    assert fault.level is Level.ERROR
    assert fault.subject == "stream"
    assert "501, and the browser client is there: the site is served by WSGI" in str(
        fault
    )
    assert "'WSGIServer/" in fault.text
    assert "get_asgi_application" in fault.cure
    assert "uvicorn yoursite.asgi:application" in fault.cure


# A12
def test_the_command_says_so(site: Site) -> None:
    done = site.manage("sse_doctor", "--url", site.url)
    assert done.returncode == 1
    (line,) = (line for line in done.stdout.splitlines() if "stream: " in line)
    assert "served by WSGI" in line
    assert "warning  sse_components.W011" in done.stdout


def test_a_site_that_is_not_there_is_not_taken_for_one(
    server: Server, tmp_path: Path
) -> None:
    elsewhere = Address.of(f"{server.url}/nowhere/")
    assert django_alone.finding(elsewhere, 404, SECONDS) is None
    assert django_alone.finding(Address.of("http://127.0.0.1:1/"), 404, SECONDS) is None
