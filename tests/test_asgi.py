from __future__ import annotations

import asyncio
import logging
import signal
import sys
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from typing import Any

import pytest
from pytest_django import Settings

from sse_components import runtime
from sse_components.asgi import Application, get_asgi_application
from sse_components.errors import BrokerRefused
from tests.communicator import Communicator, request, scope

LOGGERS = [logging.getLogger(name) for name in ("uvicorn.access", "uvicorn.error")]


class Django:
    """Records what is passed on to it."""

    def __init__(self) -> None:
        self.paths: list[str] = []

    async def __call__(
        self,
        scope: dict[str, Any],
        receive: Callable[[], Awaitable[Any]],
        send: Callable[[Any], Awaitable[None]],
    ) -> None:
        self.paths.append(scope["path"])
        await send({"type": "http.response.start", "status": 418, "headers": []})
        await send({"type": "http.response.body", "body": b""})


@pytest.fixture
def django() -> Django:
    return Django()


@pytest.fixture
async def app(settings: Settings, django: Django) -> AsyncIterator[Application]:
    yield Application(django)
    await runtime.stop()


@pytest.fixture(autouse=True)
def _signals_and_loggers_as_before() -> Iterator[None]:
    handlers = {n: signal.getsignal(n) for n in (signal.SIGTERM, signal.SIGINT)}
    filters = {logger: list(logger.filters) for logger in LOGGERS}
    yield
    for number, handler in handlers.items():
        signal.signal(number, handler)
    for logger, before in filters.items():
        logger.filters[:] = before


def lifespan(app: Application) -> Communicator:
    return Communicator(app, {"type": "lifespan", "asgi": {"version": "3.0"}})


async def started(app: Application) -> Communicator:
    server = lifespan(app)
    await server.say("lifespan.startup")
    assert await server.hear() == {"type": "lifespan.startup.complete"}
    return server


async def stopped(server: Communicator) -> None:
    await server.say("lifespan.shutdown")
    assert await server.hear() == {"type": "lifespan.shutdown.complete"}
    await server.finished()


# Addresses


@pytest.mark.parametrize("target", ["/sse/stream", "/sse/groups/news.updates"])
@pytest.mark.parametrize("root_path", ["", "/app", "/sse"])
async def test_streams_are_found_below_the_root_path(
    app: Application, django: Django, target: str, root_path: str
) -> None:
    async with request(app, target, root_path=root_path) as exchange:
        assert exchange.status == 200
        assert (await exchange.next()).type == "stream-open"
    assert django.paths == []


@pytest.mark.parametrize(
    "path",
    [
        "/",
        "/sse",
        "/sse/",
        "/sse/streams",
        "/sse/stream/news.updates",
        "/sse/groups",
        "/sse/groups/",
        "/sse/group/news.updates",
        "/ssestream",
        "/other/sse/stream",
        "/SSE/stream",
    ],
)
@pytest.mark.parametrize("root_path", ["", "/app"])
async def test_all_other_addresses_are_djangos(
    app: Application, django: Django, path: str, root_path: str
) -> None:
    async with request(app, path, root_path=root_path) as exchange:
        assert exchange.status == 418
    assert django.paths == [root_path + path]


async def test_a_page_finds_streams_being_served_where_there_is_no_lifespan(
    app: Application, django: Django
) -> None:
    assert runtime.hub() is None
    async with request(app, "/"):
        assert runtime.hub() is not None


async def test_a_page_is_served_where_streams_can_not_be(
    app: Application, django: Django, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def refuse() -> None:
        raise BrokerRefused("a cluster")

    monkeypatch.setattr(runtime, "start", refuse)
    async with request(app, "/") as exchange:
        assert exchange.status == 418
    assert runtime.hub() is None


async def test_the_prefix_is_a_setting(
    app: Application, django: Django, settings: Settings
) -> None:
    settings.SSE_COMPONENTS = {"PREFIX": "/live/events/"}
    async with request(app, "/live/events/stream") as exchange:
        assert exchange.status == 200
    async with request(app, "/sse/stream") as exchange:
        assert exchange.status == 418


async def test_the_project_gets_djangos_pages() -> None:
    async with request(get_asgi_application(), "/nothing/here") as exchange:
        assert exchange.status == 404
    await runtime.stop()


async def test_a_websocket_is_refused(app: Application, django: Django) -> None:
    websocket = Communicator(app, scope("/sse/ws") | {"type": "websocket"})
    await websocket.say("websocket.connect")
    assert (await websocket.hear())["type"] == "websocket.close"
    await websocket.finished()
    assert django.paths == []


# Lifespan


async def test_a_process_serves_from_startup_to_shutdown(app: Application) -> None:
    server = await started(app)
    hub = await runtime.start()
    async with request(app, "/sse/stream") as exchange:
        await exchange.until("keep-alive")
        assert hub.connections == 1
    await stopped(server)
    assert await runtime.start() is not hub


async def test_shutdown_ends_the_streams_that_are_open(app: Application) -> None:
    server = await started(app)
    async with request(app, "/sse/stream") as exchange:
        await exchange.until("keep-alive")
        await server.say("lifespan.shutdown")
        (farewell,) = await exchange.rest()
    assert farewell.type == "stream-close"
    assert farewell.data["reason"] == "shutdown"
    assert 500 <= farewell.data["retry"] <= 3000
    assert await server.hear() == {"type": "lifespan.shutdown.complete"}
    await server.finished()


@pytest.mark.parametrize(
    ("given", "named"),
    [
        ({"HISTORY_SIZ": 5}, "HISTORY_SIZE"),
        ({"KEEP_ALIVE_SECONDS": 0}, "KEEP_ALIVE_SECONDS"),
        ({"AUTHORIZE": "no.such.function"}, "AUTHORIZE"),
    ],
)
async def test_a_bad_setting_fails_the_startup_and_is_named(
    app: Application,
    settings: Settings,
    caplog: pytest.LogCaptureFixture,
    given: dict[str, object],
    named: str,
) -> None:
    settings.SSE_COMPONENTS = given
    server = lifespan(app)
    await server.say("lifespan.startup")
    answer = await server.hear()
    await server.finished()
    assert answer["type"] == "lifespan.startup.failed"
    assert named in answer["message"]
    assert "Streams can't be served" in caplog.text


async def test_streams_are_served_without_metrics_where_these_cannot_be(
    app: Application,
    settings: Settings,
    caplog: pytest.LogCaptureFixture,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    settings.SSE_COMPONENTS = {"METRICS": "127.0.0.1:9400"}
    monkeypatch.setitem(sys.modules, "prometheus_client", None)
    monkeypatch.delitem(sys.modules, "sse_components.metrics", raising=False)
    monkeypatch.delattr("sse_components.metrics", raising=False)
    await stopped(await started(app))
    assert "METRICS needs prometheus-client" in caplog.text


# Signals


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
async def test_a_signal_ends_the_streams_and_goes_on_to_the_server(
    app: Application, number: signal.Signals
) -> None:
    caught: list[int] = []
    signal.signal(number, lambda number, frame: caught.append(number))
    server = await started(app)
    async with request(app, "/sse/stream") as exchange:
        await exchange.until("keep-alive")
        signal.raise_signal(number)
        signal.raise_signal(number)
        (farewell,) = await exchange.rest()
        assert farewell.data["reason"] == "shutdown"
    assert caught == [number, number]
    async with request(app, "/sse/stream") as exchange:
        (farewell,) = await exchange.rest()
        assert farewell.data["reason"] == "shutdown"
    await stopped(server)


@pytest.mark.parametrize("before", [signal.SIG_IGN, signal.SIG_DFL])
async def test_a_signal_that_nobody_handles_does_what_it_did(
    app: Application, before: signal.Handlers
) -> None:
    signal.signal(signal.SIGTERM, before)
    server = await started(app)
    assert signal.getsignal(signal.SIGTERM) == before
    await stopped(server)


async def test_a_server_that_has_stopped_has_its_own_handlers_back(
    app: Application,
) -> None:
    handlers = [signal.getsignal(n) for n in (signal.SIGTERM, signal.SIGINT)]
    await stopped(await started(app))
    assert [signal.getsignal(n) for n in (signal.SIGTERM, signal.SIGINT)] == handlers


async def test_a_server_in_another_thread_starts_without_signals(
    app: Application,
) -> None:
    before = signal.getsignal(signal.SIGTERM)

    async def serve() -> None:
        await stopped(await started(app))

    await asyncio.to_thread(asyncio.run, serve())
    assert signal.getsignal(signal.SIGTERM) is before


# uvicorn's log


def logged(logger: str, message: str, *args: object) -> str:
    """Return what is written of a message."""
    record = logging.LogRecord(logger, logging.INFO, "", 0, message, args, None)
    assert logging.getLogger(logger).filter(record)
    return record.getMessage()


@pytest.mark.parametrize("root_path", ["", "/app"])
@pytest.mark.parametrize("path", ["/sse/stream", "/sse/groups/news.updates"])
async def test_the_access_log_has_no_query_of_a_stream(
    app: Application, root_path: str, path: str
) -> None:
    server = await started(app)
    assert (
        logged(
            "uvicorn.access",
            '%s - "%s %s HTTP/%s" %d',
            "127.0.0.1:50000",
            "GET",
            f"{root_path}{path}?grant=secret&group=a?b",
            "1.1",
            200,
        )
        == f'127.0.0.1:50000 - "GET {root_path}{path} HTTP/1.1" 200'
    )
    await stopped(server)


async def test_the_log_of_websockets_has_no_query_of_a_stream(app: Application) -> None:
    server = await started(app)
    assert (
        logged("uvicorn.error", '%s - "WebSocket %s" 403', "::1:5", "/sse/ws?grant=x")
        == '::1:5 - "WebSocket /sse/ws" 403'
    )
    await stopped(server)


async def test_the_log_has_not_where_a_stream_goes_on_for_a_proxy(
    app: Application,
) -> None:
    server = await started(app)
    arguments = "::1:5", "GET", "/sse/grip/eyJw.secret", "1.1", 200
    line = logged("uvicorn.access", '%s - "%s %s HTTP/%s" %d', *arguments)
    assert line == '::1:5 - "GET /sse/grip/ HTTP/1.1" 200'
    await stopped(server)


async def test_other_lines_of_the_log_stay_as_they_are(app: Application) -> None:
    server = await started(app)
    line = "127.0.0.1:5 - GET /search?q=/sse/stream HTTP/1.1 200"
    assert (
        logged(
            "uvicorn.access",
            "%s - %s %s HTTP/%s %d",
            "127.0.0.1:5",
            "GET",
            "/search?q=/sse/stream",
            "1.1",
            200,
        )
        == line
    )
    assert logged("uvicorn.error", "Application startup complete.") == (
        "Application startup complete."
    )
    await stopped(server)
