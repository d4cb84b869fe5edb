from __future__ import annotations

import logging
import secrets
import time
from collections.abc import Callable, Iterator

import pytest
from asgiref.sync import async_to_sync, sync_to_async
from django.http import HttpRequest, HttpResponse
from django.test import Client
from pytest_django import Settings

from sse_components import ReactiveComponent, runtime
from sse_components.components import present
from sse_components.components.page import page_of
from sse_components.events import NOWHERE, Draft, Position
from sse_components.middleware import SSEComponentsMiddleware
from sse_components.wire import parse_position
from tests.components.pages import Attributes, call, component, page, request_for, roots
from tests.redis_servers import NewRedisServer, RedisServer

PLACED = '{% component "tests.Placed" %}'


class Placed(ReactiveComponent):
    """Something is published whenever it is loaded."""

    template = "<p></p>"

    def load(self) -> None:
        if runtime.has_streams():
            runtime.publisher().publish([Draft("news.placed", "hello", b"{}")])


class Still(ReactiveComponent):
    template = "<p></p>"


Configure = Callable[[RedisServer], None]


@pytest.fixture
def configure(settings: Settings) -> Iterator[Configure]:
    """Has this process publish to a Redis, and serve no streams itself."""

    def configure(server: RedisServer) -> None:
        settings.SSE_COMPONENTS = {
            "BROKER_URL": server.url,
            "KEY_PREFIX": secrets.token_hex(8),
        }

    yield configure
    async_to_sync(runtime.stop)()


def placed(request: HttpRequest) -> list[Position]:
    """Return the positions on the roots of a page that shows two components."""
    found = roots(page(2 * PLACED, request))
    return [parse_position(one["data-sse-position"]) for one in found]


def still() -> Attributes:
    return component("tests.Still", request_for())


def published_since(position: Position) -> int:
    resume = async_to_sync(runtime.broker().resume)
    return len(resume(position, ["news.placed"], 10).events)


# A58
def test_a_page_of_a_process_without_a_hub_begins_before_what_it_loads(
    configure: Configure, redis_server: RedisServer
) -> None:
    configure(redis_server)
    first, second = placed(request_for())
    assert first == second != NOWHERE
    assert published_since(first) == 2


def test_the_broker_is_asked_once_for_each_page(
    configure: Configure, redis_server: RedisServer
) -> None:
    configure(redis_server)
    positions = {position for _ in range(2) for position in placed(request_for())}
    assert sorted(published_since(position) for position in positions) == [2, 4]


def test_the_grant_of_a_page_is_of_its_position(
    configure: Configure, redis_server: RedisServer
) -> None:
    configure(redis_server)
    request = request_for()
    position, _ = placed(request)
    grant = runtime.grants().read(page_of(request).grant())
    assert grant.whose.position == position


# A58
def test_an_answer_of_a_process_without_a_hub_begins_before_what_it_loads(
    client: Client, configure: Configure, redis_server: RedisServer
) -> None:
    configure(redis_server)
    state = component("tests.Placed")["data-sse-state"]
    answer = call(client, "tests.Placed", state=state)
    position = parse_position(answer.json["position"])
    assert published_since(position) == 1
    assert roots(answer.html)[0]["data-sse-position"] == str(position)


async def test_the_broker_is_asked_under_a_coroutine_too(
    settings: Settings, redis_server: RedisServer
) -> None:
    settings.SSE_COMPONENTS = {
        "BROKER_URL": redis_server.url, "KEY_PREFIX": secrets.token_hex(8)
    }  # fmt: skip
    there = parse_position(component("tests.Placed")["data-sse-position"])
    in_a_thread = await sync_to_async(component)("tests.Placed")
    later = parse_position(in_a_thread["data-sse-position"])
    assert NOWHERE.seq < there.seq < later.seq
    await runtime.stop()


def test_a_page_without_components_asks_nobody(
    configure: Configure, new_redis_server: NewRedisServer
) -> None:
    configure(new_redis_server())  # which isn't started
    request = request_for()
    SSEComponentsMiddleware(lambda request: HttpResponse())(request)
    assert page_of(request).position == NOWHERE
    assert runtime.broker() not in present._silent


def test_without_anybodys_streams_a_page_has_no_position() -> None:
    assert set(placed(request_for())) == {NOWHERE}


async def test_a_process_with_a_hub_asks_nobody() -> None:
    hub = await runtime.start()
    await hub.recalled()
    assert present.known() == hub.judged != NOWHERE
    assert present.asked() == NOWHERE
    await runtime.stop()


# A60
def test_without_its_broker_a_page_is_shown_all_the_same(
    configure: Configure,
    new_redis_server: NewRedisServer,
    caplog: pytest.LogCaptureFixture,
) -> None:
    configure(new_redis_server())  # which isn't started
    for _ in range(3):
        assert still()["data-sse-position"] == "0:0"
    (record,) = caplog.records
    assert record.levelno == logging.WARNING


# A60
@pytest.mark.alone
def test_a_broker_that_does_not_answer_holds_up_one_page_for_a_moment(
    configure: Configure, new_redis_server: NewRedisServer
) -> None:
    server = new_redis_server()
    server.start()
    configure(server)
    server.pause()
    took = []
    for _ in range(3):
        start = time.monotonic()
        assert still()["data-sse-position"] == "0:0"
        took.append(time.monotonic() - start)
    assert took[0] < present.PATIENCE_SECONDS + 0.5
    assert sum(took[1:]) < 0.5
    server.go_on()


# A60
def test_a_broker_that_is_back_is_asked_again(
    configure: Configure,
    new_redis_server: NewRedisServer,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    server = new_redis_server()
    configure(server)
    monkeypatch.setattr(present, "PAUSE_SECONDS", 0)
    assert still()["data-sse-position"] == "0:0"
    server.start()
    assert still()["data-sse-position"] != "0:0"


# Page: begins without a position, and reads. The broker is back. Page: goes on.
# With a position from now what was read before would be taken for newer than it is.
def test_a_page_that_began_without_a_position_gets_none_later(
    configure: Configure,
    new_redis_server: NewRedisServer,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    server = new_redis_server()
    configure(server)
    monkeypatch.setattr(present, "PAUSE_SECONDS", 0)
    found = page_of(request_for())
    found.locate()
    server.start()
    found.locate()
    assert found.position == NOWHERE
