from __future__ import annotations

import threading
from collections.abc import AsyncIterator, Iterator
from datetime import UTC, datetime
from queue import Queue
from typing import Any

import pytest
from django.contrib.auth.models import User

from sse_components import runtime
from sse_components.brokers.base import ONLINE, Transition
from sse_components.events import Position
from sse_components.hub import Hub
from sse_components.signals import presence_changed, send_presence_changed

SECONDS = 5


@pytest.fixture
def told(monkeypatch: pytest.MonkeyPatch) -> Iterator[Queue[dict[str, Any]]]:
    """What the one receiver is told, and the thread in which it is."""
    monkeypatch.setattr(presence_changed, "receivers", [])
    queue: Queue[dict[str, Any]] = Queue()

    def receive(signal: object, sender: object, **arguments: Any) -> None:
        queue.put({**arguments, "thread": threading.current_thread()})

    presence_changed.connect(receive)
    yield queue
    presence_changed.disconnect(receive)


@pytest.fixture
async def hub() -> AsyncIterator[Hub]:
    yield await runtime.start()
    await runtime.stop()


def moved(number: int, type: str = "presence.online") -> Transition:
    return Transition(Position("abc", number), type, ONLINE, str(number), None)


def test_a_receiver_is_told_what_the_event_says(told: Queue[dict[str, Any]]) -> None:
    position = Position("abc", 1763799845130001)
    gone = Transition(position, "presence.offline", ONLINE, "7", 1763799845000000)
    send_presence_changed([gone])
    heard = told.get(timeout=SECONDS)
    assert heard == {
        "type": "presence.offline",
        "group": "presence.users",
        "user": "7",
        "last_seen": datetime(2025, 11, 22, 8, 24, 5, tzinfo=UTC),
        "id": "abc:1763799845130001",
        "thread": threading.current_thread(),
    }


def test_a_receiver_that_fails_keeps_nothing_from_the_others(
    told: Queue[dict[str, Any]], caplog: pytest.LogCaptureFixture
) -> None:
    def fail(**arguments: Any) -> None:
        raise LookupError("a bug in a receiver")

    presence_changed.connect(fail)
    send_presence_changed([moved(1), moved(2)])
    presence_changed.disconnect(fail)
    assert [told.get(timeout=SECONDS)["user"] for _ in range(2)] == ["1", "2"]
    assert "a bug in a receiver" in caplog.text


# The user comes; a receiver writes that, slowly. The user goes; that is told after it.
@pytest.mark.django_db(transaction=True)
async def test_what_follows_is_told_after_what_was_before_in_one_thread(
    hub: Hub, told: Queue[dict[str, Any]]
) -> None:
    # As if each waited for the database: four threads would overtake each other.
    def slow(user: str, **arguments: Any) -> None:
        User.objects.create(username=user)

    presence_changed.connect(slow)
    for number in range(100):
        runtime._runtime().tell([moved(number)])
    heard = [told.get(timeout=SECONDS) for _ in range(100)]
    presence_changed.disconnect(slow)
    assert [one["user"] for one in heard] == [str(number) for number in range(100)]
    assert len({one["thread"] for one in heard}) == 1
    assert heard[0]["thread"] is not threading.current_thread()


async def test_the_thread_ends_when_the_process_stops_to_serve(
    hub: Hub, told: Queue[dict[str, Any]]
) -> None:
    runtime._runtime().tell([moved(1)])
    thread = told.get(timeout=SECONDS)["thread"]
    await runtime.stop()
    thread.join(SECONDS)
    assert not thread.is_alive()
