import pytest
from tasks import quiet  # type: ignore[import-not-found]
from tasks.models import Task  # type: ignore[import-not-found]

from sse_components.testing import capture_events


@pytest.mark.django_db
def test_the_list_is_told_once_and_no_row_is() -> None:
    with capture_events() as events:
        quiet.run()
    (event,) = events
    assert (event.group, event.type) == ("tasks.task", "component.data_changed")
    assert Task.objects.count() == 2
