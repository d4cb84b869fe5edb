"""What is made of what the logbook says of an event and a connection."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

import pytest
from pytest_django import Settings

from sse_components.console.past import Delivered, Past, Step
from sse_components.console.why import Verdict, conclude, explain, judge
from sse_components.errors import InvalidGroup
from sse_components.events import Event, Position
from sse_components.logbook.statements import Connection

NOW = int(time.time())
SEQ = NOW * 1_000_000
EVENT = Event(Position("e", SEQ), "news.local", "test", b"1")

OPEN = Connection(
    connection="c1",
    process="p1",
    transport="sse",
    user="7",
    when=NOW - 59,
    opened=NOW - 60,
    groups=["broadcast", "news.local"],
    denied=[],
    since=SEQ - 60_000_000,
    since_of={},
    handed=0,
)


@pytest.fixture(autouse=True)
def _it_is_the_second_after(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(time, "time", lambda: NOW + 1)


def past(
    *told: Connection,
    deliveries: Sequence[Delivered] = (),
    is_open: bool = True,
) -> Past:
    return Past(told[-1], told, deliveries, is_open and told[-1].ended is None)


def at(after: float, statement: Connection, **changes: Any) -> Connection:
    """Return what was said so many seconds after the event."""
    return replace(statement, when=NOW + after, **changes)


def step(after: float, ahead: float, behind: Mapping[str, int] | None = None) -> Step:
    """Where a process was some seconds after the event, how far beyond its seq."""
    position = Position("e", SEQ + int(ahead * 1e6))
    return Step(NOW + after, position, behind or {}, True)


def of(connection: Past, *progress: Step) -> Verdict:
    verdict = judge(connection, EVENT, progress)
    assert verdict
    return verdict


def ended(statement: Connection, why: str, after: float, handed: int) -> Connection:
    return at(after, statement, ended=why, closed=NOW + after, handed=handed)


PASSED = step(1, 1)


def test_a_cursor_that_has_passed_the_event() -> None:
    verdict = of(past(OPEN), step(-1, -1), step(0.5, -0.1), step(1.5, 1), step(2.5, 2))
    assert verdict.outcome == "delivered"
    assert verdict.at == NOW + 1.5
    assert verdict.text.startswith("Its cursor passed the event by ")


def test_a_pattern_counts_too() -> None:
    pattern = replace(OPEN, groups=["news.*"])
    assert of(past(pattern), PASSED).outcome == "delivered"
    assert of(past(replace(OPEN, groups=["news"])), PASSED).outcome == "not_subscribed"


def test_what_was_behind_has_it_when_it_no_longer_is() -> None:
    behind = {"c1": SEQ - 1}
    verdict = of(past(OPEN), step(1, 1, behind), step(2, 2, {"c2": 0}))
    assert (verdict.outcome, verdict.at) == ("delivered", NOW + 2)


def test_what_is_behind_still(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(time, "time", lambda: NOW + 10)
    slow = past(replace(OPEN, handed=SEQ - 5_000_000))
    verdict = of(slow, step(1, 1, {"c1": SEQ - 5}), step(2, 2, {"c1": SEQ - 5}))
    assert verdict.outcome == "behind"
    assert "It is slow, or stands still" in verdict.text
    assert of(slow).outcome == "behind"


def test_where_not_all_that_are_behind_are_listed_nothing_is_concluded(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(time, "time", lambda: NOW + 10)
    partial = replace(PASSED, is_certain=False)
    assert of(past(OPEN), partial).outcome == "unknown"


def test_at_first_nothing_is_known() -> None:
    assert of(past(OPEN)).outcome == "unknown"


def test_what_others_had_before_it_was_opened_says_nothing() -> None:
    late = past(at(5.5, OPEN, opened=NOW + 5))
    assert of(late, step(1, 1), step(4, 4)).outcome == "unknown"
    assert of(late, step(1, 1), step(6, 6)).at == NOW + 6


def test_a_trace_knows_it_exactly() -> None:
    seen = Delivered(NOW + 0.25, "e:1", "test", "news.local", 10)
    ours = replace(seen, id=str(EVENT.position))
    verdict = of(past(OPEN, deliveries=[seen, ours]), PASSED)
    assert (verdict.outcome, verdict.at) == ("delivered", NOW + 0.25)
    assert ".250 " in verdict.text
    assert of(past(OPEN, deliveries=[seen]), PASSED).at == NOW + 1


def test_it_has_another_group() -> None:
    verdict = of(past(replace(OPEN, groups=["sport"])), PASSED)
    assert verdict.outcome == "not_subscribed"
    assert verdict.text == "It isn't subscribed to news.local."


def test_it_was_denied_the_group() -> None:
    denied = replace(OPEN, groups=["sport"], denied=["news.local"])
    assert of(past(denied), PASSED).outcome == "not_granted"
    pattern = of(past(replace(denied, denied=["news.*"])), PASSED)
    assert pattern.text == "It asked for news.*, and wasn't granted it."


def test_it_may_have_the_group_among_those_that_are_not_listed() -> None:
    many = replace(OPEN, groups=["sport"], more_groups=3)
    assert of(past(many), PASSED).outcome == "unknown"


def test_it_was_subscribed_later() -> None:
    without = replace(OPEN, groups=["sport"])
    later = at(0.5, OPEN, since_of={"news.local": SEQ + 5})
    verdict = of(past(without, later), step(0.5, 0.5), PASSED)
    assert verdict.outcome == "not_subscribed"
    assert "later" in verdict.text


def test_it_was_subscribed_later_from_before_the_event() -> None:
    without = replace(OPEN, groups=["sport"])
    later = at(0.5, OPEN, since_of={"news.local": SEQ - 5})
    told = past(without, later)
    assert of(told, step(0.4, 0.4), PASSED).at == NOW + 1


def test_it_had_left_the_group() -> None:
    left = at(-5, OPEN, groups=["broadcast"])
    verdict = of(past(OPEN, left), step(-6, -6), step(-4, -4), PASSED)
    assert verdict.outcome == "not_subscribed"
    assert verdict.text.startswith("It had left news.local by ")


def test_it_left_the_group_when_it_had_the_event() -> None:
    left = at(2, OPEN, groups=["broadcast"])
    assert of(past(OPEN, left), PASSED, step(2, 2)).outcome == "delivered"


def test_it_left_the_group_and_came_back_for_what_is_new() -> None:
    left = at(-5, OPEN, groups=["broadcast"])
    back = at(5, OPEN, since_of={"news.local": SEQ + 5})
    told = past(OPEN, left, back)
    verdict = of(told, step(-4, -4), PASSED, step(6, 6))
    assert verdict.outcome == "not_subscribed"


def test_its_page_was_read_later() -> None:
    later = at(2, OPEN, opened=NOW + 1, since=SEQ + 5)
    assert of(past(later), step(2, 2)).outcome == "rendered"
    exactly = at(0.5, OPEN, opened=NOW, since=SEQ)
    assert of(past(exactly), PASSED).outcome == "rendered"


def test_it_came_back_too_late_for_history() -> None:
    back = at(10, OPEN, opened=NOW + 9, since_of={"news.local": SEQ + 5})
    assert of(past(back), step(10, 10)).outcome == "reset"


def test_who_was_there_and_begins_later_was_reset_by_a_new_memory() -> None:
    anew = at(0.5, OPEN, since=SEQ + 5)
    assert of(past(OPEN, anew), step(0.5, 0.5)).outcome == "reset"
    assert of(past(replace(anew, when=NOW - 1)), step(0.5, 0.5)).outcome == "reset"


def test_a_step_of_another_memory_says_nothing() -> None:
    before = replace(PASSED, at=Position("d", SEQ + 5))
    assert of(past(OPEN), before).outcome == "unknown"


def test_it_was_reset_before_it_had_the_event() -> None:
    reset = at(3, OPEN, since_of={"news.local": SEQ + 5})
    told = past(OPEN, reset)
    verdict = of(told, step(1, 1, {"c1": SEQ - 9}), step(4, 4))
    assert (verdict.outcome, verdict.at) == ("reset", NOW + 4)


# What is said and how far it has got come in one second.
def test_a_reset_within_a_second_is_one() -> None:
    reset = at(1, OPEN, since_of={"news.local": SEQ + 5})
    verdict = of(past(OPEN, reset), step(-0.1, -0.1), step(1, 1), step(2, 2))
    assert (verdict.outcome, verdict.at) == ("reset", NOW + 1)


def test_a_reset_that_nobody_was_told_of_is_none() -> None:
    reset = at(1, OPEN, since_of={"news.local": SEQ + 5})
    over = ended(reset, "stuck", 3, SEQ - 9)
    verdict = of(past(OPEN, reset, over), step(1, 1, {"c1": SEQ - 9}))
    assert verdict.outcome == "ended"
    assert "was to be told to fetch everything, and wasn't" in verdict.text
    told = ended(reset, "gone", 3, SEQ + 9)
    assert of(past(OPEN, reset, told)).outcome == "reset"


def test_a_reset_after_it_had_the_event_changes_nothing() -> None:
    reset = at(3, OPEN, since_of={"news.local": SEQ + 5})
    assert of(past(OPEN, reset), PASSED).outcome == "delivered"


def test_a_reset_of_another_group_changes_nothing() -> None:
    reset = at(0.5, OPEN, since_of={"broadcast": SEQ + 5})
    assert of(past(OPEN, reset), PASSED).outcome == "delivered"


def test_what_is_told_while_it_opens_is_not_the_last_word() -> None:
    opening = at(-20, OPEN, opened=NOW - 21, since=None)
    told = past(opening, at(-19, OPEN, opened=NOW - 21))
    assert of(told, step(-20, -20), PASSED).outcome == "delivered"


def test_what_was_said_of_the_time_may_be_forgotten() -> None:
    restated = at(100, OPEN, since_of={"news.local": SEQ + 5})
    verdict = of(past(restated), step(0.5, 0.5), step(101, 101))
    assert verdict.outcome == "unknown"
    assert "forgotten" in verdict.text


@pytest.mark.parametrize(
    ("why", "says"),
    [
        ("gone", "the client closed it"),
        ("stuck", "took nothing"),
        ("rotated", "told to come back"),
        ("asked", "staff had its client come back"),
        ("revoked", "the user was disconnected"),
        ("something new", "something new"),
    ],
)
def test_it_ended_before_it_had_the_event(why: str, says: str) -> None:
    over = past(OPEN, ended(OPEN, why, 0.5, SEQ - 1))
    verdict = of(over, step(1, 1))
    assert (verdict.outcome, verdict.at) == ("ended", NOW + 0.5)
    assert says in verdict.text


def test_it_ended_when_it_had_the_event() -> None:
    over = past(OPEN, ended(OPEN, "gone", 0.5, SEQ))
    verdict = of(over, step(1, 1))
    assert (verdict.outcome, verdict.at) == ("delivered", NOW + 0.5)


def test_whose_process_is_behind_the_broker_s_clock_had_it_all_the_same() -> None:
    over = past(OPEN, ended(OPEN, "gone", -0.8, SEQ))
    assert of(over, step(-1, 0)).outcome == "delivered"


def test_what_ended_before_the_event_is_no_matter() -> None:
    over = past(OPEN, ended(OPEN, "gone", -5, SEQ - 9))
    assert judge(over, EVENT, [PASSED]) is None


def test_its_process_was_silent_before_the_event() -> None:
    verdict = of(past(OPEN, is_open=False), step(-8, -8), step(-7, -7))
    assert (verdict.outcome, verdict.at) == ("ended", NOW - 7)
    assert "before the event" in verdict.text


def test_its_process_has_been_silent_since_the_event() -> None:
    verdict = of(past(OPEN, is_open=False), step(-0.5, -0.5), step(0.5, -0.1))
    assert verdict.outcome == "unknown"
    assert "isn't known" in verdict.text


def test_it_never_began() -> None:
    begun = replace(OPEN, since=None)
    over = past(begun, ended(begun, "unavailable", 3, 0))
    verdict = of(over)
    assert verdict.outcome == "ended"
    assert "the broker was away" in verdict.text


def test_the_best_of_several_counts() -> None:
    told = [
        Verdict(OPEN, "ended", "It ended."),
        Verdict(OPEN, "delivered", "Later.", NOW + 5),
        Verdict(OPEN, "delivered", "Earlier.", NOW + 1),
        Verdict(OPEN, "not_subscribed", "It isn't."),
    ]
    answer = conclude("7", EVENT, told, [])
    assert answer.outcome == "delivered"
    assert answer.headline == "2 of 4 connections: Earlier."
    assert answer.event
    assert answer.event["id"] == str(EVENT.position)
    assert any("Delivered means" in note for note in answer.notes)


def test_of_one_connection_its_verdict_is_the_answer() -> None:
    answer = conclude("7", EVENT, [Verdict(OPEN, "ended", "It ended.")], [])
    assert (answer.outcome, answer.headline) == ("ended", "It ended.")
    assert answer.notes == []


def test_who_had_none_was_not_connected() -> None:
    answer = conclude("7", EVENT, [], [])
    assert answer.outcome == "not_connected"
    assert "had no connection" in answer.headline
    over = past(OPEN, ended(OPEN, "shutdown", -5, SEQ - 9))
    answer = conclude("7", EVENT, [], [over])
    assert "its process was stopped" in answer.headline


def test_whose_call_it_was_is_said() -> None:
    caused = replace(EVENT, sender="tab7.call1")
    (note,) = conclude("7", caused, [], []).notes
    assert "the tab tab7" in note


def test_where_the_logbook_may_reach_no_longer_it_says_so(settings: Settings) -> None:
    given: dict[str, Any] = {"HISTORY_SECONDS": 10}
    settings.SSE_COMPONENTS = settings.SSE_COMPONENTS | given
    old = replace(EVENT, position=Position("e", SEQ - 9_500_000))
    (note,) = conclude("7", old, [], []).notes
    assert "kept for 10 seconds" in note


@pytest.mark.parametrize("id", ["", "7", "e", "e:", "e:x", "a b:7", "e:9" * 999])
def test_what_is_no_id_is_refused(id: str) -> None:
    with pytest.raises(ValueError, match="The id of an event is"):
        explain(id, "7")


def test_what_is_no_group_is_refused() -> None:
    with pytest.raises(InvalidGroup):
        explain("e:7", "7", "news.*")
