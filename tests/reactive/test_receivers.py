from __future__ import annotations

import asyncio
import copy
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path

import pytest
from django.core import serializers
from django.core.management import call_command
from django.db import connection, transaction
from django.db.models import F
from django.test.utils import CaptureQueriesContext

from sse_components.events import MAX_PAYLOAD
from sse_components.models import suppress_events
from tests.reactive.conftest import Recorder, Told
from tests.shop.models import (
    Author,
    BestSeller,
    Book,
    CarefulTask,
    Cube,
    Friend,
    Leaf,
    Note,
    Paperback,
    Placing,
    Review,
    Sheet,
    Shelf,
    Tag,
    Task,
    Ticket,
)

pytestmark = pytest.mark.django_db(transaction=True)


def created(group: str, pk: object) -> Told:
    return group, "created", {"data": {"pk": pk}}


def changed(group: str, **data: object) -> Told:
    return group, "data_changed", {"data": data} if data else {}


def also(group: str, **data: object) -> Told:
    """Return a change of which not all travels."""
    return group, "data_changed", {"data": data, "update": True}


def removed(collection: str, instance: str) -> list[Told]:
    target = {"target_group": instance}
    return [(collection, "removed", target), (instance, "removed", {})]


# A39, A40
def test_a_model_without_fields_says_that_something_is_different_and_nothing_else(
    published: Recorder,
) -> None:
    note = Note.objects.create(text="a")
    assert published.told() == [created("shop.note", note.pk)]
    note.text = "b"
    note.save()
    assert published.told() == [changed(f"shop.note.{note.pk}")]
    pk = note.pk
    note.delete()
    assert published.told() == removed("shop.note", f"shop.note.{pk}")


# A39
def test_only_the_fields_that_are_named_travel(published: Recorder) -> None:
    book = Book.objects.create(title="x")
    review = Review.objects.create(book=book, text="nobody's business")
    published.told()
    review.stars = 5
    review.save()
    group = f"shop.review.{review.pk}"
    assert published.told() == [changed(group, id=review.pk, stars=5)]


# A39
def test_a_change_of_which_not_all_travels_is_fetched_too(published: Recorder) -> None:
    pk = Review.objects.create(book=Book.objects.create(title="x"), text="old").pk
    group = f"shop.review.{pk}"
    review = Review.objects.get()
    published.told()
    review.stars = 5
    review.save()
    assert published.told() == [changed(group, id=pk, stars=5)]
    review.text = "new"
    review.save()
    assert published.told() == [also(group, id=pk, stars=5)]
    review.save()
    assert published.told() == [changed(group, id=pk, stars=5)]
    review.text = "newer"
    review.save(update_fields=["stars"])
    assert published.told() == [changed(group, id=pk, stars=5)]
    review.save(update_fields=["stars", "text"])
    assert published.told() == [also(group, id=pk, stars=5)]
    Review(pk=pk, book_id=review.book_id, stars=4).save()  # of which nothing is known
    assert published.told() == [also(group, id=pk, stars=4)]


def test_what_may_have_been_changed_in_its_place_is_fetched(
    published: Recorder,
) -> None:
    note = Sheet.objects.create(title="x", cells=[1])
    published.told()
    note.cells.append(2)
    note.save()
    assert published.told() == [also(f"shop.sheet.{note.pk}", id=note.pk, title="x")]


def test_what_the_database_generates_is_fetched(published: Recorder) -> None:
    cube = Cube.objects.create(side=2)
    published.told()
    cube.side = 3
    cube.save()
    assert published.told() == [also(f"shop.cube.{cube.pk}", id=str(cube.pk), side=3)]


# A41
def test_values_of_every_kind_travel_without_a_query_more(published: Recorder) -> None:
    author = Author.objects.create(name="Ada")
    book = Book.objects.create(title="x", author=author)
    published.told()
    book = Book.objects.get()  # the author isn't loaded
    book.price = Decimal("9.90")
    book.published = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)
    book.cover = "covers/x.png"
    book.facts = {"pages": [1, 2]}
    with CaptureQueriesContext(
        connection,
    ) as queries:
        book.save()
    assert len(queries) == 1
    assert published.told() == [
        changed(
            f"shop.book.{book.pk}",
            id=book.pk,
            title="x",
            author=author.pk,
            price="9.90",
            published="2026-01-02T03:04:05Z",
            cover="covers/x.png",
            facts={"pages": [1, 2]},
        )
    ]


def test_what_travels_is_what_was_saved_whatever_becomes_of_it(
    published: Recorder,
) -> None:
    book = Book.objects.create(title="x", facts={"pages": [1]})
    published.told()
    with transaction.atomic():
        book.save()
        book.facts["pages"].append(2)
    ((_, _, payload),) = published.told()
    assert payload["data"]["facts"] == {"pages": [1]}


# A43
def test_of_some_fields_only_those_travel_that_were_saved(published: Recorder) -> None:
    book = Book.objects.create(title="x")
    published.told()
    book.title, book.price = "y", Decimal(3)
    book.save(update_fields=["title"])
    group = f"shop.book.{book.pk}"
    assert published.told() == [changed(group, id=book.pk, title="y")]
    review = Review.objects.create(book=book)
    published.told()
    review.save(update_fields=["text"])  # which doesn't travel: components fetch
    assert published.told() == [changed(f"shop.review.{review.pk}")]


def test_what_only_the_database_knows_is_fetched(published: Recorder) -> None:
    book = Book.objects.create(title="x")
    published.told()
    book.price = F("price") + 1
    book.save(update_fields=["title", "price"])
    assert published.told() == [
        (
            f"shop.book.{book.pk}",
            "data_changed",
            {"data": {"id": book.pk, "title": "x"}, "update": True},
        )
    ]


def test_fields_that_were_not_loaded_are_not_loaded_to_travel(
    published: Recorder,
) -> None:
    Book.objects.create(title="x")
    published.told()
    book = Book.objects.only("title").get()
    with CaptureQueriesContext(connection) as queries:
        book.save()
    assert len(queries) == 1
    group = f"shop.book.{book.pk}"
    assert published.told() == [changed(group, id=book.pk, title="x")]


# A43
def test_update_or_create_is_told_as_what_it_did(published: Recorder) -> None:
    note, _ = Note.objects.update_or_create(text="a", defaults={"text": "b"})
    assert published.told() == [created("shop.note", note.pk)]
    Note.objects.update_or_create(text="b", defaults={"text": "c"})
    assert published.told() == [changed(f"shop.note.{note.pk}")]


# A43
def test_a_proxy_goes_by_the_name_of_what_it_stands_for(published: Recorder) -> None:
    book = BestSeller.objects.create(title="x")
    assert published.told() == [created("shop.book", book.pk)]
    book.save()
    ((group, _, payload),) = published.told()
    assert group == f"shop.book.{book.pk}"
    assert payload["data"]["title"] == "x"
    pk = book.pk
    book.delete()
    assert published.told() == removed("shop.book", f"shop.book.{pk}")


# A43
def test_a_row_in_two_tables_is_told_as_both(published: Recorder) -> None:
    book = Paperback.objects.create(title="x", pages=3)
    pk = book.pk
    assert published.told() == [
        created("shop.paperback", pk),
        created("shop.book", pk),
    ]
    book.save(update_fields=["pages"])
    assert published.told() == [
        changed(f"shop.paperback.{pk}", id=pk, pages=3),
        changed(f"shop.book.{pk}"),
    ]
    book.delete()
    assert published.told() == [
        *removed("shop.paperback", f"shop.paperback.{pk}"),
        *removed("shop.book", f"shop.book.{pk}"),
    ]


# A43
def test_what_a_deletion_takes_along_is_told_too(published: Recorder) -> None:
    author = Author.objects.create(name="Ada")
    book = Book.objects.create(title="x", author=author)
    review = Review.objects.create(book=book)
    published.told()
    author.delete()
    assert sorted(published.told()) == sorted(
        [
            *removed("shop.book", f"shop.book.{book.pk}"),
            *removed("shop.review", f"shop.review.{review.pk}"),
        ]
    )


# A43
def test_a_fixture_that_is_loaded_says_nothing(
    published: Recorder, tmp_path: Path
) -> None:
    book = Book(pk=5, title="x")
    fixture = tmp_path / "books.json"
    fixture.write_text(serializers.serialize("json", [book]))
    call_command("loaddata", fixture, verbosity=0)
    assert Book.objects.get().title == "x"
    assert published.told() == []


def test_a_key_that_is_no_segment_stands_as_its_hash(published: Recorder) -> None:
    ticket = Ticket.objects.create(code="row 7/seat 3")
    ticket.save()
    assert published.told() == [
        created("shop.ticket", "row 7/seat 3"),
        changed("shop.ticket.h-o9rGt6-Voa527y3g62wCVB"),
    ]


def test_in_a_block_that_suppresses_events_nothing_is_published(
    published: Recorder,
) -> None:
    with suppress_events():
        book = Book.objects.create(title="x")
        book.save()
        book.tags.add(Tag.objects.create(name="t"))
        Note.objects.bulk_create([Note(text="a")])
        Note.objects.update(text="b")
        Note.objects.bulk_update(Note.objects.all(), ["text"])
        Note.objects.all().delete()
    assert published.told() == []
    book.save()
    assert len(published.told()) == 1


# A48
async def test_rows_that_are_saved_asynchronously_are_told_once_and_in_order(
    published: Recorder,
) -> None:
    note = await Note.objects.acreate(text="0")
    for number in range(1, 4):
        note.text = str(number)
        await note.asave()
    pk = note.pk
    await note.adelete()
    assert published.told() == [
        created("shop.note", pk),
        *[changed(f"shop.note.{pk}")] * 3,
        *removed("shop.note", f"shop.note.{pk}"),
    ]


async def test_several_at_once_are_told_each_once(published: Recorder) -> None:
    await asyncio.gather(*(Note.objects.acreate(text=str(n)) for n in range(5)))
    assert len(published.told()) == 5


# Groups that depend on the row


# A46
def test_a_row_is_told_to_the_lists_that_it_names(published: Recorder) -> None:
    task = Task.objects.create(project=7, title="x")
    pk = task.pk
    assert published.told() == [
        created("project.7.tasks", pk),
        created("tasks.all", pk),
    ]
    task.title = "y"
    task.save()
    assert published.told() == [changed(f"project.7.task.{pk}", id=pk, title="y")]
    task.delete()
    target = {"target_group": f"project.7.task.{pk}"}
    assert published.told() == [
        ("project.7.tasks", "removed", target),
        ("tasks.all", "removed", target),
        (f"project.7.task.{pk}", "removed", {}),
    ]


# A46
def test_a_row_that_moves_is_new_in_one_list_and_gone_from_the_other(
    published: Recorder,
) -> None:
    pk = Task.objects.create(project=7, title="x").pk
    published.told()
    task = Task.objects.get()
    moved = [
        created("project.8.tasks", pk),
        changed("project.7.tasks"),
        changed(f"project.7.task.{pk}"),
        also(f"project.8.task.{pk}", id=pk, title="x"),
    ]
    task.project = 8
    task.save()
    assert published.told() == moved
    task.project = 7
    task.save()
    published.told()
    task.project = 8
    task.save()
    assert published.told() == moved


def test_what_has_not_been_saved_moves_nothing(published: Recorder) -> None:
    task = Task.objects.create(project=7, title="x")
    published.told()
    task.project = 8
    pk = task.pk
    task.save(update_fields=["title"])
    assert published.told() == [changed(f"project.7.task.{pk}", id=pk, title="x")]
    Task.objects.bulk_update([task], ["title"])
    assert published.told() == [changed(f"project.7.task.{pk}", id=pk, title="x")]
    task.refresh_from_db(fields=["title"])
    task.delete()
    ((_, _, payload), *_) = published.told()[-3:]
    assert payload == {"target_group": f"project.7.task.{pk}"}


def test_a_row_of_which_little_was_loaded_is_where_the_database_has_it(
    published: Recorder,
) -> None:
    pk = Task.objects.create(project=7, title="x").pk
    published.told()
    task = Task.objects.only("title").get()
    task.project = 8
    task.save()
    assert published.told()[0] == created("project.8.tasks", pk)


def test_a_row_made_by_hand_is_where_it_says(published: Recorder) -> None:
    pk = Task.objects.create(project=7, title="x").pk
    published.told()
    Task(pk=pk, project=8, title="y").save()
    assert published.told() == [also(f"project.8.task.{pk}", id=pk, title="y")]


def test_a_row_that_is_read_again_is_where_it_is_then(published: Recorder) -> None:
    task = Task.objects.create(project=7, title="x")
    with suppress_events():
        Task.objects.update(project=8)
    published.told()
    task.refresh_from_db()
    task.save()
    pk = task.pk
    assert published.told() == [changed(f"project.8.task.{pk}", id=pk, title="x")]


def test_a_row_without_a_key_is_not_asked_for_its_groups(published: Recorder) -> None:
    task = CarefulTask(project=7)
    task.save()
    assert published.told()[0] == created("project.7.tasks", task.pk)


def test_a_copy_and_its_original_know_each_where_it_is(published: Recorder) -> None:
    task = Task.objects.create(project=7, title="x")
    other = copy.copy(task)
    other.pk, other._state.adding, other.project = None, True, 8
    other.save()
    published.told()
    pk = task.pk
    task.delete()
    assert published.told()[-1] == (f"project.7.task.{pk}", "removed", {})


def test_a_row_that_was_given_another_key_is_where_it_says(published: Recorder) -> None:
    task, other = [Task.objects.create(project=n, title="x") for n in (7, 8)]
    published.told()
    task.pk, task.project = other.pk, 8
    task.delete()
    assert published.told()[-1][0] == f"project.8.task.{other.pk}"


def test_a_key_is_the_same_whatever_its_text(published: Recorder) -> None:
    cube = Cube.objects.create(side=2)
    published.told()
    with transaction.atomic():
        cube.save()
        Cube(pk=str(cube.pk).upper(), side=4).save(force_update=True)
    ((group, _, payload),) = published.told()
    assert group == f"shop.cube.{cube.pk}"
    assert payload["data"]["side"] == 4


def test_a_key_that_cannot_travel_costs_no_other_event(
    published: Recorder, caplog: pytest.LogCaptureFixture
) -> None:
    with transaction.atomic():
        Note.objects.create(text="a")
        Ticket.objects.create(code="x" * MAX_PAYLOAD)
    groups = [group for group, *_ in published.told()]
    assert groups == ["shop.note", "shop.ticket"]
    assert "shop.ticket" in caplog.text


def test_a_parent_with_lists_of_its_own_keeps_its_own_groups(
    published: Recorder,
) -> None:
    leaf = Leaf.objects.create(text="x")
    lists = [created("shop.leaf", leaf.pk), created("trees", leaf.pk)]
    assert published.told() == lists
    leaf.save()
    assert [group for group, *_ in published.told()] == [
        f"shop.leaf.{leaf.pk}",
        f"shop.tree.{leaf.pk}",
    ]


def test_a_copy_is_a_new_row(published: Recorder) -> None:
    task = Task.objects.create(project=7, title="x")
    published.told()
    task.pk = None
    task.save()
    assert published.told() == [
        created("project.7.tasks", task.pk),
        created("tasks.all", task.pk),
    ]


# Many to many


# A44
def test_a_relation_that_counts_is_a_change_from_either_side(
    published: Recorder,
) -> None:
    book = Book.objects.create(title="x")
    tag = Tag.objects.create(name="t")
    published.told()
    this = [changed(f"shop.book.{book.pk}")]
    book.tags.add(tag)
    assert published.told() == this
    book.tags.add(tag)  # again: nothing is different
    assert published.told() == []
    tag.books.remove(book)
    assert published.told() == this
    book.tags.set([tag])
    assert published.told() == this
    tag.books.clear()
    assert published.told() == this
    tag.books.add(book)
    assert published.told() == this
    book.tags.clear()
    assert published.told() == this


# A44
def test_a_table_of_ones_own_between_them_is_followed(published: Recorder) -> None:
    book = Book.objects.create(title="x")
    shelf = Shelf.objects.create(name="s")
    published.told()
    book.shelves.add(shelf)
    assert published.told() == [changed(f"shop.book.{book.pk}")]
    Placing.objects.all().delete()  # nobody's business: it isn't through the relation
    assert published.told() == []


def test_where_a_relation_has_two_equal_sides_both_have_changed(
    published: Recorder,
) -> None:
    ada, bob = [Friend.objects.create(name=name) for name in ("ada", "bob")]
    published.told()
    both = {f"shop.friend.{one.pk}" for one in (ada, bob)}
    ada.friends.add(bob)
    assert {group for group, *_ in published.told()} == both
    ada.friends.clear()
    assert {group for group, *_ in published.told()} == both


# A44
def test_a_relation_that_was_not_asked_for_says_nothing(published: Recorder) -> None:
    review = Review.objects.create(book=Book.objects.create(title="x"))
    published.told()
    review.readers.add(Author.objects.create(name="Ada"))
    assert published.told() == []


# A44
def test_a_relation_of_a_row_in_two_tables_is_its_own_table_s(
    published: Recorder,
) -> None:
    book = Paperback.objects.create(title="x")
    published.told()
    book.tags.add(Tag.objects.create(name="t"))
    assert published.told() == [changed(f"shop.book.{book.pk}")]
