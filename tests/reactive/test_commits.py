from __future__ import annotations

import gc
import threading
from collections.abc import Callable
from typing import Any

import pytest
from django.db import connection, connections, transaction
from django.test import TestCase

from sse_components import runtime
from sse_components.reactive import commits
from sse_components.reactive.changes import Change, Groups, Row
from sse_components.reactive.commits import publish_after_commit
from tests.reactive.conftest import Recorder
from tests.shop.models import Note

pytestmark = pytest.mark.django_db(transaction=True)


class Stop(Exception):
    """What a test rolls back with."""


def groups_of(published: Recorder) -> list[str]:
    return [group for group, *_ in published.told()]


def change(pk: int) -> None:
    here = Groups(f"shop.note.{pk}", ("shop.note",))
    publish_after_commit([Change(Row("shop.note", pk), here, here)], "default")


def rolled_back(work: Callable[[], object], **options: Any) -> None:
    with pytest.raises(Stop), transaction.atomic(**options):
        work()
        raise Stop


# A42
def test_nothing_is_published_before_the_commit(published: Recorder) -> None:
    with transaction.atomic():
        change(1)
        assert groups_of(published) == []
    assert groups_of(published) == ["shop.note.1"]


# A42
def test_nothing_is_published_of_what_is_rolled_back(published: Recorder) -> None:
    rolled_back(lambda: change(1))
    assert groups_of(published) == []
    change(2)
    assert groups_of(published) == ["shop.note.2"]


# A42
def test_when_an_event_arrives_its_row_can_be_read(published: Recorder) -> None:
    found: list[str] = []

    def read_elsewhere() -> None:
        thread = threading.Thread(target=read)
        thread.start()
        thread.join()

    def read() -> None:
        found.extend(Note.objects.values_list("text", flat=True))
        connections.close_all()

    published.meanwhile = read_elsewhere
    with transaction.atomic():
        Note.objects.create(text="a")
    assert found == ["a"]


def test_all_changes_of_a_transaction_are_one_batch(published: Recorder) -> None:
    with transaction.atomic():
        for pk in (1, 2, 1):
            change(pk)
    (batch,) = published.batches
    assert [group for group, *_ in batch] == ["shop.note.1", "shop.note.2"]


# A42
def test_a_savepoint_that_is_rolled_back_takes_its_own_changes_along(
    published: Recorder,
) -> None:
    with transaction.atomic():
        change(1)
        rolled_back(lambda: change(2))
        change(3)
    assert groups_of(published) == ["shop.note.1", "shop.note.3"]


# A42
@pytest.mark.parametrize("lost", ["first", "last", "all", "none"])
def test_of_a_row_what_was_kept_is_published_whatever_was_lost(
    published: Recorder, lost: str
) -> None:
    note = Note.objects.create(text="a")
    published.told()

    def save() -> None:
        note.save()

    with transaction.atomic():
        for place in ("first", "last"):
            if lost in (place, "all"):
                rolled_back(save)
            else:
                with transaction.atomic():
                    save()
    expected = [] if lost == "all" else [f"shop.note.{note.pk}"]
    assert groups_of(published) == expected


# A42
def test_a_row_that_was_created_in_a_lost_savepoint_is_not_published(
    published: Recorder,
) -> None:
    with transaction.atomic():
        rolled_back(lambda: Note.objects.create(text="lost"))
        kept = Note.objects.create(text="kept")
    assert list(Note.objects.all()) == [kept]
    assert published.told() == [("shop.note", "created", {"data": {"pk": kept.pk}})]


def test_savepoints_in_savepoints(published: Recorder) -> None:
    def inner() -> None:
        change(2)
        with transaction.atomic():
            change(3)

    with transaction.atomic():
        change(1)
        rolled_back(inner)
        with transaction.atomic():
            rolled_back(lambda: change(4))
            change(5)
    assert groups_of(published) == ["shop.note.1", "shop.note.5"]


def test_a_lost_savepoint_in_which_an_error_is_still_held_is_lost(
    published: Recorder,
) -> None:
    held: list[BaseException] = []
    with transaction.atomic():
        change(1)
        try:
            with transaction.atomic():
                change(2)
                raise Stop
        except Stop as error:
            held.append(error)  # with its frames
    assert held[0].__traceback__
    assert groups_of(published) == ["shop.note.1"]


def test_created_and_deleted_in_one_transaction_is_nothing(
    published: Recorder,
) -> None:
    with transaction.atomic():
        Note.objects.create(text="a").delete()
    assert published.told() == []
    assert published.batches == []


def test_what_others_do_after_the_commit_goes_on(
    published: Recorder,
) -> None:
    done: list[str] = []
    with transaction.atomic():
        transaction.on_commit(lambda: done.append("before"))
        change(1)
        transaction.on_commit(lambda: done.append("after"))
    assert done == ["before", "after"]
    assert groups_of(published) == ["shop.note.1"]


def test_a_mistake_of_ours_fails_no_commit(
    published: Recorder, caplog: pytest.LogCaptureFixture
) -> None:
    def fail() -> None:
        raise RuntimeError("a mistake")

    published.meanwhile = fail
    done: list[str] = []
    with transaction.atomic():
        note = Note.objects.create(text="a")
        transaction.on_commit(lambda: done.append("after"))
    assert Note.objects.get() == note
    assert done == ["after"]
    assert "a mistake" in caplog.text


def test_transactions_of_several_threads_are_not_mixed(published: Recorder) -> None:
    begun, committed = threading.Event(), threading.Event()

    def other() -> None:
        try:
            with transaction.atomic():
                change(2)
                begun.set()
                committed.wait(5)
        finally:
            connection.close()

    thread = threading.Thread(target=other)
    thread.start()
    begun.wait(5)
    change(1)
    assert groups_of(published) == ["shop.note.1"]
    committed.set()
    thread.join()
    assert groups_of(published) == ["shop.note.2"]


def test_nothing_is_kept_of_what_was_lost(published: Recorder) -> None:
    for _ in range(3):
        rolled_back(lambda: change(1))
    gc.collect()
    assert not commits._waiting.get(connections["default"])


def test_without_autocommit_a_write_succeeds_and_the_log_says_why_it_is_not_told(
    published: Recorder, caplog: pytest.LogCaptureFixture
) -> None:
    transaction.set_autocommit(False)
    try:
        Note.objects.create(text="a")
        transaction.commit()
    finally:
        transaction.set_autocommit(True)
    assert Note.objects.count() == 1
    assert published.told() == []
    assert "autocommit" in caplog.text


# A45
def test_without_streams_a_write_succeeds(caplog: pytest.LogCaptureFixture) -> None:
    for text in "abc":
        Note.objects.create(text=text)
    assert Note.objects.count() == 3
    (record,) = caplog.records
    assert record.levelname == "WARNING"
    assert "BROKER_URL" in record.getMessage()


class InATestCase(TestCase):
    """Where nothing is ever committed, and a part of it is looked at."""

    old: Note

    @classmethod
    def setUpTestData(cls) -> None:
        cls.old = Note.objects.create(text="old")

    def test_only_what_is_done_in_the_block_is_published(self) -> None:
        published = Recorder()
        with runtime.publishing_to(published):
            self.old.save()
            with self.captureOnCommitCallbacks(execute=True):
                new = Note.objects.create(text="new")
                new.save()
        assert published.told() == [("shop.note", "created", {"data": {"pk": new.pk}})]
        with (
            runtime.publishing_to(published),
            self.captureOnCommitCallbacks(execute=True),
        ):
            new.delete()
        (told, _) = published.told()
        assert told[:2] == ("shop.note", "removed")
