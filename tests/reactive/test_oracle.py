"""Whatever a transaction does, its events are what is different after it."""

from __future__ import annotations

from collections.abc import Callable
from itertools import count
from typing import Any

import pytest
from django.db import transaction
from hypothesis import given, settings
from hypothesis import strategies as st

from sse_components import runtime
from tests.reactive.conftest import Recorder, Told
from tests.shop.models import Task

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.timeout(180)]

ROWS = st.integers(1, 4)
_numbers = count(1)

Rows = dict[int, tuple[int, str]]
"""Project and title, by primary key."""


class Stop(Exception):
    """What a block is rolled back with."""


def _title() -> str:
    return str(next(_numbers))


def create(pk: int) -> None:
    if not Task.objects.filter(pk=pk).exists():
        Task.objects.create(pk=pk, project=1, title=_title())


def save(pk: int) -> None:
    if task := Task.objects.filter(pk=pk).first():
        task.title = _title()
        task.save()


def move(pk: int) -> None:
    if task := Task.objects.filter(pk=pk).first():
        task.project = task.project % 2 + 1
        task.save()


def delete(pk: int) -> None:
    if task := Task.objects.filter(pk=pk).first():
        task.delete()


def delete_from(pk: int) -> None:
    Task.objects.filter(pk__gte=pk).delete()


def update(pk: int) -> None:
    Task.objects.filter(pk=pk).update(title=_title())


def update_up_to(pk: int) -> None:
    tasks = list(Task.objects.filter(pk__lte=pk))
    for task in tasks:
        task.title = _title()
    Task.objects.bulk_update(tasks, ["title"])


WORK = [create, save, move, delete, delete_from, update, update_up_to]
BLOCKS = ["kept", "lost", "without a savepoint"]
STEPS: Any = st.recursive(
    st.tuples(st.sampled_from(WORK), ROWS),
    lambda steps: st.tuples(st.sampled_from(BLOCKS), st.lists(steps, max_size=5)),
    max_leaves=14,
)


def do(step: tuple[Callable[[int], None] | str, Any]) -> None:
    kind, argument = step
    if not isinstance(kind, str):
        kind(argument)
        return
    try:
        with transaction.atomic(savepoint=kind != "without a savepoint"):
            for inner in argument:
                do(inner)
            if kind == "lost":
                raise Stop
    except Stop:
        pass


def rows() -> Rows:
    return {task.pk: (task.project, task.title) for task in Task.objects.all()}


def instance(pk: int, project: int) -> str:
    return f"project.{project}.task.{pk}"


def lists(project: int) -> set[str]:
    return {f"project.{project}.tasks", "tasks.all"}


def of(told: list[Told], operation: str) -> list[str]:
    return [group for group, one, _ in told if one == operation]


# A42
@settings(max_examples=150)
@given(st.lists(STEPS, max_size=3), st.lists(STEPS, max_size=6))
def test_events_are_the_difference_that_a_transaction_makes(
    before_it: list[Any], in_it: list[Any]
) -> None:
    Task.objects.all().delete()
    for step in before_it:
        do(step)
    published = Recorder()
    with runtime.publishing_to(published):
        before = rows()
        with transaction.atomic():
            for step in in_it:
                do(step)
        after = rows()
    told = published.told()
    new = {pk: after[pk] for pk in after.keys() - before.keys()}
    gone = {pk: before[pk] for pk in before.keys() - after.keys()}
    kept = before.keys() & after.keys()
    moved = {pk for pk in kept if before[pk][0] != after[pk][0]}

    grown = {name for project, _ in new.values() for name in lists(project)}
    grown |= {f"project.{after[pk][0]}.tasks" for pk in moved}
    assert sorted(of(told, "created")) == sorted(grown)

    removed = [instance(pk, project) for pk, (project, _) in gone.items()]
    removed += [name for project, _ in gone.values() for name in lists(project)]
    assert sorted(of(told, "removed")) == sorted(removed)

    changed = of(told, "data_changed")
    assert len(set(changed)) == len(changed)
    shrunk = {f"project.{before[pk][0]}.tasks" for pk in moved} - grown
    assert {name for name in changed if name.endswith(".tasks")} == shrunk
    different = {pk for pk in kept if before[pk] != after[pk]}
    assert {instance(pk, after[pk][0]) for pk in different} <= set(changed)
    assert {instance(pk, before[pk][0]) for pk in moved} <= set(changed)
    # One that was changed and became what it was, may be told.
    assert {int(name.split(".")[-1]) for name in set(changed) - shrunk} <= kept
    for _, _, payload in told:
        if "title" in (data := payload.get("data", {})) and not payload.get("update"):
            assert data["title"] == after[data["id"]][1]
