import pytest
from tasks.models import Task  # type: ignore[import-not-found]

from sse_components.testing import render_component


@pytest.mark.django_db
def test_the_count_hears_of_the_list_and_of_each_row() -> None:
    count = render_component("tasks.TaskCount")
    assert count.text == "0 tasks"
    assert count.groups == ["tasks.task", "tasks.task.*"]
    Task.objects.create(title="Milk")
    assert count.refresh().text == "1 tasks"
