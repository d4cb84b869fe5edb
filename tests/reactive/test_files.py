from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from django.db import connections, transaction
from django.db.models import F
from pytest_django import DjangoDbBlocker

from tests.reactive.conftest import Recorder
from tests.shop.models import Note

FILE = "file"


@pytest.fixture(autouse=True)
def _database(tmp_path: Path, django_db_blocker: DjangoDbBlocker) -> Iterator[None]:
    """Have another database, in a file, whose writers wait for each other."""
    connections.databases[FILE] = {
        **connections.databases["default"],
        "ENGINE": "django.db.backends.sqlite3",
        "NAME": str(tmp_path / "notes.sqlite3"),
        "OPTIONS": {},
    }
    with django_db_blocker.unblock():
        with connections[FILE].schema_editor() as editor:
            editor.create_model(Note)
        yield
        connections[FILE].close()
    del connections[FILE], connections.databases[FILE]


def test_an_update_is_not_refused_for_what_another_writes_meanwhile(
    published: Recorder,
) -> None:
    rows = [Note(text=str(number)) for number in range(4)]
    notes = Note.objects.using(FILE).bulk_create(rows)
    published.told()

    def update(note: Note) -> None:
        try:
            for _ in range(50):
                mine = Note.objects.using(FILE).filter(pk=note.pk)
                mine.update(text=F("text"))
        finally:
            connections[FILE].close()

    with ThreadPoolExecutor(4) as threads:
        list(threads.map(update, notes))
    assert len(published.told()) == 200


def test_what_is_written_to_a_database_waits_for_its_own_commit(
    published: Recorder,
) -> None:
    with transaction.atomic(FILE):
        note = Note(text="a")
        note.save(using=FILE)
        Note.objects.using(FILE).bulk_create([Note(text="b")])
        assert published.told() == []
    assert published.told() == [("shop.note", "created", {})]
    with pytest.raises(ZeroDivisionError), transaction.atomic(FILE):
        note.delete()
        raise ZeroDivisionError
    assert published.told() == []


@pytest.mark.django_db(transaction=True)
def test_what_waits_for_another_database_goes_on_waiting(published: Recorder) -> None:
    with transaction.atomic(FILE):
        with transaction.atomic():
            Note.objects.create(pk=8, text="b")
            Note(pk=7, text="a").save(using=FILE)
        assert published.told() == [("shop.note", "created", {"data": {"pk": 8}})]
    assert published.told() == [("shop.note", "created", {"data": {"pk": 7}})]
