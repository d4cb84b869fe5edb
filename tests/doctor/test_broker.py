from __future__ import annotations

import pytest
from pytest_django import Settings

from sse_components.doctor.broker import findings
from sse_components.doctor.findings import Finding, Level
from tests.doctor.fake_redis import STANDALONE, fake_redis
from tests.doctor.told import levels, worst
from tests.redis_servers import BINARIES, NewRedisServer

URL = "redis://127.0.0.1:1/0"


@pytest.fixture
def told(settings: Settings) -> _Told:
    return _Told(settings)


class _Told:
    def __init__(self, settings: Settings) -> None:
        self._settings = settings

    def of(self, url: str) -> list[Finding]:
        self._settings.SSE_COMPONENTS = {"BROKER_URL": url}
        return list(findings())


@pytest.mark.parametrize("workers", [None, "", "1", "many"])
def test_the_embedded_broker_is_well_in_one_process(
    told: _Told, monkeypatch: pytest.MonkeyPatch, workers: str | None
) -> None:
    monkeypatch.delenv("WEB_CONCURRENCY", raising=False)
    if workers is not None:
        monkeypatch.setenv("WEB_CONCURRENCY", workers)
    assert levels(told.of("memory://")) == {"broker": Level.OK}


def test_the_embedded_broker_with_several_workers_is_an_error(
    told: _Told, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("WEB_CONCURRENCY", "2")
    fault = worst(told.of("memory://"))
    assert fault.level is Level.ERROR
    assert "WEB_CONCURRENCY asks for 2" in fault.text


@pytest.mark.parametrize("name", BINARIES)
def test_a_redis_as_it_should_be_is_well(
    told: _Told, new_redis_server: NewRedisServer, name: str
) -> None:
    server = new_redis_server(binary=BINARIES[name])
    server.start()
    (finding,) = told.of(server.url)
    assert finding.level is Level.OK
    assert " ms." in finding.text


def test_a_redis_that_is_away_is_an_error(told: _Told) -> None:
    fault = worst(told.of(URL))
    assert fault.level is Level.ERROR
    assert "BROKER_URL" in fault.cure


def test_a_wrong_password_is_an_error_that_shows_none(
    told: _Told, new_redis_server: NewRedisServer
) -> None:
    server = new_redis_server(password="secret")
    server.start()
    fault = worst(told.of(server.url.replace("secret", "another")))
    assert fault.level is Level.ERROR
    assert "another" not in str(fault)
    assert levels(told.of(server.url)) == {"broker": Level.OK}


def test_a_redis_that_does_not_answer_is_an_error(
    told: _Told, new_redis_server: NewRedisServer
) -> None:
    server = new_redis_server()
    server.start()
    server.pause()
    assert worst(told.of(server.url)).level is Level.ERROR


def test_a_cluster_is_an_error(told: _Told, new_redis_server: NewRedisServer) -> None:
    server = new_redis_server(["--cluster-enabled", "yes"])
    server.start()
    fault = worst(told.of(server.url))
    assert fault.level is Level.ERROR
    assert "Cluster" in fault.text


def test_a_redis_that_is_too_old_is_an_error(told: _Told) -> None:
    with fake_redis("redis_version:5.0.14\r\nredis_mode:standalone\r\n") as url:
        fault = worst(told.of(url))
    assert fault.level is Level.ERROR
    assert "5.0.14 is too old" in fault.text


def test_a_replica_is_an_error(told: _Told, new_redis_server: NewRedisServer) -> None:
    server = new_redis_server(["--replicaof", "127.0.0.1", "1"])
    server.start()
    fault = worst(told.of(server.url))
    assert fault.level is Level.ERROR
    assert "replica" in fault.text


def test_a_redis_that_may_evict_is_a_warning(
    told: _Told, new_redis_server: NewRedisServer
) -> None:
    options = ["--maxmemory", "100mb", "--maxmemory-policy", "allkeys-lru"]
    server = new_redis_server(options)
    server.start()
    fault = worst(told.of(server.url))
    assert fault.level is Level.WARNING
    assert "allkeys-lru" in fault.text


def test_a_redis_that_takes_snapshots_is_a_warning(
    told: _Told, new_redis_server: NewRedisServer
) -> None:
    server = new_redis_server()
    server.start()
    with server.client() as client:
        client.config_set("save", "3600 1")
    fault = worst(told.of(server.url))
    assert fault.level is Level.WARNING
    assert "snapshots (3600 1)" in fault.text


def test_a_redis_that_is_far_away_is_a_warning(told: _Told) -> None:
    with fake_redis(delay=0.03) as url:
        fault = worst(told.of(url))
    assert fault.level is Level.WARNING
    assert "ms for an answer" in fault.text


@pytest.mark.parametrize(("ahead", "how"), [(90, "ahead of"), (-90, "behind")])
def test_a_clock_that_is_wrong_is_a_warning(
    told: _Told, ahead: float, how: str
) -> None:
    with fake_redis(ahead=ahead) as url:
        fault = worst(told.of(url))
    assert fault.level is Level.WARNING
    assert fault.subject == "clock"
    assert how in fault.text


def test_a_redis_that_says_nothing_of_itself_is_taken(
    told: _Told, new_redis_server: NewRedisServer
) -> None:
    server = new_redis_server()
    server.start()
    with server.client() as client:
        client.acl_setuser(
            "app",
            enabled=True,
            passwords="+secret",
            categories=["+@all"],
            commands=["-info", "-config"],
        )
    url = server.url.replace("://", "://app:secret@")
    assert levels(told.of(url)) == {"broker": Level.OK}


def test_a_service_without_config_is_taken(told: _Told) -> None:
    with fake_redis(STANDALONE) as url:
        assert levels(told.of(url)) == {"broker": Level.OK}
