from __future__ import annotations

import pytest
from django.db import connection, transaction
from django.db.models import F
from django.test.utils import CaptureQueriesContext

from sse_components.errors import BrokerUnavailable
from tests.reactive.conftest import Recorder, Told
from tests.shop.models import (
    BestSeller,
    Book,
    CarefulTask,
    Note,
    Paperback,
    Review,
    Task,
)

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def notes(published: Recorder) -> list[Note]:
    """Three notes, of which everybody knows."""
    notes = [Note.objects.create(text=str(number)) for number in range(3)]
    published.told()
    return notes


def changed(*groups: str) -> list[Told]:
    return [(group, "data_changed", {}) for group in groups]


# A44
def test_an_update_is_one_batch_with_each_row_once(
    published: Recorder, notes: list[Note]
) -> None:
    updated = Note.objects.exclude(text="1").order_by("pk").update(text="x")
    assert updated == 2
    (batch,) = published.batches
    assert batch == changed(*(f"shop.note.{notes[n].pk}" for n in (0, 2)))


def test_an_update_of_nothing_is_nothing(published: Recorder) -> None:
    assert Note.objects.filter(text="nobody's").update(text="x") == 0
    assert published.batches == []


def test_rows_that_no_longer_match_are_told_too(
    published: Recorder, notes: list[Note]
) -> None:
    Note.objects.filter(text="1").update(text="2")
    assert published.told() == changed(f"shop.note.{notes[1].pk}")


def test_what_the_database_computes_is_fetched(published: Recorder) -> None:
    book = Book.objects.create(title="x")
    published.told()
    Book.objects.update(price=F("price") + 1)
    assert published.told() == changed(f"shop.book.{book.pk}")


# A42, A44
def test_an_update_that_is_rolled_back_is_not_published(
    published: Recorder, notes: list[Note]
) -> None:
    with pytest.raises(ZeroDivisionError), transaction.atomic():
        Note.objects.update(text="x")
        raise ZeroDivisionError
    assert published.told() == []


def test_an_update_that_fails_is_not_published(
    published: Recorder, notes: list[Note]
) -> None:
    with pytest.raises(TypeError):
        Note.objects.all()[:2].update(text="x")
    with pytest.raises(Exception, match="not supported"):
        Note.objects.all().union(Note.objects.all()).update(text="x")
    assert published.told() == []


def test_an_update_reads_the_keys_of_its_rows_and_nothing_else(
    published: Recorder, notes: list[Note]
) -> None:
    with CaptureQueriesContext(connection) as queries:
        Note.objects.update(text="x")
    said = [query["sql"].split()[0] for query in queries]
    assert said == ["SELECT", "UPDATE"]


async def test_asynchronous_twins_are_the_same(
    published: Recorder, notes: list[Note]
) -> None:
    await Note.objects.filter(text="0").aupdate(text="x")
    assert published.told() == changed(f"shop.note.{notes[0].pk}")
    await Note.objects.abulk_create([Note(text="y"), Note(text="z")])
    assert published.told() == [("shop.note", "created", {})]
    await Note.objects.filter(text="1").adelete()
    assert len(published.told()) == 2


# A44
def test_rows_that_are_created_together_are_one_event_of_their_list(
    published: Recorder,
) -> None:
    created = Note.objects.bulk_create([Note(text=str(n)) for n in range(200)])
    assert len(created) == 200
    assert published.batches == [[("shop.note", "created", {})]]


def test_one_that_is_created_in_bulk_has_its_key(published: Recorder) -> None:
    (note,) = Note.objects.bulk_create(iter([Note(text="x")]))
    assert published.told() == [("shop.note", "created", {"data": {"pk": note.pk}})]
    assert Note.objects.bulk_create([]) == []
    assert published.batches == []


def test_rows_that_may_have_been_there_are_created_and_changed(
    published: Recorder, notes: list[Note]
) -> None:
    again = Note(pk=notes[0].pk, text="again")
    Note.objects.bulk_create(
        [again],
        update_conflicts=True,
        update_fields=["text"],
        unique_fields=["pk"],
    )
    assert published.told() == [
        ("shop.note", "created", {"data": {"pk": again.pk}}),
        *changed(f"shop.note.{again.pk}"),
    ]


def test_so_are_they_whatever_the_way_of_saying_so(
    published: Recorder, notes: list[Note]
) -> None:
    again = Note(pk=notes[0].pk, text="again")
    Note.objects.bulk_create([again], None, False, True, ["text"], ["pk"])
    assert len(published.told()) == 2


def test_rows_without_a_key_are_not_asked_for_their_group(published: Recorder) -> None:
    CarefulTask.objects.bulk_create([CarefulTask(project=7)], ignore_conflicts=True)
    assert [group for group, *_ in published.told()] == ["project.7.tasks", "tasks.all"]


def test_all_rows_that_an_update_changes_are_told(
    published: Recorder, notes: list[Note]
) -> None:
    Note.objects.distinct().select_for_update().update(text="x")
    assert len(published.told()) == 3


@pytest.mark.skipif(connection.vendor != "postgresql", reason="Others don't know it.")
def test_an_update_of_distinct_rows_is_one_of_all(
    published: Recorder, notes: list[Note]
) -> None:
    Note.objects.update(text="same")
    published.told()
    assert Note.objects.distinct("text").update(text="x") == 3
    assert len(published.told()) == 3


def test_rows_of_which_some_are_left_out_have_their_list_fetch(
    published: Recorder, notes: list[Note]
) -> None:
    rows = [Note(pk=notes[0].pk, text="there"), Note(text="new")]
    Note.objects.bulk_create(rows, ignore_conflicts=True)
    assert published.told() == [("shop.note", "created", {})]


# A44
def test_rows_that_are_updated_together_are_one_batch_with_their_data(
    published: Recorder,
) -> None:
    book = Book.objects.create(title="x")
    reviews = [Review.objects.create(book=book) for _ in range(2)]
    published.told()
    for stars, review in enumerate(reviews, 4):
        review.stars = stars
    assert Review.objects.bulk_update(iter(reviews), ["stars"]) == 2
    (batch,) = published.batches
    assert batch == [
        (
            f"shop.review.{review.pk}",
            "data_changed",
            {"data": {"id": review.pk, "stars": stars}},
        )
        for stars, review in enumerate(reviews, 4)
    ]


# A44
def test_rows_that_are_deleted_together_are_one_batch(
    published: Recorder, notes: list[Note]
) -> None:
    Note.objects.filter(text__in="01").order_by("pk").delete()
    (batch,) = published.batches
    assert {("shop.note", f"shop.note.{notes[n].pk}") for n in (0, 1)} == {
        (group, payload["target_group"]) for group, _, payload in batch if payload
    }
    assert len(batch) == 4


def test_a_large_batch_is_published_in_parts(published: Recorder) -> None:
    Note.objects.bulk_create([Note(text=str(n)) for n in range(1100)])
    published.told()
    Note.objects.update(text="x")
    assert [len(batch) for batch in published.batches] == [500, 500, 100]


def test_a_broker_that_is_away_is_waited_for_once(
    published: Recorder, caplog: pytest.LogCaptureFixture
) -> None:
    def fail() -> None:
        tries.append(1)
        raise BrokerUnavailable("It is away.")

    tries: list[int] = []
    Note.objects.bulk_create([Note(text=str(n)) for n in range(1100)])
    published.meanwhile = fail
    assert Note.objects.update(text="x") == 1100
    assert len(tries) == 1
    (record,) = caplog.records
    assert record.levelname == "ERROR"


def test_a_proxy_s_rows_go_by_the_name_of_what_it_stands_for(
    published: Recorder,
) -> None:
    (book,) = BestSeller.objects.bulk_create([BestSeller(title="x")])
    assert published.told() == [("shop.book", "created", {"data": {"pk": book.pk}})]
    BestSeller.objects.update(title="y")
    assert published.told() == changed(f"shop.book.{book.pk}")


def test_rows_in_two_tables_are_told_as_both(published: Recorder) -> None:
    book = Paperback.objects.create(title="x")
    published.told()
    Paperback.objects.update(title="y")
    groups = [f"shop.paperback.{book.pk}", f"shop.book.{book.pk}"]
    assert published.told() == changed(*groups)


# A46
def test_rows_that_an_update_moves_are_gone_from_one_list_and_new_in_another(
    published: Recorder,
) -> None:
    tasks = [Task.objects.create(project=7) for _ in range(2)]
    published.told()
    Task.objects.update(project=8)
    one, other = [task.pk for task in tasks]
    assert published.told() == [
        ("project.8.tasks", "created", {}),
        ("project.7.tasks", "data_changed", {}),
        *changed(f"project.7.task.{one}", f"project.8.task.{one}"),
        *changed(f"project.7.task.{other}", f"project.8.task.{other}"),
    ]


# A46
def test_rows_that_a_bulk_update_moves_are_told_like_those_that_are_saved(
    published: Recorder,
) -> None:
    Task.objects.create(project=7)
    task = Task.objects.get()
    published.told()
    for project in (8, 9):
        task.project = project
        Task.objects.bulk_update([task], ["project"])
        assert published.told() == [
            (f"project.{project}.tasks", "created", {"data": {"pk": task.pk}}),
            *changed(
                f"project.{project - 1}.tasks",
                f"project.{project - 1}.task.{task.pk}",
                f"project.{project}.task.{task.pk}",
            ),
        ]


# A46
def test_a_row_that_was_created_in_bulk_moves_like_others(published: Recorder) -> None:
    (task,) = Task.objects.bulk_create([Task(project=7)])
    published.told()
    task.project = 8
    task.save()
    assert published.told()[1] == ("project.7.tasks", "data_changed", {})


def test_many_rows_are_looked_up_in_parts(published: Recorder) -> None:
    Task.objects.bulk_create([Task(project=7) for _ in range(1100)])
    published.told()
    Task.objects.update(project=8)
    groups = {group for group, *_ in published.told()}
    assert len(groups) == 2 + 2 * 1100


def test_rows_that_an_update_gives_another_key_are_left_to_who_does_that(
    published: Recorder,
) -> None:
    Task.objects.create(project=7)
    published.told()
    Task.objects.update(id=F("id") + 100)
    assert published.told() == []
