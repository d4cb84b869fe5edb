"""What holds of a stream because it is an HTTP response."""

from __future__ import annotations

import re
from typing import Any
from urllib.parse import quote, urlencode

import pytest
from django.contrib.auth.models import User
from pytest_django import Settings

from sse_components import ComponentDispatcher, runtime
from sse_components.asgi import Application
from sse_components.requests import Request
from tests.communicator import request, scope
from tests.streams.asking import (
    DATABASE,
    INVALID,
    asking,
    cookie,
    ended,
    grant,
    opened,
)

# Frames


async def test_a_stream_begins_with_retry_and_stream_open(app: Application) -> None:
    async with request(app, asking("news.updates", "secret.plans")) as exchange:
        await exchange.until("keep-alive")
    assert re.fullmatch(
        rb"retry: 2000\n\n"
        rb"event: stream-open\n"
        rb"id: (?P<id>[0-9a-f]{8}:[0-9]{16})\n"
        rb'data: {"type":"stream-open","id":"(?P=id)","connection":"[\w-]{12}",'
        rb'"groups":\["broadcast","news.updates"\],"denied":\["secret.plans"\],'
        rb'"keep_alive":15,"retry":2000,"expires":null}\n\n'
        rb"event: keep-alive\n"
        rb"id: (?P<now>[0-9a-f]{8}:[0-9]{16})\n"
        rb'data: {"type":"keep-alive","id":"(?P=now)"}\n\n',
        exchange.body,
    )


async def test_no_proxy_may_keep_or_change_a_stream(app: Application) -> None:
    async with request(app, "/sse/stream") as exchange:
        assert exchange.headers == {
            "content-type": "text/event-stream",
            "cache-control": "no-cache, no-transform",
            "x-accel-buffering": "no",
        }


async def test_an_event_is_one_frame_with_its_envelope(app: Application) -> None:
    async with request(app, "/sse/groups/news.updates") as exchange:
        await exchange.until("keep-alive")
        begun = len(exchange.body)
        published = await ComponentDispatcher.data_changed(
            "news.updates", {"headline": "Ünïcode\n"}, sender="tab1.req1"
        )
        await exchange.next()
    id = str(published.position)
    ts = published.position.time.strftime("%Y-%m-%dT%H:%M:%S.%fZ")
    assert exchange.body[begun:].decode() == (
        "event: component.data_changed\n"
        f"id: {id}\n"
        f'data: {{"id":"{id}","type":"component.data_changed",'
        '"group":"news.updates",'
        '"payload":{"data":{"headline":"Ünïcode\\n"},"update":false},'
        f'"sender":"tab1.req1","ts":"{ts}"}}\n\n'
    )


async def test_the_stream_of_a_group_carries_no_other_group(app: Application) -> None:
    async with request(app, "/sse/groups/news.updates") as exchange:
        assert (await opened(exchange)).data["groups"] == ["news.updates"]
        await exchange.until("keep-alive")
        await ComponentDispatcher.notify("broadcast", "not-for-it")
        await ComponentDispatcher.notify("news.other", "not-for-it")
        published = await ComponentDispatcher.notify("news.updates", "for-it")
        assert (await exchange.next()).id == str(published.position)


@pytest.mark.parametrize("target", ["/sse/stream", "/sse/groups/private"])
async def test_a_send_that_fails_means_only_that_the_client_has_gone(
    app: Application, target: str
) -> None:
    async def send(message: dict[str, Any]) -> None:
        if message["type"] == "http.response.body":
            raise ConnectionResetError  # as ASGI 2.4 has it

    async def receive() -> dict[str, Any]:
        raise AssertionError("the stream never opened")

    hub = await runtime.start()
    await app(scope(target), receive, send)
    assert hub.connections == 0


# Cursors


@pytest.mark.parametrize(
    ("target", "headers"),
    [
        ("/sse/stream", {"Last-Event-ID": "error"}),
        ("/sse/stream?lastEventId=error", {}),
        ("/sse/groups/news.updates?last_event_id=error", {}),
    ],
)
async def test_a_client_that_comes_back_with_error_is_stopped(
    app: Application, target: str, headers: dict[str, str]
) -> None:
    async with request(app, target, headers) as exchange:
        assert exchange.status == 204
        assert await exchange.rest() == []
        assert exchange.body == b""


# Names


@pytest.mark.parametrize("name", [name for name in INVALID if name])
async def test_a_stream_of_nothing_but_an_invalid_name_is_forbidden(
    app: Application, name: str
) -> None:
    async with request(app, f"/sse/groups/{quote(name)}") as exchange:
        data = await ended(exchange, "stream-error")
    assert data["condition"] == "forbidden"
    assert data["groups"] == data["channels"] == [name]


async def test_a_stream_error_has_an_id_that_stops_a_native_event_source(
    app: Application,
) -> None:
    async with request(app, "/sse/groups/secret.plans") as exchange:
        await ended(exchange, "stream-error")
    assert exchange.body == (
        b"event: stream-error\n"
        b"id: error\n"
        b'data: {"type":"stream-error","id":"error","condition":"forbidden",'
        b'"text":"None of the groups asked for is allowed.",'
        b'"groups":["secret.plans"],"channels":["secret.plans"]}\n\n'
    )


# A25
async def test_a_stream_beyond_the_most_is_told_to_come_back(
    app: Application, settings: Settings
) -> None:
    settings.SSE_COMPONENTS = {"MAX_STREAMS": 1}
    async with request(app, "/sse/stream") as first:
        await opened(first)
        async with request(app, "/sse/stream") as second:
            data = await ended(second, "stream-close")
    assert data["reason"] == "busy"
    assert 500 <= data["retry"] <= 3000
    assert second.body.startswith(b"retry: %d\nevent: stream-close\n" % data["retry"])
    async with request(app, "/sse/stream") as third:
        await opened(third)


async def test_cookies_in_several_headers_are_one(app: Application) -> None:
    crumbs = scope("/sse/stream", {"Cookie": "a=1"})
    crumbs["headers"] += [(b"cookie", b"sessionid=key"), (b"cookie", b"b=2")]
    assert Request(crumbs).headers["cookie"] == "a=1; sessionid=key; b=2"


# Hosts, origins, methods


@pytest.mark.parametrize("host", ["evil.example", "testserver.evil.example", "a b", ""])
async def test_a_host_that_django_would_refuse_is_400(
    app: Application, host: str
) -> None:
    async with request(app, "/sse/stream", {"Host": host}) as exchange:
        assert exchange.status == 400
        await exchange.rest()
    assert exchange.body == b"This host is not one of ours."


@pytest.mark.parametrize(
    "headers",
    [
        {"Origin": "https://evil.example"},
        {"Origin": "null"},
        {"Origin": "http://testserver:8001"},
        {"Origin": "http://[::1"},
        {"Origin": "http://testserver.evil.example"},
        {"Sec-Fetch-Site": "cross-site"},
        {"Sec-Fetch-Site": "cross-site", "Origin": "http://testserver"},
    ],
)
# A26
@pytest.mark.parametrize("method", ["GET", "OPTIONS", "POST"])
async def test_a_page_of_another_site_is_refused(
    app: Application, headers: dict[str, str], method: str
) -> None:
    async with request(app, "/sse/stream", headers, method=method) as exchange:
        assert exchange.status == 403
        assert not any(name.startswith("access-control") for name in exchange.headers)
        await exchange.rest()


@pytest.mark.parametrize(
    "headers",
    [
        {},
        {"Origin": "http://testserver"},
        {"Origin": "https://testserver"},
        {"Origin": "http://testserver:8000", "Host": "testserver:8000"},
        {"Sec-Fetch-Site": "same-origin"},
        {"Sec-Fetch-Site": "none"},
    ],
)
async def test_a_page_of_ours_is_served_without_cors(
    app: Application, headers: dict[str, str]
) -> None:
    async with request(app, "/sse/stream", headers) as exchange:
        await opened(exchange)
        assert "access-control-allow-origin" not in exchange.headers


FRIEND = {"Origin": "https://app.example", "Sec-Fetch-Site": "cross-site"}


CORS = {
    "access-control-allow-origin": "https://app.example",
    "access-control-allow-credentials": "true",
    "vary": "Origin",
}


async def test_an_allowed_origin_gets_the_headers_it_needs(
    app: Application, settings: Settings
) -> None:
    settings.SSE_COMPONENTS = {"ALLOWED_ORIGINS": ["https://app.example"]}
    async with request(app, "/sse/stream", FRIEND) as exchange:
        await opened(exchange)
        assert exchange.headers.items() >= CORS.items()
    async with request(app, "/sse/stream?lastEventId=error", FRIEND) as exchange:
        assert exchange.status == 204
        assert exchange.headers == CORS


async def test_an_allowed_origin_may_ask_beforehand(
    app: Application, settings: Settings
) -> None:
    settings.SSE_COMPONENTS = {"ALLOWED_ORIGINS": ["https://app.example"]}
    async with request(app, "/sse/stream", FRIEND, method="OPTIONS") as exchange:
        assert exchange.status == 204
        assert exchange.headers == CORS | {
            "access-control-allow-methods": "GET",
            "access-control-allow-headers": "authorization, last-event-id, x-api-key",
        }


@pytest.mark.parametrize("method", ["POST", "PUT", "DELETE", "HEAD", "TRACE"])
async def test_a_stream_is_read_with_get(app: Application, method: str) -> None:
    async with request(app, "/sse/stream", method=method) as exchange:
        assert exchange.status == 405
        assert exchange.headers["allow"] == "GET, OPTIONS"


# Who asks


@DATABASE
async def test_the_stream_of_a_users_own_group_needs_the_session(
    app: Application, user: User, session_key: str
) -> None:
    target = f"/sse/groups/auth.user.{user.pk}"
    async with request(app, target, cookie(session_key)) as exchange:
        assert (await opened(exchange)).data["groups"] == [f"auth.user.{user.pk}"]
    async with request(app, target) as exchange:
        assert (await ended(exchange, "stream-error"))["condition"] == "forbidden"


async def test_nobody_is_looked_up_for_the_stream_of_a_public_group(
    app: Application,
) -> None:
    # Without the mark for it, a look into the database fails.
    async with request(app, "/sse/groups/news.updates", cookie("x" * 32)) as exchange:
        await opened(exchange)


# Grants


async def test_the_stream_of_one_group_takes_no_grant(app: Application) -> None:
    target = f"/sse/groups/room.a?{urlencode({'grant': grant('room.a')})}"
    async with request(app, target) as exchange:
        assert (await ended(exchange, "stream-error"))["condition"] == "forbidden"
