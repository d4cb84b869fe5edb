from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
from asgiref.sync import sync_to_async
from django.contrib.auth.models import User
from django.test import AsyncClient, TestCase, TransactionTestCase
from pytest_django import Settings

from sse_components import ComponentDispatcher, disconnect_user, runtime
from sse_components.errors import BrokerUnavailable
from sse_components.events import Position
from sse_components.revocations import Whose
from sse_components.testing import (
    StreamClient,
    StreamError,
    WebSocketClient,
    capture_events,
    render_component,
    streams,
)

DATABASE = pytest.mark.django_db(transaction=True)
OPEN = b'event: stream-open\ndata: {"groups":[],"denied":[]}\n\n'
ALIEN = "0badcafe:1763799845123456"

AnyClient = type[StreamClient] | type[WebSocketClient]
notify = ComponentDispatcher.notify


@pytest.fixture(params=[StreamClient, WebSocketClient])
def client_class(request: pytest.FixtureRequest) -> AnyClient:
    found: AnyClient = request.param
    return found


@pytest.fixture
async def served() -> AsyncIterator[None]:
    async with streams():
        yield


def grant(*groups: str, user: object = None) -> str:
    position = runtime.broker().statuses([]).position
    whose = Whose(position, user=None if user is None else str(user))
    return runtime.grants().issue(groups, whose)[0]


# Opening


async def test_a_stream_hears_the_groups_it_asks_for(
    served: None, client_class: AnyClient
) -> None:
    async with client_class(groups=["news.updates", "secret"]) as stream:
        assert stream.groups == ["broadcast", "news.updates"]
        assert stream.denied == ["secret"]
        published = await notify("news.updates", "hello", {"a": 1})
        event = await stream.next()
    assert event.type == "notify"
    assert event.group == "news.updates"
    assert event.payload == {"event_name": "hello", "data": {"a": 1}}
    assert event.sender is None
    assert event.id == event.data["id"] == stream.cursor == str(published.position)


async def test_a_stream_hears_what_its_grants_allow(
    served: None, client_class: AnyClient
) -> None:
    grants = [grant("secret", user=7), grant("another", user=7)]
    async with client_class(grants=grants) as stream:
        heard = ["broadcast", "users", "auth.user.7", "secret", "another"]
        assert stream.groups == heard
        await notify("secret", "hello")
        assert (await stream.next()).group == "secret"


@DATABASE
async def test_a_stream_is_a_users_who_is_logged_in(
    served: None, client_class: AnyClient
) -> None:
    user = await User.objects.acreate(username="anna")
    async with client_class(user=user) as stream:
        assert f"auth.user.{user.pk}" in stream.groups
        await sync_to_async(disconnect_user)(user.pk)
        with pytest.raises(StreamError) as ended:
            await stream.next()
    assert ended.value.reason == "revoked"


async def test_a_stream_has_headers_and_another_address(
    served: None, settings: Settings
) -> None:
    settings.SSE_API_KEY = "test-key"
    key = {"X-API-Key": "test-key"}
    async with StreamClient(path="/sse/groups/secret", headers=key) as stream:
        assert stream.groups == ["secret"]


async def test_a_stream_goes_on_after_a_cursor(
    served: None, client_class: AnyClient
) -> None:
    async with client_class(groups=["news.updates"]) as stream:
        await notify("news.updates", "heard")
        await stream.next()
    await notify("news.updates", "missed")
    given: dict[str, Any] = {"groups": ["news.updates"]}
    async with client_class(**given, last_event_id=stream.cursor) as again:
        assert (await again.next()).payload["event_name"] == "missed"
    async with client_class(**given, last_event_id=ALIEN) as lost:
        reset = await lost.next("stream-reset")
        assert reset.data["groups"] == ["broadcast", "news.updates"]
        assert not reset.is_published
        assert reset.group is reset.payload is reset.sender is None


async def test_a_stream_that_is_refused_says_why(
    served: None, client_class: AnyClient
) -> None:
    with pytest.raises(StreamError, match="not a grant of ours") as refused:
        async with client_class(grants=["forged"]):
            pass
    assert refused.value.status == 200
    assert refused.value.reason == "grant_expired"
    assert refused.value.frame
    assert refused.value.frame.type == "stream-error"


async def test_a_refusal_without_a_frame_has_a_status(served: None) -> None:
    foreign = {"Origin": "https://evil.example"}
    for client_class in (StreamClient, WebSocketClient):
        with pytest.raises(StreamError, match=r"403|not accepted") as refused:
            async with client_class(headers=foreign):
                pass
        assert refused.value.status == 403
        assert refused.value.reason is None
    with pytest.raises(StreamError, match="404") as refused:
        async with StreamClient(path="/nothing"):
            pass


async def test_without_streams_the_client_says_what_is_missing(
    client_class: AnyClient,
) -> None:
    with pytest.raises(RuntimeError, match="async with streams"):
        async with client_class(groups=["news.updates"]):
            pass


# Reading


async def test_frames_that_are_not_asked_for_are_passed_over(
    served: None, client_class: AnyClient
) -> None:
    async with client_class(groups=["news.a", "news.b"]) as stream:
        await notify("news.a", "one")
        await ComponentDispatcher.data_changed("news.a")
        await ComponentDispatcher.data_changed("news.b")
        await notify("news.b", "two")
        event = await stream.next("component.data_changed", group="news.b")
        assert event.group == "news.b"
        assert (await stream.next()).payload["event_name"] == "two"
        await stream.next("keep-alive")
    types = [event.type for event in stream.received if event.is_published]
    assert types == ["notify", *["component.data_changed"] * 2, "notify"]
    assert stream.received[0].type == "stream-open"


async def test_a_stream_is_an_iterator_of_events_until_it_ends(
    served: None, client_class: AnyClient
) -> None:
    async with client_class(groups=["news.updates"]) as stream:
        for name in ("one", "two"):
            await notify("news.updates", name)
        names = []
        async for event in stream:
            names.append(event.payload["event_name"])
            if len(names) == 2:
                hub = runtime.hub()
                assert hub
                await hub.drain(0)
    assert names == ["one", "two"]


async def test_waiting_in_vain_tells_what_came_instead(
    served: None, client_class: AnyClient
) -> None:
    async with client_class(groups=["news.updates"]) as stream:
        await notify("news.updates", "hello")
        with pytest.raises(TimeoutError) as vain:
            await stream.next("other", group="news.updates", seconds=0.1)
        text = str(vain.value)
        assert text.startswith("No other in news.updates came within 0.1 s. What came:")
        assert "\n  notify {" in text
        with pytest.raises(TimeoutError, match=r"No event came .* Nothing came"):
            await stream.next(seconds=0.1)
        await notify("news.updates", "later")
        assert (await stream.next()).payload["event_name"] == "later"


async def test_a_client_waits_as_long_as_it_is_told(
    served: None, client_class: AnyClient
) -> None:
    async with client_class(groups=["news.updates"], seconds=0.1) as stream:
        with pytest.raises(TimeoutError, match=r"within 0\.1 s"):
            await stream.next()


async def test_a_stream_that_ends_says_why_every_time(
    served: None, client_class: AnyClient
) -> None:
    async with client_class(groups=["news.updates"]) as stream:
        hub = runtime.hub()
        assert hub
        drained = asyncio.create_task(hub.drain(1))
        for _ in range(2):
            with pytest.raises(StreamError, match="shutdown") as ended:
                await stream.next()
            assert ended.value.reason == "shutdown"
    await drained


async def test_the_end_of_a_stream_may_be_what_is_waited_for(
    served: None, client_class: AnyClient
) -> None:
    async with client_class(groups=["news.updates"]) as stream:
        hub = runtime.hub()
        assert hub
        drained = asyncio.create_task(hub.drain(1))
        assert (await stream.next("stream-close")).data["reason"] == "shutdown"
        with pytest.raises(StreamError, match="shutdown"):
            await stream.next()
    await drained


async def test_what_an_application_raises_is_raised(served: None) -> None:
    async def broken(scope: object, receive: Any, send: Any) -> None:
        raise ZeroDivisionError

    async def breaking(scope: object, receive: Any, send: Any) -> None:
        await send({"type": "http.response.start", "status": 200, "headers": []})
        await send({"type": "http.response.body", "body": OPEN, "more_body": True})
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        async with StreamClient(application=broken):
            pass
    stream = StreamClient(application=breaking)
    await stream.__aenter__()
    with pytest.raises(ZeroDivisionError):
        await stream.next()


async def test_an_application_that_just_returns_has_ended_the_stream(
    served: None,
) -> None:
    async def silent(scope: object, receive: Any, send: Any) -> None:
        await send({"type": "http.response.start", "status": 200, "headers": []})
        await send({"type": "http.response.body", "body": OPEN})

    async with StreamClient(application=silent) as stream:
        with pytest.raises(StreamError, match="without a word") as ended:
            await stream.next()
        assert ended.value.reason is None


async def test_after_the_block_the_application_has_finished(
    served: None, client_class: AnyClient
) -> None:
    hub = runtime.hub()
    assert hub
    before = asyncio.all_tasks()
    async with client_class(groups=["news.updates"]):
        assert hub.connections == 1
    assert hub.connections == 0
    assert asyncio.all_tasks() == before
    with pytest.raises(ZeroDivisionError):
        async with client_class(groups=["news.updates"]):
            _ = 1 / 0
    assert hub.connections == 0


async def test_a_client_that_gets_no_stream_leaves_too(served: None) -> None:
    said = []

    async def waiting(scope: object, receive: Any, send: Any) -> None:
        await send({"type": "http.response.start", "status": 200, "headers": []})
        said.extend([(await receive())["type"] for _ in range(2)])

    with pytest.raises(TimeoutError, match="No stream-open came"):
        async with StreamClient(application=waiting, seconds=0.1):
            pass
    assert said == ["http.request", "http.disconnect"]


# Serving


async def test_streams_leave_nothing_running() -> None:
    before = asyncio.all_tasks()
    async with streams():
        assert runtime.hub()
    assert runtime.hub() is None
    assert asyncio.all_tasks() == before
    with pytest.raises(BrokerUnavailable):
        await notify("news.updates", "hello")


async def test_streams_within_others_are_the_same() -> None:
    async with streams():
        outer = runtime.hub()
        async with streams():
            assert runtime.hub() is outer
        assert runtime.hub() is outer
    assert runtime.hub() is None


@streams()
async def test_a_test_may_be_decorated() -> None:
    async with StreamClient(groups=["news.updates"]) as stream:
        await notify("news.updates", "hello")
        await stream.next("notify")


# The groups of a WebSocket


async def test_a_websocket_changes_its_groups(served: None) -> None:
    async with WebSocketClient(groups=["news.a"]) as websocket:
        await notify("news.a", "before")
        statuses = await websocket.subscribe("news.a", "news.b", "secret")
        assert statuses == {
            "news.a": "resubscribed",
            "news.b": "subscribed",
            "secret": "error",
        }
        assert websocket.groups == ["broadcast", "news.a", "news.b"]
        await notify("news.b", "within")
        assert await websocket.unsubscribe("news.a") == {"news.a": "unsubscribed"}
        assert websocket.groups == ["broadcast", "news.b"]
        await notify("news.a", "unheard")
        await notify("news.b", "after")
        names = [(await websocket.next()).payload["event_name"] for _ in range(3)]
    assert names == ["before", "within", "after"]


async def test_a_websocket_brings_grants_and_cursors(served: None) -> None:
    await notify("secret", "earlier")
    before = runtime.broker().statuses([]).position
    await notify("secret", "missed")
    async with WebSocketClient() as websocket:
        statuses = await websocket.subscribe(
            grants=[grant("secret")], last_event_id=str(before)
        )
        assert statuses == {"secret": "subscribed"}
        assert (await websocket.next()).payload["event_name"] == "missed"


async def test_what_a_websocket_is_refused_as_a_whole_is_raised(served: None) -> None:
    async with WebSocketClient(groups=["news.a"]) as websocket:
        with pytest.raises(StreamError, match="grant") as refused:
            await websocket.subscribe(grants=["forged"])
        assert refused.value.reason == "grant_expired"
        await notify("news.a", "hello")
        assert (await websocket.next()).type == "notify"


async def test_a_pong_says_that_all_has_come(served: None) -> None:
    async with WebSocketClient(groups=["news.a"]) as websocket:
        published = await notify("news.a", "hello")
        id = await websocket.ping()
        assert websocket.received[-1].type == "pong"
        assert Position(*_parts(id)).seq >= published.position.seq
        assert "notify" in [event.type for event in websocket.received]


def _parts(id: str) -> tuple[str, int]:
    epoch, _, seq = id.partition(":")
    return epoch, int(seq)


async def test_a_websocket_that_ends_answers_nothing_more(served: None) -> None:
    async with WebSocketClient(groups=["news.a"]) as websocket:
        hub = runtime.hub()
        assert hub
        drained = asyncio.create_task(hub.drain(1))
        with pytest.raises(StreamError, match="shutdown"):
            await websocket.subscribe("news.b")
    await drained


# The stream of a page


@DATABASE
async def test_the_stream_of_a_page_hears_what_its_components_do(
    served: None, built: Path, client_class: AnyClient
) -> None:
    client = AsyncClient()
    await client.aforce_login(await User.objects.acreate(username="anna"))
    page = await client.get("/")
    await notify("news.updates", "meanwhile")
    async with client_class.of(page) as stream:
        assert "news.updates" in stream.groups
        assert (await stream.next()).payload["event_name"] == "meanwhile"
        await client.post("/publish", {"headline": "Hello"})
        event = await stream.next("component.data_changed")
        assert event.payload["data"] == {"headline": "Hello"}
    await notify("news.updates", "away")
    async with client_class.of(page, last_event_id=stream.cursor) as again:
        assert (await again.next()).payload["event_name"] == "away"


@DATABASE
async def test_the_stream_of_a_page_is_its_browsers(
    served: None, built: Path, client_class: AnyClient
) -> None:
    client = AsyncClient()
    await client.aforce_login(await User.objects.acreate(username="anna"))
    page = await client.get("/")
    client.cookies.clear()
    with pytest.raises(StreamError, match="another browser"):
        async with client_class.of(page):
            pass


@DATABASE
async def test_a_component_without_a_page_has_a_stream_too(
    served: None, built: Path
) -> None:
    ticker = await sync_to_async(render_component)("demo.NewsTicker")
    async with StreamClient.of(ticker.response) as stream:
        assert stream.groups == ["broadcast", "news.updates"]


@DATABASE
async def test_a_page_without_a_stream_says_why(built: Path) -> None:
    page = await AsyncClient().get("/")
    with pytest.raises(ValueError, match="within `async with streams"):
        StreamClient.of(page)
    with pytest.raises(ValueError, match="no component"):
        StreamClient.of(await AsyncClient().get("/bare"))


@pytest.mark.usefixtures("built")
class StreamsInTestCase(TestCase):
    @streams()
    async def test_a_page_s_stream_needs_no_database(self) -> None:
        await sync_to_async(self.client.force_login)(await _anna())
        page = await sync_to_async(self.client.get)("/")
        async with StreamClient.of(page) as stream:
            async with capture_events():
                await self.async_client.post("/publish", {"headline": "Hello"})
            event = await stream.next("component.data_changed")
            assert event.payload["data"] == {"headline": "Hello"}


@pytest.mark.usefixtures("built")
class StreamsInTransactionTestCase(TransactionTestCase):
    async def test_a_user_is_looked_up(self) -> None:
        user = await _anna()
        async with streams(), StreamClient(user=user) as stream:
            await self.async_client.post("/alert", {"message": "Hello"})
            assert (await stream.next("notify")).group == "broadcast"
            assert f"auth.user.{user.pk}" in stream.groups


async def _anna() -> User:
    return await User.objects.acreate(username="anna")
