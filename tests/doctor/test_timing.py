from __future__ import annotations

import re
import time
from collections.abc import Iterator
from contextlib import closing
from email.utils import formatdate
from http.client import HTTPConnection
from http.server import BaseHTTPRequestHandler, HTTPServer
from threading import Thread

import pytest

from sse_components.doctor import site, timing
from sse_components.doctor.address import Address
from sse_components.doctor.findings import Finding, Level
from tests.servers import Server


class Clock(HTTPServer):
    """Passes on what a site answers, with a Date of its own."""

    def __init__(self, target: int) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.target = target
        self.date: str | None = None
        self.more: dict[str, str] = {}

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_port}"


class _Handler(BaseHTTPRequestHandler):
    server: Clock

    def do_GET(self) -> None:
        with closing(HTTPConnection("127.0.0.1", self.server.target)) as behind:
            host = {"Host": f"127.0.0.1:{self.server.target}"}
            behind.request("GET", self.path, headers=host)
            answer = behind.getresponse()
            self.send_response_only(answer.status)
            for name, value in answer.getheaders():
                if name.lower() not in ("date", "transfer-encoding"):
                    self.send_header(name, value)
            if self.server.date is not None:
                self.send_header("Date", self.server.date)
            for name, value in self.server.more.items():
                self.send_header(name, value)
            self.end_headers()
            try:
                while chunk := answer.read1(65_536):
                    self.wfile.write(chunk)
            except OSError:  # it has heard enough
                return

    def log_message(self, *arguments: object) -> None:
        pass


@pytest.fixture
def clock(server: Server) -> Iterator[Clock]:
    with Clock(server.port) as clock:
        thread = Thread(target=clock.serve_forever)
        thread.start()
        yield clock
        clock.shutdown()
        thread.join()


def _told(clock: Clock) -> list[Finding]:
    with closing(HTTPConnection("127.0.0.1", clock.server_port)) as connection:
        connection.request("GET", "/api/v1/health/live")
        return list(timing.findings(connection.getresponse()))


@pytest.mark.parametrize(("off", "where"), [(3600, "ahead of"), (-120, "behind")])
def test_a_clock_that_is_off_is_a_warning(clock: Clock, off: int, where: str) -> None:
    clock.date = formatdate(time.time() + off, usegmt=True)
    (fault,) = _told(clock)
    assert fault.level is Level.WARNING
    assert fault.subject == "clock of the site"
    told = re.match(rf"it is (\d+) s {where} this machine's", fault.text)
    assert told
    assert abs(int(told[1]) - abs(off)) <= 2  # a Date has whole seconds
    assert "NTP" in fault.cure


@pytest.mark.usefixtures("_settings_of_the_site")
def test_it_is_told_of_a_stream_as_well(clock: Clock) -> None:
    clock.date = formatdate(time.time() + 60, usegmt=True)
    told = site.findings(Address.of(clock.url))
    found = next(one for one in told if one.subject == "clock of the site")
    assert found.level is Level.WARNING


@pytest.mark.parametrize("off", [-2, 0, 2])
def test_a_clock_that_may_be_right_is_well(clock: Clock, off: int) -> None:
    clock.date = formatdate(time.time() + off, usegmt=True)
    (finding,) = _told(clock)
    assert finding.level is Level.OK


@pytest.mark.parametrize("date", [None, "yesterday", ""])
def test_without_a_date_nothing_is_told(clock: Clock, date: str | None) -> None:
    clock.date = date
    assert _told(clock) == []


def test_the_date_of_what_was_kept_in_a_cache_tells_nothing(clock: Clock) -> None:
    clock.date = formatdate(time.time() - 60, usegmt=True)
    clock.more = {"Age": "60"}
    assert _told(clock) == []
