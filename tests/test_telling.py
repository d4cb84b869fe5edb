from __future__ import annotations

import threading
from collections.abc import Iterator, Sequence
from pathlib import Path
from threading import Condition, Event, Semaphore, Thread
from typing import Any

import pytest
from django.db import connections
from pytest_django import DjangoDbBlocker

from sse_components import operations
from sse_components.telling import BATCH, MAX_WAITING, THREAD, Telling

SECONDS = 5


class Ear:
    """Hears what is told, for as long as the test lets it."""

    def __init__(self) -> None:
        self.batches: list[list[int]] = []
        self.begun = Semaphore(0)
        self.let = Event()
        self.changed = Condition()

    def __call__(self, items: Sequence[int]) -> None:
        self.begun.release()
        assert self.let.wait(SECONDS)
        with self.changed:
            self.batches.append([*items])
            self.changed.notify()

    @property
    def heard(self) -> list[int]:
        return [item for batch in self.batches for item in batch]

    def wait(self) -> None:
        """Return when it is being told."""
        assert self.begun.acquire(timeout=SECONDS)

    def wait_for(self, count: int) -> None:
        """Return when it has heard so many."""
        with self.changed:
            assert self.changed.wait_for(lambda: len(self.heard) >= count, SECONDS)


@pytest.fixture
def ear() -> Iterator[Ear]:
    ear = Ear()
    yield ear
    ear.let.set()


@pytest.fixture
def telling(ear: Ear) -> Iterator[Telling[int]]:
    assert all_end(), "A test before this one has left its thread"
    telling = Telling(ear)
    yield telling
    ear.let.set()
    telling.close()
    assert all_end()


def threads() -> list[Thread]:
    return [thread for thread in threading.enumerate() if thread.name == THREAD]


def all_end() -> bool:
    for thread in threads():
        thread.join(SECONDS)
    return not threads()


# The first is slow to be told; others are put meanwhile, one by one.
def test_what_is_put_is_told_in_that_order_by_one_thread(
    telling: Telling[int], ear: Ear
) -> None:
    telling.put([0])
    ear.wait()
    for number in range(1, 50):
        telling.put([number])
    (thread,) = threads()
    assert thread.daemon
    ear.let.set()
    ear.wait_for(50)
    assert ear.heard == [*range(50)]


def test_nobody_waits_while_something_is_told(telling: Telling[int], ear: Ear) -> None:
    telling.put([1])
    ear.wait()
    telling.put([2])
    assert ear.heard == []


def test_who_has_nothing_to_tell_needs_no_thread(telling: Telling[int]) -> None:
    assert not threads()


def test_of_too_many_the_newest_are_dropped_with_one_word_until_there_is_room(
    telling: Telling[int], ear: Ear, caplog: pytest.LogCaptureFixture
) -> None:
    telling.put([0])
    ear.wait()
    telling.put([*range(1, MAX_WAITING)])
    assert not caplog.records
    telling.put([MAX_WAITING, -1])
    telling.put([-2])
    (record,) = caplog.records
    assert record.levelname == "ERROR"
    ear.let.set()
    ear.wait_for(MAX_WAITING + 1)
    assert ear.heard == [*range(MAX_WAITING + 1)]
    assert max(len(batch) for batch in ear.batches) == BATCH
    ear.let.clear()
    telling.put([0])
    telling.put([1] * (2 * MAX_WAITING))
    assert len(caplog.records) == 2


def test_what_fails_is_logged_and_the_next_is_told(
    caplog: pytest.LogCaptureFixture,
) -> None:
    told = Event()

    def tell(items: Sequence[int]) -> None:
        if items == [2]:
            told.set()
        else:
            failed.release()
            raise LookupError("a bug")

    failed = Semaphore(0)
    telling = Telling(tell)
    telling.put([1])
    assert failed.acquire(timeout=SECONDS)
    telling.put([2])
    assert told.wait(SECONDS)
    telling.close()
    assert all_end()
    assert "a bug" in caplog.text


def test_after_closing_nothing_more_is_told(telling: Telling[int], ear: Ear) -> None:
    telling.put([1])
    ear.wait()
    telling.put([2])
    telling.close()
    telling.put([3])
    ear.let.set()
    assert all_end()
    assert ear.heard == [1]


def test_what_is_told_has_no_sender() -> None:
    senders: list[str | None] = []
    told = Event()

    def tell(items: Sequence[int]) -> None:
        senders.append(operations.sender.get())
        told.set()

    telling = Telling(tell)
    token = operations.sender.set("tab.request")
    telling.put([1])
    operations.sender.reset(token)
    assert told.wait(SECONDS)
    telling.close()
    assert senders == [None]
    assert all_end()


def test_no_connection_to_a_database_is_kept(
    tmp_path: Path, django_db_blocker: DjangoDbBlocker
) -> None:
    # Django keeps one to a database in memory open whatever it is told.
    connections.databases["scratch"] = {
        **connections.databases["default"],
        "ENGINE": "django.db.backends.sqlite3",
        "NAME": str(tmp_path / "scratch.sqlite3"),
    }
    found: list[Any] = []
    told = Semaphore(0)

    def tell(items: Sequence[int]) -> None:
        found.append(connections["scratch"].connection)
        connections["scratch"].ensure_connection()
        told.release()

    with django_db_blocker.unblock():
        telling = Telling(tell)
        for number in range(2):
            telling.put([number])
            assert told.acquire(timeout=SECONDS)
        telling.close()
        assert all_end()
    del connections.databases["scratch"]
    assert found == [None, None]
