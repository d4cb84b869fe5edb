from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from threading import Timer

import pytest
from pytest_django import Settings

from sse_components.doctor.address import Address
from sse_components.doctor.findings import Finding, Level
from sse_components.doctor.stream import Stream
from sse_components.doctor.streaming import findings
from sse_components.doctor.trial import BrokerTrial, Trial
from tests.doctor.told import levels, worst
from tests.proxies import HTTPProxy, Treatment
from tests.redis_servers import NewRedisServer, RedisServer
from tests.servers import Server

pytestmark = pytest.mark.usefixtures("_settings_of_the_site")

WELL = {
    "clock of the site": Level.OK,
    "compression": Level.OK,
    "caching": Level.OK,
    "stream": Level.OK,
    "buffering": Level.OK,
    "event": Level.OK,
}


PATIENCE = 3.5
"""Seconds. The keep-alive is due after 1, and the timer that sends it has steps."""
LITTLE = 1.5
"""Where nothing is to come."""


def _told(
    url: str, trial: Trial | None = None, patience: float = PATIENCE
) -> Iterator[Finding]:
    return findings(Address.of(url), trial, patience)


@pytest.mark.parametrize("path", ["", "/"])
def test_a_stream_that_comes_as_it_was_sent_is_well(server: Server, path: str) -> None:
    assert levels(_told(server.url + path, BrokerTrial())) == WELL


def test_without_an_event_to_try_that_is_said(server: Server) -> None:
    found = list(_told(server.url))
    assert levels(found) == WELL
    assert "not tried" in found[-1].text


def test_what_nginx_does_to_a_stream_by_default_is_well(nginx: str) -> None:
    assert levels(_told(f"{nginx}/default/", BrokerTrial())) == WELL


def test_compression_on_the_way_is_a_warning(nginx: str) -> None:
    found = list(_told(f"{nginx}/compressing/", BrokerTrial()))
    assert levels(found) == WELL | {"compression": Level.WARNING}
    assert "gzip" in worst(found).text


@pytest.mark.parametrize(
    ("location", "text"),
    [
        ("caching", "Cache-Control is 'public, max-age=60'"),
        ("aged", "came out of a cache"),
    ],
)
def test_a_cache_on_the_way_is_a_warning(nginx: str, location: str, text: str) -> None:
    found = list(_told(f"{nginx}/{location}/", BrokerTrial()))
    told = levels(found)
    clock = told.pop("clock of the site", None)
    assert (clock is None) == (location == "aged")  # which has an older Date
    assert told | {"clock of the site": Level.OK} == WELL | {"caching": Level.WARNING}
    assert text in worst(found).text


def test_an_nginx_that_collects_frames_is_an_error(nginx: str) -> None:
    fault = worst(_told(f"{nginx}/ignorant/", BrokerTrial(), LITTLE))
    assert fault.level is Level.ERROR
    assert fault.subject == "buffering"
    assert "X-Accel-Buffering" in fault.cure


@pytest.mark.parametrize(
    ("treatment", "subject", "text"),
    [
        (Treatment.DROP, "buffering", "not even a status"),
        (Treatment.BUFFER, "buffering", "the head came, and no frame"),
        (Treatment.BLOCKS, "buffering", "the head came, and no frame"),
        (Treatment.REFUSE, "stream", "answered with 403"),
        (Treatment.RESET, "stream", "it was cut"),
        (Treatment.CUT, "stream", "it was cut"),
    ],
)
def test_what_a_proxy_does_to_a_stream_is_told(
    proxy: HTTPProxy, treatment: Treatment, subject: str, text: str
) -> None:
    proxy.streams = treatment
    proxy.cut_after = 0.5
    fault = worst(_told(proxy.url, BrokerTrial(), LITTLE))
    assert fault.level is Level.ERROR
    assert fault.subject == subject
    assert text in fault.text


@pytest.mark.parametrize(
    ("last", "subject", "text"),
    [
        ("stream", "buffering", "a frame came, and no other"),
        ("buffering", "event", "it was published, and did not come"),
    ],
)
def test_a_proxy_that_falls_silent_is_an_error(
    proxy: HTTPProxy, last: str, subject: str, text: str
) -> None:
    told = _told(proxy.url, BrokerTrial())
    while next(told).subject != last:
        pass
    proxy.silence()
    (fault,) = told
    assert fault.level is Level.ERROR
    assert fault.subject == subject
    assert text in fault.text


class Late(BrokerTrial):
    """Has its event on the way for longer than it should be."""

    def publish(self) -> None:
        Timer(1.2, super().publish).start()


def test_an_event_that_comes_late_is_a_warning(server: Server) -> None:
    found = list(_told(server.url, Late()))
    assert levels(found) == WELL | {"event": Level.WARNING}
    assert "it came late" in worst(found).text


def test_an_event_that_can_not_be_published_is_an_error(
    new_redis_server: NewRedisServer, settings: Settings, server: Server
) -> None:
    trial = BrokerTrial()
    told = _told(server.url, trial)
    while next(told).subject != "buffering":
        pass
    settings.SSE_COMPONENTS = {"BROKER_URL": "redis://127.0.0.1:1/0"}
    (fault,) = told
    assert fault.level is Level.ERROR
    assert "can't be published" in fault.text


@pytest.mark.parametrize(
    ("path", "text", "cure"),
    [
        ("/moved/", "301, to", "/right/moved/sse/stream"),
        ("/page/", "answered with text/html", "see their logs"),
        ("/down/", "answered with 502", "Start the application"),
        ("/another-host/", "answered with 400", "ALLOWED_HOSTS"),
        ("/right/nowhere/", "answered with 404", "get_asgi_application"),
        ("/refusing/", "the site refuses it: Not now.", "see their logs"),
        ("/strange/", "begins with 'hello'", "see their logs"),
        ("/empty/", "it was cut", "see their logs"),
        ("/garbled/", "it was cut: what came can't be unpacked.", "see their logs"),
    ],
)
def test_an_answer_that_is_no_stream_is_an_error(
    nginx: str, path: str, text: str, cure: str
) -> None:
    fault = worst(_told(nginx + path, BrokerTrial()))
    assert fault.level is Level.ERROR
    assert text in fault.text
    assert cure in f"{fault.text} {fault.cure}"
    assert "grant=" not in str(fault)


@pytest.mark.parametrize("other", ["SECRET_KEY", "KEY_PREFIX"])
def test_a_site_with_other_settings_is_an_error_and_watched_all_the_same(
    server: Server, settings: Settings, redis_server: RedisServer, other: str
) -> None:
    if other == "SECRET_KEY":
        settings.SECRET_KEY = "another"
    else:
        settings.SSE_COMPONENTS = {
            "BROKER_URL": redis_server.url,
            "KEY_PREFIX": "doctor-of-others",
        }
    found = list(_told(server.url, BrokerTrial()))
    fault = worst(found)
    assert fault.level is Level.ERROR
    assert "takes no grant" in fault.text
    assert "SECRET_KEY" in fault.cure
    assert [one.subject for one in found][-2:] == ["buffering", "event"]


def test_a_site_that_ends_it_at_once_is_an_error_with_the_reason(
    tmp_path: Path, settings: Settings
) -> None:
    server = Server(
        tmp_path,
        environment={"SETTINGS": json.dumps({"MAX_STREAMS": 1})},
        application="tests.e2e.redis.site:application",
    )
    with (
        server.running(),
        closing(Stream(Address.of(server.url), 5)) as other,
    ):
        other.open()
        assert other.next(5).type == "stream-open"
        fault = worst(_told(server.url))
    assert fault.level is Level.ERROR
    assert "at once: busy" in fault.text
    assert "MAX_STREAMS" in fault.cure
