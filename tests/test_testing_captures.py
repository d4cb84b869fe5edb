from __future__ import annotations

import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from decimal import Decimal
from typing import Any

import pytest
from asgiref.sync import async_to_sync, sync_to_async
from django.contrib.auth.models import User
from django.db import connections, transaction
from django.test import TestCase, TransactionTestCase

from sse_components import ComponentDispatcher, runtime
from sse_components.brokers.base import Idempotency
from sse_components.dispatcher import publish_drafts
from sse_components.errors import BrokerUnavailable, IdempotencyConflict, InvalidGroup
from sse_components.events import Draft
from sse_components.testing import (
    Events,
    assert_nothing_published,
    assert_published,
    capture_events,
    streams,
)
from tests.shop.models import Note

notify = ComponentDispatcher.sync.notify
notify_after_commit = ComponentDispatcher.on_commit.notify


def names(events: Events) -> list[str]:
    """Return the names of notifications."""
    return [event.payload["event_name"] for event in events]


@contextmanager
def switching_often() -> Iterator[None]:
    """Have threads meet everywhere."""
    before = sys.getswitchinterval()
    sys.setswitchinterval(1e-6)
    try:
        yield
    finally:
        sys.setswitchinterval(before)


# What is captured


def test_an_event_has_what_was_published() -> None:
    with capture_events() as events:
        published = ComponentDispatcher.sync.data_changed(
            "news.updates", {"price": Decimal("1.50")}, sender="tab.7"
        )
    (event,) = events
    assert event.group == "news.updates"
    assert event.type == "component.data_changed"
    assert event.payload == {"data": {"price": "1.50"}, "update": False}
    assert event.sender == "tab.7"
    assert event.id == str(published.position)


async def test_what_is_published_is_captured_in_order() -> None:
    with capture_events() as events:
        await ComponentDispatcher.notify("news.updates", "awaited")
        notify("news.updates", "called")
        await sync_to_async(notify)("news.updates", "in a thread")
        await sync_to_async(async_to_sync(ComponentDispatcher.notify))("a.b", "both")
    assert names(events) == ["awaited", "called", "in a thread", "both"]


def test_other_threads_are_captured_in_the_order_of_what_they_published() -> None:
    def work() -> None:
        for _ in range(200):
            notify("news.updates", "hello")

    threads = [threading.Thread(target=work) for _ in range(4)]
    with capture_events() as events, switching_often():
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    seqs = [event.position.seq for event in events]
    assert len(seqs) == 800
    assert seqs == sorted(set(seqs))


async def test_several_events_of_one_call_keep_their_order() -> None:
    drafts = [Draft("news.updates", str(number), b"null") for number in range(20)]
    with capture_events() as events:
        await publish_drafts(drafts)
    assert [event.type for event in events] == [draft.type for draft in drafts]


async def test_what_is_repeated_is_captured_once() -> None:
    drafts = [Draft("news.updates", "hello", b"null")]
    with capture_events() as events:
        await publish_drafts(drafts, Idempotency("key", "fingerprint"))
        await publish_drafts(drafts, Idempotency("key", "fingerprint"))
        with pytest.raises(IdempotencyConflict):
            await publish_drafts(drafts, Idempotency("key", "another"))
    assert len(events) == 1


def test_what_is_refused_is_not_captured() -> None:
    with capture_events() as events, pytest.raises(InvalidGroup):
        notify("no group", "hello")
    assert events == []


def test_after_the_block_nothing_is_captured() -> None:
    with capture_events() as events:
        pass
    with pytest.raises(BrokerUnavailable):
        notify("news.updates", "hello")
    with pytest.raises(ZeroDivisionError), capture_events():
        _ = 1 / 0
    with pytest.raises(BrokerUnavailable):
        notify("news.updates", "hello")
    assert events == []


def test_a_capture_around_another_has_its_events_too() -> None:
    with capture_events() as outer:
        notify("news.updates", "before")
        with capture_events() as inner:
            notify("news.updates", "within")
        notify("news.updates", "after")
    assert names(outer) == ["before", "within", "after"]
    assert names(inner) == ["within"]
    assert inner[0].id == outer[1].id


async def test_streams_hear_what_is_captured_with_the_same_id() -> None:
    async with streams():
        cursor = await runtime.broker().position()
        with capture_events() as events:
            await ComponentDispatcher.notify("news.updates", "awaited")
            await sync_to_async(notify)("news.updates", "in a thread")
        heard = await runtime.broker().resume(cursor, ["news.updates"], 10)
    assert [event.id for event in events] == [str(e.position) for e in heard.events]
    assert len(events) == 2


def test_no_redis_is_asked(settings: Any) -> None:
    settings.SSE_COMPONENTS = {"BROKER_URL": "redis://127.0.0.1:1/0"}
    with capture_events() as events:
        notify("news.updates", "hello")
    assert names(events) == ["hello"]


# Within TestCase, which never commits


def fails(*args: object) -> None:
    raise ValueError("on purpose")


class CaptureInTestCase(TestCase):
    @classmethod
    def setUpTestData(cls) -> None:
        notify_after_commit("news.updates", "of the class")

    def test_what_waits_for_the_commit_is_published_at_the_end(self) -> None:
        notify_after_commit("news.updates", "before")
        with capture_events() as events:
            notify_after_commit("news.updates", "one")
            notify("news.updates", "at once")
            notify_after_commit("news.updates", "two")
            assert names(events) == ["at once"]
        assert names(events) == ["at once", "one", "two"]

    def test_what_a_savepoint_took_back_is_not_published(self) -> None:
        with capture_events() as events:
            notify_after_commit("news.updates", "one")
            with pytest.raises(ValueError, match="on purpose"), transaction.atomic():
                notify_after_commit("news.updates", "two")
                fails()
            with transaction.atomic():
                notify_after_commit("news.updates", "three")
        assert names(events) == ["one", "three"]

    def test_a_savepoint_that_was_there_before_may_be_taken_back_within(self) -> None:
        notify_after_commit("news.updates", "before")
        with ExitStack() as block:
            with pytest.raises(ValueError, match="on purpose"), transaction.atomic():
                notify_after_commit("news.updates", "before, too")
                events = block.enter_context(capture_events())
                notify_after_commit("news.updates", "taken back")
                fails()
            notify_after_commit("news.updates", "kept")
        assert names(events) == ["kept"]

    def test_what_was_published_is_not_published_again(self) -> None:
        with capture_events() as outer:
            with capture_events() as inner:
                notify_after_commit("news.updates", "hello")
            with capture_events() as second:
                pass
        assert names(outer) == names(inner) == ["hello"]
        assert names(second) == []
        with self.captureOnCommitCallbacks(execute=True), capture_events() as events:
            notify_after_commit("news.updates", "hello")
        assert names(events) == ["hello"]

    def test_what_is_left_for_the_commit_may_leave_more(self) -> None:
        with capture_events() as events:
            transaction.on_commit(lambda: notify_after_commit("news.updates", "more"))
        assert names(events) == ["more"]

    def test_a_failure_after_the_commit_is_raised_unless_it_is_robust(self) -> None:
        with self.assertLogs("sse_components.testing"), capture_events() as events:
            transaction.on_commit(fails, robust=True)
            notify_after_commit("news.updates", "hello")
        assert names(events) == ["hello"]
        with pytest.raises(ValueError, match="on purpose"), capture_events():
            transaction.on_commit(fails)

    def test_a_block_that_fails_commits_nothing(self) -> None:
        with pytest.raises(ValueError, match="on purpose"), capture_events() as events:
            notify_after_commit("news.updates", "hello")
            fails()
        assert events == []

    def test_a_model_that_is_saved_is_published(self) -> None:
        with capture_events() as events:
            note = Note.objects.create(text="Milk")
            note.text = "Honey"
            note.save()
        assert_published(events, "shop.note", "component.created")
        assert len(events) == 1

    def test_a_view_is_captured(self) -> None:
        with capture_events() as events:
            self.client.post("/publish", {"headline": "Hello"})
        assert_published(events, "news.updates", data={"headline": "Hello"})
        assert len(events) == 1

    async def test_an_async_test_waits_for_the_transaction_of_its_thread(self) -> None:
        @sync_to_async
        def work() -> None:
            with pytest.raises(ValueError, match="on purpose"), transaction.atomic():
                notify_after_commit("news.updates", "taken back")
                fails()
            notify_after_commit("news.updates", "kept")

        async with capture_events() as events:
            await self.async_client.post("/publish", {"headline": "Hello"})
            await work()
        assert [event.type for event in events] == ["component.data_changed", "notify"]
        assert names(events.of(type="notify")) == ["kept"]

    async def test_an_async_test_is_told_to_wait(self) -> None:
        with pytest.raises(RuntimeError, match="async with"), capture_events():
            pass


class CaptureInTwoDatabases(TestCase):
    databases = {"default", "other"}

    @classmethod
    def setUpClass(cls) -> None:
        connections.databases["other"] = connections.databases["default"] | {
            "ENGINE": "django.db.backends.sqlite3",
            "NAME": ":memory:",
        }
        super().setUpClass()

    @classmethod
    def tearDownClass(cls) -> None:
        super().tearDownClass()
        del connections["other"], connections.databases["other"]

    def test_every_database_is_committed(self) -> None:
        with capture_events() as events:
            transaction.on_commit(lambda: notify("news.updates", "other"), "other")
            notify_after_commit("news.updates", "default")
        assert sorted(names(events)) == ["default", "other"]


# Where transactions are committed


class CaptureInTransactionTestCase(TransactionTestCase):
    def test_a_commit_publishes_once(self) -> None:
        with capture_events() as events:
            with transaction.atomic():
                notify_after_commit("news.updates", "hello")
                assert events == []
            assert names(events) == ["hello"]
        assert names(events) == ["hello"]

    def test_what_is_not_committed_yet_is_not_published(self) -> None:
        with capture_events() as outer:
            with transaction.atomic():
                with capture_events() as inner:
                    notify_after_commit("news.updates", "hello")
                assert inner == []
            assert names(outer) == ["hello"]
        assert names(outer) == ["hello"]

    def test_a_rollback_publishes_nothing(self) -> None:
        with (
            capture_events() as events,
            pytest.raises(ValueError, match="on purpose"),
            transaction.atomic(),
        ):
            notify_after_commit("news.updates", "hello")
            fails()
        assert events == []

    async def test_a_model_that_is_saved_in_an_async_test_is_published_once(
        self,
    ) -> None:
        async with capture_events() as events:
            await Note.objects.acreate(text="Milk")
        assert [event.group for event in events] == ["shop.note"]


@pytest.mark.django_db
def test_a_capture_in_a_test_of_pytest_commits_too() -> None:
    with capture_events() as events:
        notify_after_commit("news.updates", "hello")
    assert names(events) == ["hello"]


@pytest.mark.django_db(transaction=True)
async def test_a_capture_in_an_async_test_of_pytest_needs_no_async_with() -> None:
    with capture_events() as events:
        await Note.objects.acreate(text="Milk")
    async with capture_events() as more:
        await Note.objects.acreate(text="Honey")
    assert [event.group for event in [*events, *more]] == ["shop.note"] * 2


# What is said of it


@pytest.fixture
def events() -> Events:
    with capture_events() as events:
        ComponentDispatcher.sync.component_created("demo.todo", {"pk": 7})
        ComponentDispatcher.sync.data_changed("demo.todo.7", {"a": {"b": 1, "c": [2]}})
        ComponentDispatcher.sync.data_changed("demo.todo.8")
        ComponentDispatcher.sync.notify("session.secret", "hello")
        ComponentDispatcher.sync.publish("prices", "tick", [1, 2])
    return events


def groups(events: Events) -> list[str]:
    return [event.group for event in events]


def test_events_are_found_by_group_pattern_and_type(events: Events) -> None:
    assert groups(events.of("demo.todo")) == ["demo.todo"]
    assert groups(events.of("demo.todo.*")) == ["demo.todo.7", "demo.todo.8"]
    assert groups(events.of("demo.**")) == ["demo.todo", "demo.todo.7", "demo.todo.8"]
    assert groups(events.of(type="component.created")) == ["demo.todo"]
    assert events.of("demo.todo", "tick") == []
    assert events.of() == events


def test_a_group_of_a_session_is_found_by_its_key(events: Events) -> None:
    (event,) = events.of("session.secret")
    assert "secret" not in str(event)


def test_events_are_found_by_a_part_of_their_payload(events: Events) -> None:
    assert groups(events.of(data={"a": {"b": 1}})) == ["demo.todo.7"]
    assert groups(events.of(data={"a": {"c": [2]}}, update=False)) == ["demo.todo.7"]
    assert groups(events.of(data={})) == [
        "demo.todo.8",
        *groups(events.of("session.*")),
    ]
    assert events.of(data={"a": {"b": 2}}) == []
    assert events.of(data={"a": {"b": 1, "d": 1}}) == []
    assert events.of(data={"a": {"c": []}}) == []
    assert groups(events.of("prices")) == ["prices"]
    assert events.of("prices", data={}) == []


def test_what_is_looked_for_is_what_travels() -> None:
    user = User(pk=7)
    with capture_events() as events:
        notify("a.b", "hello", {"user": user, "price": Decimal("1.50")})
    assert events.of(data={"user": user, "price": Decimal("1.50")}) == events


def test_what_was_published_is_returned(events: Events) -> None:
    assert assert_published(events, "demo.todo.*") == events[1:3]
    (event,) = assert_published(events, "prices", "tick")
    assert event.payload == [1, 2]


@pytest.mark.parametrize(
    ("wanted", "text"),
    [
        (lambda events: assert_published(events, "news"), "news of any type was not"),
        (
            lambda events: assert_published(events, "prices", "tock", a={"b": 1}),
            'prices tock with {"a": {"b": 1}} was not published',
        ),
        (assert_nothing_published, "What was:"),
        (lambda events: assert_nothing_published(events, "prices"), "What was:"),
    ],
)
def test_a_failure_shows_what_was_published(
    wanted: Callable[[Events], object], text: str, events: Events
) -> None:
    with pytest.raises(AssertionError) as failure:
        wanted(events)
    assert text in str(failure.value)
    assert "prices tick [1, 2]" in str(failure.value)


def test_a_failure_shows_that_nothing_was_published() -> None:
    with pytest.raises(AssertionError, match=r"a\.b x was not published. Nothing was"):
        assert_published(Events(), "a.b", "x")


def test_that_nothing_was_published_may_be_of_one_kind(events: Events) -> None:
    assert_nothing_published(Events())
    assert_nothing_published(events, "demo.todo", "component.removed")
    assert_nothing_published(events, "demo.todo.7", data={"a": 1})
    with pytest.raises(AssertionError, match=r"^What was:\n  prices tick \[1, 2\]$"):
        assert_nothing_published(events, "prices")
