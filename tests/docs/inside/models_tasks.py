from collections.abc import Callable

import pytest
from people.models import Person  # type: ignore[import-not-found]
from tasks.models import Task  # type: ignore[import-not-found]

from sse_components.testing import capture_events, render_component

pytestmark = pytest.mark.django_db

LIST, ROW = "tasks.task", "tasks.task.7"
CREATED, REMOVED = "component.created", "component.removed"
CHANGED = "component.data_changed"

Told = list[tuple[str, str]]


def _save(task: Task) -> None:
    task.save()


def _update(task: Task) -> None:
    Task.objects.filter(pk=7).update(title="Oat milk")


def _update_in_bulk(task: Task) -> None:
    Task.objects.bulk_update([task], ["title"])


def _delete(task: Task) -> None:
    task.delete()


def _relate(task: Task) -> None:
    task.people.add(Person.objects.create(name="Ada"))


def _save_nothing(task: Task) -> None:
    task.save(update_fields=[])


def _create(task: Task) -> None:
    Task.objects.create(title="Another")


def _create_in_bulk(task: Task) -> None:
    Task.objects.bulk_create([Task(title="a"), Task(title="b")])


@pytest.mark.parametrize(
    ("what", "told"),
    [
        (_save, [(ROW, CHANGED)]),
        (_update, [(ROW, CHANGED)]),
        (_update_in_bulk, [(ROW, CHANGED)]),
        (_delete, [(LIST, REMOVED), (ROW, REMOVED)]),
        (_relate, [(ROW, CHANGED)]),
        (_save_nothing, []),
        (_create, [(LIST, CREATED)]),
        (_create_in_bulk, [(LIST, CREATED)]),
    ],
)
def test_what_is_done_is_told(what: Callable[[Task], None], told: Told) -> None:
    task = Task.objects.create(pk=7, title="Milk")
    with capture_events() as events:
        what(task)
    assert sorted((event.group, event.type) for event in events) == sorted(told)


def test_the_values_that_are_named_travel() -> None:
    task = Task.objects.create(pk=7, title="Milk")
    with capture_events() as events:
        task.title = "Oat milk"
        task.save()
    (event,) = events
    data = {"id": 7, "title": "Oat milk", "done": False}
    assert event.payload["data"] == data


def test_a_row_and_its_list_listen_to_their_groups() -> None:
    task = Task.objects.create(pk=7, title="Milk")
    assert render_component("tasks.TaskRow", task).groups == [ROW]
    tasks = render_component("tasks.TaskList")
    assert tasks.groups == [LIST]
    assert "Milk" in tasks.text
