from __future__ import annotations

import json
import sys
import threading
from collections.abc import Callable, Iterator, Sequence
from threading import Event, Semaphore, Thread

import pytest

from sse_components import operations
from sse_components.errors import BrokerUnavailable
from sse_components.events import Draft
from sse_components.owed import (
    BATCH,
    MAX_OWED,
    PAUSE_SECONDS,
    THREAD,
    Owed,
    groups_of,
    refreshing,
)

SECONDS = 5


class Away:
    """Publishes as a broker does that is there only after so many calls."""

    def __init__(self, calls: int = 0) -> None:
        self.calls: list[list[str]] = []
        """The groups of each."""
        self.drafts: list[Draft] = []
        self.meanwhile: Callable[[], None] = lambda: None
        """What happens while a call is under way."""
        self._away = calls

    def publish(self, drafts: Sequence[Draft]) -> None:
        self.calls.append([draft.group for draft in drafts])
        self.meanwhile()
        if len(self.calls) <= self._away:
            raise BrokerUnavailable("It is away.")
        self.drafts += drafts


class Pauses:
    """A pause lasts until the test ends it."""

    def __init__(self) -> None:
        self.seconds: list[float] = []
        self._begun = Semaphore(0)
        self._ended = Semaphore(0)
        self._all_ended = Event()

    def __call__(self, closed: Event, seconds: float) -> None:
        self.seconds.append(seconds)
        self._begun.release()
        if not self._all_ended.is_set():
            assert self._ended.acquire(timeout=SECONDS)

    def wait(self) -> None:
        """Return when a pause has begun."""
        assert self._begun.acquire(timeout=SECONDS)

    def end(self) -> None:
        """Have the thread go on from its pause."""
        self._ended.release()

    def end_all(self) -> None:
        """Have the thread never wait again."""
        self._all_ended.set()
        self._ended.release()


def threads() -> list[Thread]:
    return [thread for thread in threading.enumerate() if thread.name == THREAD]


def all_end() -> bool:
    for thread in threads():
        thread.join(SECONDS)
    return not threads()


@pytest.fixture
def pauses() -> Iterator[Pauses]:
    assert all_end(), "A test before this one has left its thread"
    pauses = Pauses()
    yield pauses
    pauses.end_all()
    assert all_end()


def test_a_refresh_is_published_once_the_broker_is_back(pauses: Pauses) -> None:
    broker = Away(calls=2)
    Owed(refreshing(broker.publish), pause=pauses).owe(["news"])
    pauses.end_all()
    assert all_end()
    assert broker.calls == [["news"], ["news"], ["news"]]
    assert broker.drafts == [operations.data_changed("news")]


def test_nothing_is_tried_before_the_first_pause(pauses: Pauses) -> None:
    broker = Away()
    Owed(refreshing(broker.publish), pause=pauses).owe(["news"])
    pauses.wait()
    assert broker.calls == []


def test_between_two_tries_is_about_a_second_and_never_quite_the_same(
    pauses: Pauses,
) -> None:
    Owed(refreshing(Away(calls=20).publish), pause=pauses).owe(["news"])
    pauses.end_all()
    assert all_end()
    least, most = PAUSE_SECONDS
    assert len(set(pauses.seconds)) == 21
    assert all(least <= seconds <= most for seconds in pauses.seconds)


def test_a_group_that_is_owed_twice_gets_one_refresh(pauses: Pauses) -> None:
    broker = Away()
    owed = Owed(refreshing(broker.publish), pause=pauses)
    owed.owe(["news", "chat", "news"])
    owed.owe(["news"])
    pauses.end_all()
    assert all_end()
    assert broker.calls == [["news", "chat"]]


def test_what_is_owed_while_its_refresh_is_published_gets_another(
    pauses: Pauses,
) -> None:
    broker = Away()
    owed = Owed(refreshing(broker.publish), pause=pauses)

    def save() -> None:
        if len(broker.calls) == 1:
            owed.owe(["news"])

    broker.meanwhile = save
    owed.owe(["news"])
    pauses.end_all()
    assert all_end()
    assert broker.calls == [["news"], ["news"]]


def test_a_refresh_has_no_sender(pauses: Pauses) -> None:
    broker = Away()
    token = operations.sender.set("tab.request")
    Owed(refreshing(broker.publish), pause=pauses).owe(["news"])
    operations.sender.reset(token)
    pauses.end_all()
    assert all_end()
    assert [draft.sender for draft in broker.drafts] == [None]


def test_the_thread_ends_when_nothing_is_owed_and_another_begins(
    pauses: Pauses,
) -> None:
    broker = Away()
    owed = Owed(refreshing(broker.publish), pause=pauses)
    assert not threads()
    for group in ("news", "chat"):
        owed.owe([group])
        pauses.wait()
        (thread,) = threads()
        assert thread.daemon
        pauses.end()
        assert all_end()
    assert broker.calls == [["news"], ["chat"]]


def test_who_is_owed_nothing_needs_no_thread(pauses: Pauses) -> None:
    Owed(refreshing(Away().publish), pause=pauses).owe([])
    assert not threads()


def test_one_thread_is_enough_for_all_others(pauses: Pauses) -> None:
    broker = Away()
    owed = Owed(refreshing(broker.publish), pause=pauses)
    savers = [Thread(target=owed.owe, args=([f"g.{n}"],)) for n in range(50)]
    for saver in savers:
        saver.start()
    for saver in savers:
        saver.join()
    assert len(threads()) == 1
    pauses.end_all()
    assert all_end()
    assert sorted(broker.calls[0]) == sorted(f"g.{n}" for n in range(50))


@pytest.fixture
def _threads_take_short_turns() -> Iterator[None]:
    """So that they meet in the middle of what they do."""
    before = sys.getswitchinterval()
    sys.setswitchinterval(1e-6)
    yield
    sys.setswitchinterval(before)


@pytest.mark.usefixtures("_threads_take_short_turns")
def test_what_is_owed_just_when_the_thread_ends_is_not_left() -> None:
    published = Semaphore(0)
    owed: Owed[str] = Owed(
        lambda groups: published.release(), pause=lambda closed, seconds: None
    )
    for number in range(10_000):
        owed.owe([f"g.{number}"])
        assert published.acquire(timeout=SECONDS), "Left to a thread that has ended"
    assert all_end()


def test_many_refreshes_are_published_in_batches_and_without_a_pause(
    pauses: Pauses,
) -> None:
    broker = Away()
    groups = [f"g.{number}" for number in range(2 * BATCH + 1)]
    Owed(refreshing(broker.publish), pause=pauses).owe(groups)
    pauses.end_all()
    assert all_end()
    assert broker.calls == [groups[:BATCH], groups[BATCH:-1], groups[-1:]]
    assert len(pauses.seconds) == 1


# One is repaid; the broker goes away; the next fails, and is tried again.
def test_what_is_repaid_one_by_one_is_not_repeated_for_another(
    pauses: Pauses,
) -> None:
    calls: list[list[str]] = []

    def revoke(subjects: Sequence[str]) -> None:
        calls.append([*subjects])
        if len(calls) == 2:
            raise BrokerUnavailable("It is away.")

    Owed(revoke, "revocations", pauses, batch=1).owe(["a", "b", "c"])
    pauses.end_all()
    assert all_end()
    assert calls == [["a"], ["b"], ["b"], ["c"]]


def test_what_could_not_be_published_comes_before_what_was_owed_later(
    pauses: Pauses,
) -> None:
    broker = Away(calls=1)
    owed = Owed(refreshing(broker.publish), pause=pauses)
    broker.meanwhile = lambda: owed.owe(["later"])
    owed.owe(["first", "second"])
    pauses.wait()
    pauses.end()
    pauses.wait()
    broker.meanwhile = lambda: None
    pauses.end_all()
    assert all_end()
    assert broker.calls[1] == ["first", "second", "later"]


def test_of_too_many_groups_the_oldest_are_dropped_with_one_word_about_it(
    pauses: Pauses, caplog: pytest.LogCaptureFixture
) -> None:
    broker = Away()
    owed = Owed(refreshing(broker.publish), pause=pauses)
    groups = [f"g.{number}" for number in range(MAX_OWED + 2)]
    owed.owe(groups[:MAX_OWED])
    assert not caplog.records
    owed.owe(groups[-2:-1])
    owed.owe(groups[-1:])
    pauses.end_all()
    assert all_end()
    assert [group for call in broker.calls for group in call] == groups[2:]
    (record,) = caplog.records
    assert record.levelname == "ERROR"


def test_what_is_put_back_is_bounded_too(pauses: Pauses) -> None:
    broker = Away(calls=1)
    owed = Owed(refreshing(broker.publish), pause=pauses)
    groups = [f"g.{number}" for number in range(MAX_OWED)]
    owed.owe(["oldest"])
    broker.meanwhile = lambda: owed.owe(groups)
    pauses.wait()
    pauses.end()
    pauses.wait()
    broker.meanwhile = lambda: None
    pauses.end_all()
    assert all_end()
    assert [group for call in broker.calls[1:] for group in call] == groups


def test_closing_ends_the_thread_in_its_pause_and_publishes_nothing() -> None:
    broker = Away()
    owed = Owed(refreshing(broker.publish), pause=lambda closed, seconds: closed.wait())
    owed.owe(["news"])
    assert threads()
    owed.close()
    assert all_end()
    assert broker.calls == []


def test_what_is_given_up_at_the_end_is_logged(
    caplog: pytest.LogCaptureFixture,
) -> None:
    owed: Owed[str] = Owed(
        lambda items: None, "revocations", lambda closed, seconds: closed.wait()
    )
    owed.owe(["a", "b"])
    owed.close()
    owed.close()
    assert all_end()
    (record,) = caplog.records
    assert record.levelname == "ERROR"
    assert "2 revocations" in record.getMessage()


def test_who_owes_nothing_at_the_end_logs_nothing(
    caplog: pytest.LogCaptureFixture,
) -> None:
    Owed(refreshing(Away().publish)).close()
    assert not caplog.records


def test_closing_while_the_broker_is_asked_ends_the_thread(
    pauses: Pauses, caplog: pytest.LogCaptureFixture
) -> None:
    broker = Away(calls=1)
    owed = Owed(refreshing(broker.publish), pause=pauses)
    broker.meanwhile = owed.close
    owed.owe(["news"])
    pauses.end_all()
    assert all_end()
    assert broker.calls == [["news"]]
    assert "1 refreshes" in caplog.text


def test_after_closing_nothing_is_owed_any_more(pauses: Pauses) -> None:
    owed = Owed(refreshing(Away().publish), pause=pauses)
    owed.close()
    owed.owe(["news"])
    assert not threads()


@pytest.mark.filterwarnings("ignore::pytest.PytestUnhandledThreadExceptionWarning")
def test_another_thread_begins_after_one_that_has_failed(pauses: Pauses) -> None:
    broker = Away()
    owed = Owed(refreshing(broker.publish), pause=pauses)
    broker.meanwhile = lambda: [][0]
    owed.owe(["news"])
    pauses.end()
    assert all_end()
    broker.meanwhile = lambda: None
    owed.owe(["chat"])
    pauses.end()
    assert all_end()
    assert broker.calls == [["news"], ["chat"]]


@pytest.mark.parametrize(
    ("draft", "groups"),
    [
        (operations.data_changed("a", {"x": 1}), ["a"]),
        (operations.component_created("a"), ["a"]),
        (operations.component_created("a", target_group="b"), ["a", "b"]),
        (operations.component_removed("a", key=7, target_group="b"), ["a", "b"]),
        (operations.component_removed("a", component_id="x"), ["a"]),
        (operations.data_changed("a", {"target_group": "b"}), ["a"]),
        (operations.notify("a", "hello"), []),
        (operations.publish("a", "stock", {"target_group": "b"}), []),
    ],
    ids=lambda value: value.type if isinstance(value, Draft) else json.dumps(value),
)
def test_state_is_owed_to_its_group_and_to_its_target(
    draft: Draft, groups: list[str]
) -> None:
    assert groups_of(draft) == groups
