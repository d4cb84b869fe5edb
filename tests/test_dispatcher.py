from __future__ import annotations

import asyncio
import json
import secrets
import threading
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import suppress
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from asgiref.sync import async_to_sync
from django.db import transaction
from django.http import HttpRequest, HttpResponse
from django.test import AsyncClient, Client
from django.urls import include, path
from pytest_django import Settings

from sse_components import ComponentDispatcher, dispatcher, runtime, wire
from sse_components.brokers.base import Announcement, Delivery, Published
from sse_components.brokers.memory import MemoryBroker
from sse_components.brokers.redis import RedisBroker
from sse_components.errors import (
    BrokerUnavailable,
    InvalidEvent,
    InvalidGroup,
    InvalidPayload,
    PayloadTooLarge,
)
from sse_components.events import Event, Position
from sse_components.owed import THREAD
from tests.proxies import Proxy
from tests.redis_servers import RedisServer

GROUP = "news.updates"
GOLDEN = Path(__file__).parent / "golden" / "envelopes.json"
ENVELOPES: list[dict[str, Any]] = json.loads(GOLDEN.read_text())
TYPES = {
    "data_changed": "component.data_changed",
    "component_created": "component.created",
    "component_removed": "component.removed",
    "notify": "notify",
    "publish": "stock",
}
OPERATIONS = list(TYPES)
MORE: dict[str, tuple[str, ...]] = {"notify": ("tetra:alert",), "publish": ("stock",)}
"""What an operation needs besides a group."""

INVALID_GROUPS = [
    "news.ü",
    "news.a b",
    "news.a\n",
    "news..a",
    "news.*",
    "news." + 196 * "x",
    "",
    None,
    7,
]


Heard = Callable[[], Awaitable[list[Event]]]


@pytest.fixture
async def heard() -> AsyncIterator[Heard]:
    """What was published to all groups below `news` since the test began."""
    await runtime.start()
    feed = await runtime.broker().feed()
    cursor = await feed.subscribe(["news.*"])

    async def heard() -> list[Event]:
        answer = await runtime.broker().resume(cursor, ["news.*"], 1000)
        assert not answer.lost
        return list(answer.events)

    yield heard
    await runtime.stop()


class Failure(Exception):
    pass


def in_a_transaction(work: Callable[[], object], *, fails: bool = False) -> None:
    with suppress(Failure), transaction.atomic():
        work()
        if fails:
            raise Failure


def golden(envelope: dict[str, Any], position: Position) -> bytes:
    """Return the frame of an envelope that was typed by hand."""
    seconds, microseconds = divmod(position.seq, 10**6)
    day = datetime.fromtimestamp(seconds, UTC).strftime("%Y-%m-%dT%H:%M:%S")
    id = f"{position.epoch}:{position.seq}"
    filled = envelope | {"id": id, "ts": f"{day}.{microseconds:06}Z"}
    assert filled.keys() == envelope.keys()
    data = json.dumps(filled, ensure_ascii=False, separators=(",", ":"))
    return f"event: {envelope['type']}\nid: {id}\ndata: {data}\n\n".encode()


# A28
@pytest.mark.parametrize("case", ENVELOPES)
async def test_coroutine_function_and_rest_publish_the_same_frame(
    heard: Heard, settings: Settings, case: dict[str, Any]
) -> None:
    operation, arguments = case["operation"], case["arguments"]
    settings.SSE_API_KEY, settings.SSE_API_RATE = "key", 0

    first = await getattr(ComponentDispatcher, operation)(GROUP, **arguments)
    plain = getattr(ComponentDispatcher.sync, operation)
    second = await asyncio.to_thread(plain, GROUP, **arguments)
    answer = await AsyncClient().post(
        f"/api/v1/groups/{GROUP}/{operation.replace('_', '-')}",
        json.dumps(arguments),
        "application/json",
        headers={"X-API-Key": "key"},
    )

    events = await heard()
    ids = [str(event.position) for event in events]
    assert ids == [str(first.position), str(second.position), answer.json()["id"]]
    for event in events:
        assert wire.event(event).sse == golden(case["envelope"], event.position)
        assert event.position.epoch.isalnum()


@pytest.mark.parametrize("operation", OPERATIONS)
async def test_every_operation_can_be_awaited(heard: Heard, operation: str) -> None:
    publish = getattr(ComponentDispatcher, operation)
    published = await publish(GROUP, *MORE.get(operation, ()))
    (event,) = await heard()
    assert (event.group, event.type) == (GROUP, TYPES[operation])
    assert published == Published(event.position, duplicate=False)


@pytest.mark.parametrize("operation", OPERATIONS)
async def test_every_operation_can_be_called_from_a_thread(
    heard: Heard, operation: str
) -> None:
    publish = getattr(ComponentDispatcher.sync, operation)
    published = await asyncio.to_thread(publish, GROUP, *MORE.get(operation, ()))
    (event,) = await heard()
    assert (event.group, event.type) == (GROUP, TYPES[operation])
    assert published == Published(event.position, duplicate=False)


async def test_the_function_can_be_called_on_the_loop_too(heard: Heard) -> None:
    published = ComponentDispatcher.sync.data_changed(GROUP, {"headline": "Hello"})
    assert [event.position for event in await heard()] == [published.position]


async def test_a_coroutine_can_be_called_through_async_to_sync(heard: Heard) -> None:
    publish = async_to_sync(ComponentDispatcher.data_changed)
    published = await asyncio.to_thread(publish, GROUP, {"headline": "Hello"})
    (event,) = await heard()
    assert event.position == published.position
    assert json.loads(event.payload)["data"] == {"headline": "Hello"}


async def test_an_event_of_ones_own_carries_any_payload(heard: Heard) -> None:
    await ComponentDispatcher.publish(GROUP, "stock", [1, "two", None], sender="t.r")
    (event,) = await heard()
    assert (event.type, event.sender) == ("stock", "t.r")
    assert json.loads(event.payload) == [1, "two", None]


async def test_what_a_thread_publishes_is_heard_on_the_loop(heard: Heard) -> None:
    feed = await runtime.broker().feed()
    await feed.subscribe([GROUP])
    batches = aiter(feed)
    listening = asyncio.ensure_future(anext(batches))
    published = await asyncio.to_thread(ComponentDispatcher.sync.data_changed, GROUP)
    (delivery,) = await listening
    assert isinstance(delivery, Delivery)
    assert delivery.event.position == published.position
    await feed.close()


# A24
@pytest.mark.parametrize("operation", OPERATIONS)
@pytest.mark.parametrize("group", INVALID_GROUPS)
async def test_a_group_of_no_valid_name_is_refused_in_every_way(
    heard: Heard, operation: str, group: Any
) -> None:
    more = MORE.get(operation, ())
    with pytest.raises(InvalidGroup):
        await getattr(ComponentDispatcher, operation)(group, *more)
    with pytest.raises(ValueError, match=r"group|pattern"):
        getattr(ComponentDispatcher.sync, operation)(group, *more)
    with pytest.raises(ValueError, match=r"group|pattern"):
        getattr(ComponentDispatcher.on_commit, operation)(group, *more)
    assert await heard() == []


@pytest.mark.parametrize(
    ("arguments", "error"),
    [
        ({"data": {"object": object()}}, InvalidPayload),
        ({"data": {"text": 70_000 * "x"}}, PayloadTooLarge),
        ({"sender": "no request"}, InvalidEvent),
    ],
)
async def test_mistakes_are_raised_at_once_also_before_commit(
    heard: Heard, arguments: dict[str, Any], error: type[Exception]
) -> None:
    with pytest.raises(error):
        await ComponentDispatcher.data_changed(GROUP, **arguments)
    with pytest.raises(error):
        ComponentDispatcher.sync.data_changed(GROUP, **arguments)
    with pytest.raises(error):
        ComponentDispatcher.on_commit.data_changed(GROUP, **arguments)
    assert await heard() == []


# A42
@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize("operation", OPERATIONS)
async def test_what_is_for_after_commit_is_published_then(
    heard: Heard, operation: str
) -> None:
    def work() -> None:
        getattr(ComponentDispatcher.on_commit, operation)(
            GROUP, *MORE.get(operation, ())
        )
        ComponentDispatcher.sync.notify(GROUP, "before commit")

    await asyncio.to_thread(in_a_transaction, work)
    first, second = await heard()
    assert json.loads(first.payload)["event_name"] == "before commit"
    assert second.type == TYPES[operation]


# A42
@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize("operation", OPERATIONS)
async def test_what_is_rolled_back_is_not_published(
    heard: Heard, operation: str
) -> None:
    def work() -> None:
        publish = getattr(ComponentDispatcher.on_commit, operation)
        publish(GROUP, *MORE.get(operation, ()))

    def fail() -> None:
        in_a_transaction(work, fails=True)

    await asyncio.to_thread(fail)
    assert await heard() == []


# A42
@pytest.mark.django_db(transaction=True)
async def test_of_savepoints_only_those_kept_publish(heard: Heard) -> None:
    def notify(name: str) -> None:
        ComponentDispatcher.on_commit.notify(GROUP, name)

    def work() -> None:
        notify("first")
        in_a_transaction(lambda: notify("rolled back"), fails=True)
        in_a_transaction(lambda: notify("kept"))

    await asyncio.to_thread(in_a_transaction, work)
    names = [json.loads(event.payload)["event_name"] for event in await heard()]
    assert names == ["first", "kept"]


@pytest.mark.django_db(transaction=True)
async def test_outside_of_a_transaction_commit_is_now(heard: Heard) -> None:
    await asyncio.to_thread(ComponentDispatcher.on_commit.data_changed, GROUP)
    assert len(await heard()) == 1


@pytest.mark.django_db(transaction=True)
async def test_what_is_for_after_commit_is_written_down_before(heard: Heard) -> None:
    data = {"headline": "as it was"}

    def work() -> None:
        ComponentDispatcher.on_commit.data_changed(GROUP, data)
        data["headline"] = "changed later"

    await asyncio.to_thread(in_a_transaction, work)
    (event,) = await heard()
    assert json.loads(event.payload)["data"] == {"headline": "as it was"}


def from_a_sync_view(request: HttpRequest, operation: str, group: str) -> HttpResponse:
    publish = getattr(ComponentDispatcher.sync, operation)
    published = publish(group, *MORE.get(operation, ()))
    return HttpResponse(str(published.position))


async def from_an_async_view(
    request: HttpRequest, operation: str, group: str
) -> HttpResponse:
    publish = getattr(ComponentDispatcher, operation)
    published = await publish(group, *MORE.get(operation, ()))
    return HttpResponse(str(published.position))


def in_transactions(request: HttpRequest) -> HttpResponse:
    """Publish from two places in the code, each time anew."""
    with transaction.atomic():
        ComponentDispatcher.sync.data_changed(GROUP)
        for operation in ("data_changed", "component_created"):
            getattr(ComponentDispatcher.sync, operation)(GROUP)
    return HttpResponse()


def without_mistakes(request: HttpRequest) -> HttpResponse:
    ComponentDispatcher.sync.data_changed(GROUP)
    with transaction.atomic():
        ComponentDispatcher.on_commit.data_changed(GROUP)
    return HttpResponse()


VIEWS = ["from_a_sync_view", "from_an_async_view"]
urlpatterns = [
    path("from_a_sync_view/<str:operation>/<path:group>", from_a_sync_view),
    path("from_an_async_view/<str:operation>/<path:group>", from_an_async_view),
    path("in_transactions", in_transactions),
    path("without_mistakes", without_mistakes),
    path("api/", include("api.urls")),
]


# A12, A38
@pytest.mark.parametrize("operation", OPERATIONS)
async def test_without_a_hub_the_error_names_the_setting(operation: str) -> None:
    more = MORE.get(operation, ())
    named = r"SSE_COMPONENTS\['BROKER_URL'\]"
    with pytest.raises(BrokerUnavailable, match=named):
        await getattr(ComponentDispatcher, operation)(GROUP, *more)
    with pytest.raises(BrokerUnavailable, match=named):
        getattr(ComponentDispatcher.sync, operation)(GROUP, *more)


async def test_after_the_hub_has_stopped_nothing_can_be_published() -> None:
    await runtime.start()
    await ComponentDispatcher.data_changed(GROUP)
    await runtime.stop()
    with pytest.raises(BrokerUnavailable):
        await ComponentDispatcher.data_changed(GROUP)


# A12
@pytest.mark.urls(__name__)
@pytest.mark.parametrize("view", VIEWS)
def test_without_a_hub_what_requests_publish_is_dropped_with_one_warning(
    client: Client, caplog: pytest.LogCaptureFixture, view: str
) -> None:
    for operation in OPERATIONS:
        answer = client.get(f"/{view}/{operation}/{GROUP}")
        assert (answer.status_code, answer.content) == (200, b"0:0")
    (record,) = caplog.records
    assert (record.levelname, record.name) == ("WARNING", "sse_components.broker")
    assert "SSE_COMPONENTS['BROKER_URL']" in caplog.text


@pytest.mark.urls(__name__)
@pytest.mark.parametrize("view", VIEWS)
def test_mistakes_are_raised_although_it_would_be_dropped(
    client: Client, caplog: pytest.LogCaptureFixture, view: str
) -> None:
    with pytest.raises(InvalidGroup):
        client.get(f"/{view}/data_changed/news.*")
    assert "BROKER_URL" not in caplog.text


@pytest.mark.urls(__name__)
def test_what_follows_a_request_is_in_none(client: Client) -> None:
    with pytest.raises(InvalidGroup):
        client.get("/from_a_sync_view/data_changed/news.*")
    with pytest.raises(BrokerUnavailable):
        ComponentDispatcher.sync.data_changed(GROUP)


@pytest.mark.urls(__name__)
@pytest.mark.parametrize("view", VIEWS)
async def test_with_a_hub_a_request_publishes(heard: Heard, view: str) -> None:
    answer = await AsyncClient().get(f"/{view}/data_changed/{GROUP}")
    (event,) = await heard()
    assert answer.content.decode() == str(event.position)


# A38
@pytest.mark.urls(__name__)
@pytest.mark.parametrize(
    ("address", "body"),
    [
        (f"groups/{GROUP}/data-changed", {"data": {}}),
        ("events", {"events": [{"type": "component.data_changed", "group": GROUP}]}),
    ],
)
def test_a_caller_of_the_rest_api_is_told_that_nobody_hears(
    client: Client, settings: Settings, address: str, body: dict[str, Any]
) -> None:
    settings.SSE_API_KEY, settings.SSE_API_RATE = "key", 0
    answer = client.post(
        f"/api/v1/{address}",
        body,
        content_type="application/json",
        headers={"X-API-Key": "key"},
    )
    assert answer.status_code == 503


# A12, A45
@pytest.mark.django_db(transaction=True)
def test_without_a_hub_commits_succeed_and_one_warning_is_logged(
    caplog: pytest.LogCaptureFixture,
) -> None:
    for operation in OPERATIONS:
        publish = getattr(ComponentDispatcher.on_commit, operation)
        in_a_transaction(partial(publish, GROUP, *MORE.get(operation, ())))
    (record,) = caplog.records
    assert record.levelname == "WARNING"
    assert "BROKER_URL" in caplog.text
    assert not owing()


@pytest.mark.django_db(transaction=True)
async def test_what_is_published_can_go_to_another_broker(heard: Heard) -> None:
    other = MemoryBroker()
    await (await other.feed()).subscribe(["news.*"])
    cursor = await other.position()
    with runtime.publishing_to(other):
        await ComponentDispatcher.data_changed(GROUP)
        await asyncio.to_thread(ComponentDispatcher.sync.notify, GROUP, "hello")
        await asyncio.to_thread(ComponentDispatcher.on_commit.component_removed, GROUP)
    published = await ComponentDispatcher.component_created(GROUP)
    events = (await other.resume(cursor, ["news.*"], 10)).events
    assert [event.type for event in events] == [
        "component.data_changed",
        "notify",
        "component.removed",
    ]
    assert [event.position for event in await heard()] == [published.position]
    await other.close()


async def test_of_several_other_brokers_the_innermost_is_published_to() -> None:
    outer, inner = MemoryBroker(), MemoryBroker()
    with runtime.publishing_to(outer):
        with suppress(Failure), runtime.publishing_to(inner):
            assert runtime.publisher() is inner
            raise Failure
        assert runtime.publisher() is outer
    with pytest.raises(BrokerUnavailable):
        runtime.publisher()


@pytest.fixture
def _nobody_was_advised() -> None:
    dispatcher._log_advice.cache_clear()


@pytest.mark.django_db(transaction=True)
@pytest.mark.urls(__name__)
@pytest.mark.usefixtures("_nobody_was_advised")
def test_while_debugging_a_request_is_told_once_what_to_use_in_a_transaction(
    client: Client, settings: Settings, caplog: pytest.LogCaptureFixture
) -> None:
    settings.DEBUG = True
    with runtime.publishing_to(MemoryBroker()):
        client.get("/in_transactions")
        client.get("/in_transactions")
    first, second = [record.getMessage() for record in caplog.records]
    for message in (first, second):
        assert __file__ in message
        assert "ComponentDispatcher.on_commit" in message
    assert first != second


@pytest.mark.django_db(transaction=True)
@pytest.mark.urls(__name__)
@pytest.mark.usefixtures("_nobody_was_advised")
def test_nobody_is_told_who_makes_no_mistake_or_serves_users(
    client: Client, settings: Settings, caplog: pytest.LogCaptureFixture
) -> None:
    with runtime.publishing_to(MemoryBroker()):
        client.get("/in_transactions")
        settings.DEBUG = True
        client.get("/without_mistakes")
        in_a_transaction(lambda: ComponentDispatcher.sync.data_changed(GROUP))
    assert not caplog.records


class Outage:
    """A Redis that is away for this process, and not for who looks what comes there."""

    def __init__(self, proxy: Proxy, batches: AsyncIterator[Sequence[Announcement]]):
        self._proxy = proxy
        self._batches = batches

    def end(self) -> None:
        self._proxy.mend()

    async def published(self) -> list[Event]:
        """Return what is published to groups below `news`, up to `news.last`."""
        events: list[Event] = []
        async with asyncio.timeout(5):
            async for batch in self._batches:
                events += [one.event for one in batch if isinstance(one, Delivery)]
                if events and events[-1].group == "news.last":
                    return events
        raise AssertionError("The feed has ended")


@pytest.fixture
async def outage(
    redis_server: RedisServer, settings: Settings
) -> AsyncIterator[Outage]:
    prefix = secrets.token_hex(4)
    proxy = Proxy(redis_server.port)
    await proxy.start()
    proxy.cut()
    settings.SSE_COMPONENTS = {
        "BROKER_URL": f"redis://127.0.0.1:{proxy.port}/0",
        "KEY_PREFIX": prefix,
    }
    other = RedisBroker(redis_server.url, key_prefix=prefix)
    feed = await other.feed()
    await feed.subscribe(["news.*"])
    yield Outage(proxy, aiter(feed))
    await runtime.stop()
    await other.close()
    await proxy.stop()


def owing() -> list[threading.Thread]:
    return [thread for thread in threading.enumerate() if thread.name == THREAD]


# A45
@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize(
    ("operation", "arguments", "owed"),
    [
        ("data_changed", {"data": {"headline": "secret"}}, [GROUP]),
        ("component_created", {"data": {"headline": "secret"}}, [GROUP]),
        ("component_created", {"target_group": "news.7"}, [GROUP, "news.7"]),
        ("component_removed", {"key": "secret"}, [GROUP]),
        ("component_removed", {"target_group": "news.7"}, [GROUP, "news.7"]),
        ("notify", {"event_name": "secret"}, []),
        ("publish", {"type": "stock", "payload": "secret"}, []),
    ],
)
async def test_a_commit_during_an_outage_succeeds_and_its_groups_get_a_refresh(
    outage: Outage,
    caplog: pytest.LogCaptureFixture,
    operation: str,
    arguments: dict[str, Any],
    owed: list[str],
) -> None:
    publish = getattr(ComponentDispatcher.on_commit, operation)
    await asyncio.to_thread(
        in_a_transaction, lambda: publish(GROUP, sender="t.r", **arguments)
    )
    (record,) = caplog.records
    assert (record.levelname, record.exc_info) == ("ERROR", None)
    assert GROUP in caplog.text
    assert "secret" not in caplog.text

    await asyncio.to_thread(ComponentDispatcher.on_commit.data_changed, "news.last")
    outage.end()
    events = await outage.published()
    assert [event.group for event in events] == [*owed, "news.last"]
    for event in events:
        assert (event.type, event.sender) == ("component.data_changed", None)
        assert json.loads(event.payload) == {"data": {}, "update": False}


# A45
@pytest.mark.django_db(transaction=True)
async def test_what_is_rolled_back_during_an_outage_owes_nothing(
    outage: Outage,
) -> None:
    def change(group: str) -> None:
        ComponentDispatcher.on_commit.data_changed(group)

    def work() -> None:
        in_a_transaction(lambda: change("news.rolled-back"), fails=True)
        in_a_transaction(lambda: change("news.kept"))

    def fail() -> None:
        in_a_transaction(lambda: change("news.failed"), fails=True)

    await asyncio.to_thread(fail)
    assert not owing()
    await asyncio.to_thread(in_a_transaction, work)
    await asyncio.to_thread(change, "news.last")
    outage.end()
    groups = [event.group for event in await outage.published()]
    assert groups == ["news.kept", "news.last"]


@pytest.mark.django_db(transaction=True)
async def test_a_call_that_fails_tells_its_caller_and_owes_nothing(
    outage: Outage,
) -> None:
    with pytest.raises(BrokerUnavailable):
        await ComponentDispatcher.data_changed(GROUP)
    with pytest.raises(BrokerUnavailable):
        await asyncio.to_thread(ComponentDispatcher.sync.data_changed, GROUP)
    assert not owing()


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize("by_reset", [True, False], ids=["reset", "stop"])
async def test_what_is_owed_is_let_go_with_the_runtime(
    outage: Outage, by_reset: bool
) -> None:
    await asyncio.to_thread(ComponentDispatcher.on_commit.data_changed, GROUP)
    (thread,) = owing()
    broker = runtime.broker()
    if by_reset:
        runtime.reset()
    else:
        await runtime.stop()
    await asyncio.to_thread(thread.join, 5)
    assert not thread.is_alive()
    await broker.close()
