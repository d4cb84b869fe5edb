import pytest
from tasks.models import Project, Task  # type: ignore[import-not-found]

from sse_components.testing import capture_events

pytestmark = pytest.mark.django_db


def test_a_new_row_is_told_to_its_lists() -> None:
    project = Project.objects.create(name="A")
    with capture_events() as events:
        Task.objects.create(title="Milk", project=project)
    groups = {event.group for event in events.of(type="component.created")}
    assert groups == {f"project.{project.pk}.tasks", "tasks.all"}


def test_a_row_that_moves_is_created_there_and_the_old_list_fetches() -> None:
    a, b = (Project.objects.create(name=name) for name in "AB")
    task = Task.objects.create(title="Milk", project=a)
    with capture_events() as events:
        task.project = b
        task.save()
    (created,) = events.of(type="component.created")
    assert created.group == f"project.{b.pk}.tasks"
    changed = {event.group for event in events.of(type="component.data_changed")}
    assert {f"project.{a.pk}.tasks", f"project.{a.pk}.task.{task.pk}"} <= changed
    assert not events.of(type="component.removed")
