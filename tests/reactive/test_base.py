from __future__ import annotations

import re
from typing import Any

import pytest
from django.core.checks import CheckMessage
from django.db import models
from django.test import override_settings
from django.test.utils import isolate_apps

from sse_components.errors import InvalidGroup
from sse_components.models import ReactiveModel
from sse_components.reactive import rows
from sse_components.reactive.changes import Groups
from tests.reactive.conftest import Recorder
from tests.shop.models import BestSeller, Book, Note, Task, Ticket


def faults(model: type[ReactiveModel]) -> list[str]:
    """Return what the system check says of a model's being reactive."""
    messages: list[CheckMessage] = model.check(databases=[])
    found = [m for m in messages if str(m.id).startswith("sse_components")]
    assert all(m.obj is model for m in found)
    return [f"{m.id}: {m.msg} {m.hint}" for m in found]


def test_groups_are_named_by_app_model_and_key() -> None:
    assert Note(pk=7).group_collection() == "shop.note"
    assert Note(pk=7).group_instance() == "shop.note.7"
    assert BestSeller(pk=7).group_instance() == "shop.book.7"
    assert Ticket(code="a b").group_instance().startswith("shop.ticket.h-")  # type: ignore[union-attr]


def test_only_models_that_say_so_have_groups_of_their_own() -> None:
    assert Task.has_own_groups()
    assert not Book.has_own_groups()


def test_rows_without_a_key_are_told_apart() -> None:
    assert rows.key(Note, 7) == rows.key(Note, 7)
    assert rows.key(Note, None) != rows.key(Note, None)


@pytest.mark.django_db
def test_what_is_stored_is_remembered_only_where_groups_depend_on_it() -> None:
    Book.objects.create(title="x")
    Task.objects.create(project=7)
    assert rows._STORED not in vars(Book.objects.get())
    assert rows._STORED in vars(Task.objects.get())


@isolate_apps("tests.shop")
@pytest.mark.parametrize(
    ("given", "culprit"),
    [
        ({"fields": ["title", "colour"]}, "E021.*'colour'.*title"),
        ({"fields": ["tags"]}, "E021.*'tags'"),
        ({"fields": "title"}, r"E020.*'title'.*\['title'\]"),
        ({"m2m": ["title"]}, "E022.*'title'"),
        ({"m2m": ["colours"]}, "E022.*'colours'"),
    ],
)
def test_a_name_that_is_none_is_found(given: dict[str, Any], culprit: str) -> None:
    class Odd(ReactiveModel):
        title = models.CharField(max_length=9)
        tags = models.ManyToManyField("shop.Tag")
        Reactive = type("Reactive", (), given)  # type: ignore[assignment]

        class Meta:
            app_label = "shop"

    (fault,) = faults(Odd)
    assert re.search(culprit, fault), fault


def test_models_in_order_have_no_fault() -> None:
    for model in (Book, BestSeller, Task, Ticket):
        assert faults(model) == []


@isolate_apps("tests.shop")
def test_a_manager_that_publishes_nothing_is_found() -> None:
    class Odd(ReactiveModel):
        objects = models.Manager()  # type: ignore[assignment]

        class Meta:
            app_label = "shop"

    (fault,) = faults(Odd)
    assert fault.startswith("sse_components.W024")
    assert "ReactiveQuerySet" in fault


def test_a_model_of_users_has_to_name_other_groups() -> None:
    with override_settings(AUTH_USER_MODEL="shop.Note"):
        (fault,) = faults(Note)
    assert fault.startswith("sse_components.E023")
    assert "group_instance" in fault


@isolate_apps("tests.shop")
@pytest.mark.parametrize("name", ["auth.user.7", "broadcast", "a b", "a.*", ""])
def test_a_group_that_is_none_is_a_loud_error_in_development_and_fails_no_write(
    name: str, caplog: pytest.LogCaptureFixture, published: Recorder
) -> None:
    class Row(Task):
        class Meta:
            app_label = "shop"
            proxy = True

        def group_collection(self) -> list[str]:
            return [name, "tasks.all"]

    row = Row(pk=7)
    with override_settings(DEBUG=True), pytest.raises(InvalidGroup):
        rows.groups(row)
    assert rows.groups(row).collections == ("tasks.all",)
    assert "shop.Row" in caplog.text


@isolate_apps("tests.shop")
def test_a_row_may_be_in_no_group_at_all() -> None:
    class Silent(Task):
        class Meta:
            app_label = "shop"
            proxy = True

        def group_instance(self) -> None:  # type: ignore[override]
            return None

        def group_collection(self) -> None:  # type: ignore[override]
            return None

    assert rows.groups(Silent(pk=7)) == Groups(None, ())
