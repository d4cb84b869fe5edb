"""What presence in memory must not do: grow."""

from __future__ import annotations

from sse_components.brokers.attendance import (
    LAST_SEEN_MICROSECONDS,
    MAX_LAST_SEEN,
    Attendance,
    Moment,
)
from sse_components.brokers.base import COUNT_SECONDS, ONLINE, Report
from sse_components.events import Position

LEASE, GRACE, LARGE = 15_000_000, 10_000_000, 3


def new(published: list[str] | None = None) -> Attendance:
    def publish(group: str, type: str, payload: bytes) -> Position:
        if published is not None:
            published.append(type)
        return Position("epoch", 1)

    return Attendance(publish, LEASE, GRACE, LARGE)


def at(microseconds: int) -> Moment:
    return Moment(microseconds, microseconds)


def test_nothing_is_left_of_who_has_gone() -> None:
    kept = new()
    empty = _sizes(kept)
    members = {("a", f"u{n}"): 1 for n in range(9)}
    assert kept.report(Report("node", 1, 0, members, {"a": 9}), at(0))
    assert _sizes(kept) != empty
    kept.sweep(100, at(LEASE))
    kept.sweep(100, at(LEASE + GRACE))
    kept.sweep(100, at(LEASE + GRACE + COUNT_SECONDS * 1_000_000))
    assert _sizes(kept) == empty


def test_a_name_is_kept_while_somebody_hears_it() -> None:
    kept = new()
    kept.report(Report("one", 1, 0, {}, {"b": 1, "a": 1, "c": 1}), at(0))
    kept.report(Report("other", 1, 0, {}, {"b": 2}), at(0))
    kept.report(Report("one", 2, 1, {}, {"b": 0, "a": 2, "c": 0}), at(0))
    assert kept._names == sorted(kept._subscribers) == ["a", "b"]
    kept.withdraw("one", at(0))
    assert kept._names == sorted(kept._subscribers) == ["b"]


def test_when_users_were_online_is_forgotten_after_its_time() -> None:
    kept = new()
    kept.report(Report("node", 1, 0, {(ONLINE, "u"): 1}, {}), at(0))
    kept.withdraw("node", at(0), 0)
    kept.sweep(100, at(LAST_SEEN_MICROSECONDS))
    assert kept.status("u", LAST_SEEN_MICROSECONDS).last_seen == 0
    kept.sweep(100, at(LAST_SEEN_MICROSECONDS + 1))
    assert not kept._last_seen


def test_the_oldest_of_too_many_users_is_forgotten_first() -> None:
    kept = new()
    for users in (range(10), range(10, MAX_LAST_SEEN + 5), range(5)):
        members = {(ONLINE, f"u{user}"): 1 for user in users}
        kept.report(Report("node", 1, 0, members, {}), at(0))
        kept.withdraw("node", at(0), 0)
    assert len(kept._last_seen) == MAX_LAST_SEEN
    known = [user for user in range(20) if f"u{user}" in kept._last_seen]
    assert known == [*range(5), *range(10, 20)]


def test_a_part_of_a_node_is_withdrawn_and_the_rest_later() -> None:
    kept = new()
    members = {("a", f"u{n}"): 1 for n in range(7)}
    kept.report(Report("node", 1, 0, members, {"a": 1}), at(0))
    left = []
    for _ in range(5):
        kept.sweep(2, at(LEASE))
        left.append(sum(member.connections for member in kept.members("a")))
    assert left == [5, 3, 1, 0, 0]
    assert kept.subscribers("a") == 0
    assert not kept._nodes


def _sizes(kept: Attendance) -> dict[str, int]:
    return {
        name: len(value)
        for name, value in vars(kept).items()
        if hasattr(value, "__len__")
    }
