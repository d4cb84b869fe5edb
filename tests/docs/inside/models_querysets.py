import pytest
from tasks.models import Task  # type: ignore[import-not-found]

from sse_components.testing import capture_events


@pytest.mark.django_db
def test_an_update_of_the_query_set_is_told_of_its_rows() -> None:
    task = Task.objects.create()
    Task.objects.create(done=True)
    with capture_events() as events:
        Task.objects.open().update(done=True)
    assert [event.group for event in events] == [f"tasks.task.{task.pk}"]
