from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from collections.abc import Iterator

import pytest
from pytest_django import Settings

from sse_components.doctor import site, streaming
from sse_components.doctor.address import Address
from sse_components.doctor.calling import CallTrial
from sse_components.doctor.findings import Finding, Level
from tests.doctor.told import levels, worst
from tests.servers import ROOT, Server

KEY = "test-key"
MAKE = """
from api.models import ApiKey
key = ApiKey.objects.create(name={name!r}, scopes={scopes!r}, patterns={patterns!r})
print(key.issue())
"""


@pytest.fixture(scope="module")
def embedded(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """The demo with the embedded broker, to which nobody else can publish."""
    with Server(tmp_path_factory.mktemp("embedded")).running() as server:
        yield server


def _told(server: Server, key: str) -> list[Finding]:
    return list(site.findings(Address.of(server.url), key))


def _event(found: list[Finding]) -> Finding:
    return next(one for one in found if one.subject == "event")


def test_with_the_embedded_broker_an_event_is_tried_over_rest(embedded: Server) -> None:
    found = _told(embedded, KEY)
    assert set(levels(found).values()) == {Level.OK}
    assert _event(found).text.startswith("it came ")


def test_without_a_key_it_is_said_how_to_try_one(embedded: Server) -> None:
    found = _told(embedded, "")
    assert set(levels(found).values()) == {Level.OK}
    assert "the embedded broker" in _event(found).text
    assert "--key" in _event(found).text


def test_a_key_that_is_not_valid_there_is_an_error(embedded: Server) -> None:
    fault = worst(streaming.findings(*_keyed(embedded, "nonsense")))
    assert fault.level is Level.ERROR
    assert "key is not valid" in fault.text
    assert "doctor.*" in fault.cure
    assert "nonsense" not in str(fault)


def test_a_key_that_may_not_publish_is_an_error(embedded: Server) -> None:
    key = _made(embedded, "hears", ["subscribe"], ["doctor.*"])
    fault = worst(streaming.findings(*_keyed(embedded, key)))
    assert fault.subject == "event"
    assert "answers 403" in fault.text
    assert "scopes publish and subscribe" in fault.cure
    assert key not in str(fault)


def test_a_key_with_the_scopes_that_are_named_will_do(embedded: Server) -> None:
    key = _made(embedded, "both", ["publish", "subscribe"], ["doctor.*"])
    found = list(streaming.findings(*_keyed(embedded, key)))
    assert set(levels(found).values()) == {Level.OK}


def test_an_api_at_another_place_is_an_error(
    embedded: Server, settings: Settings
) -> None:
    settings.ROOT_URLCONF = "tests.doctor.moved_urls"
    fault = worst(streaming.findings(*_keyed(embedded, KEY)))
    assert "answers 404" in fault.text
    assert "at the same place" in fault.cure


def test_an_api_that_is_not_in_the_addresses_is_an_error(
    embedded: Server, settings: Settings
) -> None:
    settings.ROOT_URLCONF = "sse_components.urls"
    fault = worst(streaming.findings(*_keyed(embedded, KEY)))
    assert "has no address here" in fault.text


def test_an_api_that_goes_away_meanwhile_is_an_error(embedded: Server) -> None:
    address, trial = _keyed(embedded, KEY)
    told = streaming.findings(address, trial)
    while next(told).subject != "buffering":
        pass
    trial._address = Address.of("http://127.0.0.1:1/")
    (fault,) = told
    assert fault.level is Level.ERROR
    assert "the REST API doesn't answer" in fault.text


def _keyed(server: Server, key: str) -> tuple[Address, CallTrial]:
    address = Address.of(server.url)
    return address, CallTrial(address, key)


def _made(server: Server, name: str, scopes: list[str], patterns: list[str]) -> str:
    code = MAKE.format(name=name, scopes=scopes, patterns=patterns)
    printed = server.manage("shell", "--verbosity=0", "-c", code)
    (key,) = re.findall(r"sse_[a-z0-9]{12}_[\w-]{43}", printed)
    return str(key)


def _run(*arguments: str, **environment: str) -> subprocess.CompletedProcess[str]:
    given = {"DJANGO_SETTINGS_MODULE": "project.settings", "PYTHONWARNINGS": "error"}
    return subprocess.run(
        [sys.executable, "manage.py", "sse_doctor", *arguments],
        cwd=ROOT,
        env=os.environ | given | environment,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        check=False,
        timeout=50,
    )


def test_the_command_has_the_key_from_its_environment(embedded: Server) -> None:
    done = _run(
        "--json",
        "--key",
        "--url",
        embedded.url,
        DATABASE_URL=embedded.database_url,
        SSE_DOCTOR_KEY=KEY,
    )
    assert done.stderr == ""
    assert done.returncode == 0
    (event,) = (one for one in json.loads(done.stdout) if one["subject"] == "event")
    assert event["text"].startswith("it came ")
    assert KEY not in done.stdout


@pytest.mark.parametrize(
    ("url", "key", "text"),
    [
        (None, KEY, "--key is for --url"),
        ("http://example.com/", KEY, "is sent over https, or to this machine"),
        ("http://127.0.0.1:1/", "", "SSE_DOCTOR_KEY has no API key in it"),
        ("http://[::1]:1/", "a\nb", "SSE_DOCTOR_KEY has no API key in it"),
    ],
)
def test_a_key_that_can_not_be_sent_or_not_safely_is_refused(
    url: str | None, key: str, text: str
) -> None:
    where = ["--url", url] if url else []
    done = _run("--key", *where, SSE_DOCTOR_KEY=key)
    assert done.returncode == 1
    assert text in done.stderr
    assert KEY not in done.stderr
    assert "Traceback" not in done.stderr


def test_a_key_is_no_argument() -> None:
    done = _run("--key=others-see-this", "--url", "https://example.com/")
    assert done.returncode == 2
    assert "--key" in done.stderr
