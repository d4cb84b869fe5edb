from __future__ import annotations

import asyncio
import copy
import json
import secrets
import threading
from collections.abc import AsyncIterator, Callable
from typing import Any

import pytest
from asgiref.sync import async_to_sync, sync_to_async
from django.test import RequestFactory
from django_eventstream import (  # type: ignore[import-untyped]
    EventPermissionError,
    send_event,
)
from django_eventstream.eventrequest import (  # type: ignore[import-untyped]
    EventRequest,
)
from django_eventstream.storage import (  # type: ignore[import-untyped]
    EventDoesNotExist,
)
from django_eventstream.utils import (  # type: ignore[import-untyped]
    get_channelmanager,
    get_storage,
)
from hypothesis import given
from hypothesis import strategies as st
from pytest_django import Settings

from sse_components import ComponentDispatcher, eventstream, operations, runtime
from sse_components.errors import (
    BrokerUnavailable,
    InvalidEvent,
    InvalidPayload,
    PayloadTooLarge,
)
from sse_components.events import MAX_SEQ, Event, Position
from sse_components.eventstream import ChannelManager, Storage
from sse_components.grants import COOKIE, fingerprint
from sse_components.groups import session_group, user_group
from sse_components.hub import Hub
from sse_components.requests import UNREADABLE
from sse_components.revocations import Whose
from tests.redis_servers import NewRedisServer, RedisServer
from tests.streams.asking import here

GROUP = "news.updates"
NOT_GROUPS = ["news.a b", "news..a", "news.*", "", "news." + 196 * "x"]


@pytest.fixture(params=["memory", "redis"])
async def serving(
    request: pytest.FixtureRequest, settings: Settings
) -> AsyncIterator[None]:
    """A process that serves streams, over each broker."""
    if request.param == "redis":
        server: RedisServer = request.getfixturevalue("redis_server")
        settings.SSE_COMPONENTS = settings.SSE_COMPONENTS | {
            "BROKER_URL": server.url,
            "KEY_PREFIX": secrets.token_hex(4),
        }
    await runtime.start()
    yield
    await runtime.stop()


@pytest.fixture
async def serving_memory() -> AsyncIterator[None]:
    await runtime.start()
    yield
    await runtime.stop()


@pytest.fixture(autouse=True)
def _nothing_was_logged() -> None:
    eventstream._log_left_alone.cache_clear()


async def in_a_view(call: Callable[[], Any]) -> Any:
    return await sync_to_async(call)()


async def in_a_thread(call: Callable[[], Any]) -> Any:
    return await asyncio.to_thread(call)


async def in_a_thread_with_a_loop(call: Callable[[], Any]) -> Any:
    async def on_its_loop() -> Any:
        return call()

    return await asyncio.to_thread(asyncio.run, on_its_loop())


async def on_the_loop(call: Callable[[], Any]) -> Any:
    return call()


async def below_a_bridge(call: Callable[[], Any]) -> Any:
    async def bridged() -> Any:
        return call()

    return await sync_to_async(async_to_sync(bridged))()


PLACES = [in_a_view, in_a_thread, in_a_thread_with_a_loop, on_the_loop, below_a_bridge]


async def published(after: Position) -> list[Event]:
    answer = await runtime.broker().resume(after, [GROUP], 100)
    assert not answer.lost
    return list(answer.events)


def test_they_are_what_the_project_plugs_in() -> None:
    assert type(get_storage()) is Storage
    assert type(get_channelmanager()) is ChannelManager


# A68
@pytest.mark.usefixtures("serving")
@pytest.mark.parametrize("place", PLACES)
async def test_all_can_be_called_from_everywhere(place: Callable[..., Any]) -> None:
    before = await runtime.broker().position()
    threads = threading.active_count()
    async with asyncio.timeout(10):
        start = await place(lambda: Storage().get_current_id(GROUP))
        await place(lambda: send_event(GROUP, "message", {"n": 1}))
        found = await place(lambda: Storage().get_events(GROUP, start))
        assert await place(lambda: ChannelManager().can_read_channel(None, GROUP))
    (event,) = await published(before)
    assert (event.type, event.payload) == ("message", b'{"n":1}')
    assert [(e.channel, e.type, e.data) for e in found] == [
        (GROUP, "message", '{"n":1}')
    ]
    assert threading.active_count() <= threads + 5  # those of brokers and of asgiref


# A68
@pytest.mark.usefixtures("serving_memory")
@pytest.mark.parametrize(
    ("data", "json_encode", "payload", "shown"),
    [
        ({"a": "ü"}, True, {"a": "ü"}, '{"a":"ü"}'),
        ([1, None], True, [1, None], "[1,null]"),
        ("text", True, "text", '"text"'),
        ("text", False, "text", "text"),
        ("<b>\r\n\0", False, "<b>\r\n\0", "<b>\r\n\0"),
        ('{"a": 1}', True, '{"a": 1}', '"{\\"a\\": 1}"'),
        ('{"a": 1}', False, {"a": 1}, '{"a":1}'),
        ("42", False, 42, "42"),
        ("", False, "", ""),
        ("9" * 5000, False, "9" * 5000, "9" * 5000),
        (30_000 * "[", False, 30_000 * "[", 30_000 * "["),
        ({"a": 1}, False, {"a": 1}, '{"a":1}'),
    ],
)
async def test_data_is_the_payload_and_comes_back_as_it_was(
    data: Any, json_encode: bool, payload: object, shown: str
) -> None:
    before = await runtime.broker().position()
    text = json.dumps(data) if json_encode else data
    event = Storage().append_event(GROUP, "message", text)
    (found,) = await published(before)
    assert json.loads(found.payload) == payload
    assert event.data == shown
    assert event == Storage().get_events(GROUP, eventstream._id(before))[0]


@pytest.mark.usefixtures("serving_memory")
async def test_who_causes_events_is_told() -> None:
    before = await runtime.broker().position()
    token = operations.sender.set("tab.1")
    send_event(GROUP, "message", {})
    operations.sender.reset(token)
    (event,) = await published(before)
    assert event.sender == "tab.1"


# A68
@pytest.mark.usefixtures("serving_memory")
@pytest.mark.parametrize(
    ("type", "data", "error"),
    [
        ("stream-open", {}, InvalidEvent),
        ("keep-alive", {}, InvalidEvent),
        ("component.data_changed", {}, InvalidEvent),
        ("presence.join", {}, InvalidEvent),
        ("a\rb", {}, InvalidEvent),
        ("a\nb", {}, InvalidEvent),
        ("a\0b", {}, InvalidEvent),
        ("message", {"a": float("nan")}, InvalidPayload),
        ("message", 70_000 * "x", PayloadTooLarge),
    ],
)
async def test_what_is_no_event_is_refused(
    type: str, data: object, error: type[Exception]
) -> None:
    before = await runtime.broker().position()
    with pytest.raises(error):
        send_event(GROUP, type, data)
    assert await published(before) == []


@pytest.mark.usefixtures("serving_memory")
async def test_a_session_is_known_without_its_key() -> None:
    before = await runtime.broker().position()
    send_event("session.secret key", "message", {})
    answer = await runtime.broker().resume(before, [session_group("secret key")], 1)
    assert len(answer.events) == 1


# A68
@pytest.mark.usefixtures("serving_memory")
@pytest.mark.parametrize("name", NOT_GROUPS)
async def test_what_is_no_group_is_left_alone_and_logged_once(
    name: str, caplog: pytest.LogCaptureFixture
) -> None:
    for _ in range(2):
        send_event(name, "stream-open", {})
        event = Storage().append_event(name, "stream-open", "{}")
        assert (event.channel, event.id) == (name, 0)
    (record,) = caplog.records
    assert record.levelname == "WARNING"
    assert "is not a group" in caplog.text
    assert Storage().get_current_id(name) == 0
    with pytest.raises(EventDoesNotExist) as caught:
        Storage().get_events(name, 0)
    assert caught.value.current_id == 0


@pytest.mark.usefixtures("serving_memory")
async def test_a_long_name_is_logged_in_short(
    caplog: pytest.LogCaptureFixture,
) -> None:
    send_event(1000 * "no\n", "message", {})
    (record,) = caplog.records
    assert len(record.getMessage()) < 400
    assert "\n" not in record.getMessage()


# A68
def test_where_nobody_hears_it_the_error_names_the_setting() -> None:
    with pytest.raises(BrokerUnavailable, match=r"SSE_COMPONENTS\['BROKER_URL'\]"):
        send_event(GROUP, "message", {})


# A68
@pytest.mark.usefixtures("serving")
async def test_history_is_read_from_an_id_in_order_and_in_pages() -> None:
    storage = Storage()
    start = storage.get_current_id(GROUP)
    ids = [storage.append_event(GROUP, "message", f"{n}").id for n in range(5)]
    storage.append_event("news.other", "message", "9")
    await ComponentDispatcher.data_changed(GROUP, {"n": 5})

    first = storage.get_events(GROUP, start, limit=3)
    assert [event.id for event in first] == ids[:3]
    rest = storage.get_events(GROUP, first[-1].id, limit=10)
    assert [event.data for event in rest] == [
        "3",
        "4",
        '{"data":{"n":5},"update":false}',
    ]
    assert rest[-1].type == "component.data_changed"
    assert storage.get_events(GROUP, rest[-1].id) == []
    assert ids == sorted(ids)


# A68
@pytest.mark.usefixtures("serving")
async def test_ids_that_nothing_is_known_of_do_not_exist() -> None:
    storage = Storage()
    now = storage.get_current_id(GROUP)
    foreign = eventstream._id(Position("other", now % eventstream.SEQS))
    for id in (0, -1, now % eventstream.SEQS, now + 10**12, foreign, 10**4000):
        with pytest.raises(EventDoesNotExist) as caught:
            storage.get_events(GROUP, id)
        assert caught.value.current_id >= now
        assert storage.get_events(GROUP, caught.value.current_id) == []


# A68
async def test_an_id_that_the_history_no_longer_reaches_does_not_exist(
    settings: Settings,
) -> None:
    settings.SSE_COMPONENTS = settings.SSE_COMPONENTS | {"HISTORY_SIZE": 2}
    await runtime.start()
    storage = Storage()
    start = storage.get_current_id(GROUP)
    ids = [storage.append_event(GROUP, "message", "1").id for _ in range(3)]
    with pytest.raises(EventDoesNotExist) as caught:
        storage.get_events(GROUP, start)
    assert caught.value.current_id >= ids[-1]
    assert [event.id for event in storage.get_events(GROUP, ids[0])] == ids[1:]
    await runtime.stop()


# A68
async def test_an_id_from_before_a_loss_of_memory_does_not_exist(
    new_redis_server: NewRedisServer, settings: Settings
) -> None:
    server = new_redis_server()
    server.start()
    settings.SSE_COMPONENTS = settings.SSE_COMPONENTS | {"BROKER_URL": server.url}
    storage = Storage()
    before = await asyncio.to_thread(storage.append_event, GROUP, "message", "1")
    with server.client() as client:
        client.flushall()
    after = await asyncio.to_thread(storage.append_event, GROUP, "message", "2")
    with pytest.raises(EventDoesNotExist) as caught:
        storage.get_events(GROUP, before.id)
    assert caught.value.current_id >= after.id
    await runtime.stop()


@given(
    st.builds(
        Position,
        st.from_regex(r"[A-Za-z0-9]{1,16}", fullmatch=True),
        st.integers(0, MAX_SEQ),
    )
)
def test_a_position_can_be_read_from_its_number(position: Position) -> None:
    assert eventstream._position(eventstream._id(position)) == position


@given(st.integers())
def test_any_other_number_is_a_position_that_no_broker_has(number: int) -> None:
    position = eventstream._position(number)
    assert position == UNREADABLE or eventstream._id(position) == number


def grant(groups: list[str], user: str | None = None, browser: str = "me") -> str:
    whose = Whose(here(), user, fingerprint(browser))
    return runtime.grants().issue(groups, whose)[0]


@pytest.fixture
async def hub() -> AsyncIterator[Hub]:
    """Grants are read where there is a hub, which knows what was revoked."""
    hub = await runtime.start()
    await hub.recalled()
    yield hub
    await runtime.stop()


def channels_of(*grants: str, cookie: str = "me", **query: Any) -> set[str]:
    factory = RequestFactory()
    factory.cookies[COOKIE] = cookie
    request = factory.get("/events/", {"grant": grants} | query)
    channels: set[str] = ChannelManager().get_channels_for_request(request, {})
    return channels


# A68
async def test_the_groups_of_grants_may_be_read_until_they_expire(hub: Hub) -> None:
    manager = ChannelManager()
    names = channels_of(grant(["demo.todo.7", "a"]), grant(["b"]), channel=["b", "c"])
    assert names == {"demo.todo.7", "a", "b", "c"}
    readable = {name for name in names if manager.can_read_channel(None, name)}
    assert readable == {"demo.todo.7", "a", "b"}
    kept = copy.deepcopy(dict.fromkeys(readable, 1))
    assert all(manager.can_read_channel(None, name) for name in kept)
    whose = Whose(here())
    text, _ = runtime.grants().issue(["a"], whose, seconds=-1)
    expired = runtime.grants().read(text, expired=True)
    name = eventstream._Granted.by(expired, "a")
    assert not manager.can_read_channel(None, name)


# The view begins to listen; the user is revoked; the history is read again.
@pytest.mark.parametrize(
    ("pattern", "left"), [("", set()), ("a", {"b"}), ("c.**", {"a", "b"})]
)
async def test_the_groups_of_a_grant_that_is_revoked_may_be_read_no_more(
    hub: Hub, pattern: str, left: set[str]
) -> None:
    names = channels_of(grant(["a", "b"], user="7"))
    await runtime.broker().arevoke("user:7", pattern, 60)
    await hub._hearing.wait_until(here())
    manager = ChannelManager()
    assert {name for name in names if manager.can_read_channel(None, name)} == left


async def test_a_process_that_stops_to_serve_lets_no_grant_be_read(hub: Hub) -> None:
    names = channels_of(grant(["a"]))
    await runtime.stop()
    assert not ChannelManager().can_read_channel(None, *names)


async def test_a_grant_is_refused_while_it_isnt_known_what_was_revoked(
    hub: Hub,
) -> None:
    hub.doubt()
    with pytest.raises(EventPermissionError, match="not known"):
        channels_of(grant(["a"]))


async def test_a_pattern_is_denied_though_it_was_granted(hub: Hub) -> None:
    (name,) = channels_of(grant(["demo.todo.*"]))
    assert not ChannelManager().can_read_channel(None, name)


def test_the_channels_of_the_view_stand_beside_those_of_grants() -> None:
    request = RequestFactory().get("/events/", {"channel": "ignored"})
    names = ChannelManager().get_channels_for_request(request, {"channels": ["a"]})
    assert names == {"a"}


# A68
def test_a_grant_of_another_browser_is_refused() -> None:
    with pytest.raises(EventPermissionError, match="another browser"):
        channels_of(grant(["a"]), cookie="other")


def test_a_forged_grant_is_refused() -> None:
    with pytest.raises(EventPermissionError, match="not a grant of ours"):
        channels_of(grant(["a"]) + "x")


def test_grants_of_several_users_are_refused() -> None:
    with pytest.raises(EventRequest.Error, match="several users"):
        channels_of(grant(["a"], user="1"), grant(["b"], user="2"))


def sync_rule(user: Any, group: str, write: bool) -> bool:
    return bool(user.is_authenticated) and group == "demo.todo.7"


async def async_rule(user: Any, group: str, write: bool) -> bool:
    return await sync_to_async(sync_rule)(user, group, write)


# A68
@pytest.mark.parametrize("place", PLACES)
@pytest.mark.parametrize("rule", [sync_rule, async_rule])
async def test_what_may_be_read_is_what_the_policy_says(
    settings: Settings, rule: Any, place: Callable[..., Any]
) -> None:
    from django.contrib.auth.models import User

    settings.SSE_COMPONENTS = settings.SSE_COMPONENTS | {"AUTHORIZE": rule}
    user = User(pk=7)
    asked = ["news.updates", "demo.todo.7", user_group(7), user_group(8), "broadcast"]
    asked += ["users", "session.x", "demo.todo.8", "demo.*", "no group", ""]

    def readable(user: object) -> list[str]:
        manager = ChannelManager()
        return [name for name in asked if manager.can_read_channel(user, name)]

    async with asyncio.timeout(10):
        assert await place(lambda: readable(user)) == [
            "news.updates",
            "demo.todo.7",
            user_group(7),
            "broadcast",
            "users",
        ]
        assert await place(lambda: readable(None)) == ["news.updates", "broadcast"]
    await runtime.stop()
