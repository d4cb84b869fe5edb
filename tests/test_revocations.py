from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sse_components.brokers.base import Revocation
from sse_components.events import Position, matches, overlaps
from sse_components.revocations import (
    MAX_GRANT_SECONDS,
    Revocations,
    Whose,
    browser_subject,
    merged,
    session_subject,
    user_subject,
)

EPOCH = "7f3a9c21"


def is_reserved(name: str) -> bool:
    return name == "broadcast" or name.startswith("auth.user.")


def at(
    seq: int,
    user: str | None = "7",
    browser: str | None = None,
    session: str | None = None,
) -> Whose:
    return Whose(Position(EPOCH, seq), user, browser, session)


def revoked(seq: int, subject: str = "user:7", pattern: str = "") -> Revocation:
    return Revocation(Position(EPOCH, seq), subject, pattern)


def test_what_was_granted_before_is_revoked_and_what_comes_after_is_not() -> None:
    revocations = Revocations(is_reserved)
    revocations.add(revoked(100))
    assert revocations.cover(at(99))
    # At the same position it was known already.
    assert not revocations.cover(at(100))
    assert not revocations.cover(at(101))
    assert not revocations.cover(at(99, user="8"))
    assert not revocations.cover(at(99, user=None))


@pytest.mark.parametrize(
    ("subject", "whose"),
    [
        (user_subject("7"), at(1, "7")),
        (browser_subject("abc"), at(1, None, browser="abc")),
        (session_subject("h-x"), at(1, None, session="h-x")),
    ],
)
def test_any_of_the_subjects_of_a_stream_may_be_revoked(
    subject: str, whose: Whose
) -> None:
    revocations = Revocations(is_reserved)
    assert not revocations.cover(whose)
    revocations.add(revoked(2, subject))
    assert revocations.cover(whose)
    assert not revocations.cover(at(1, "abc", browser="7", session="7"))


def test_a_pattern_takes_its_groups_and_nothing_else() -> None:
    revocations = Revocations(is_reserved)
    revocations.add(revoked(100, pattern="project.5.**"))
    names = ["project.5", "project.5.a", "project.5.*", "project.6.a", "project.*"]
    assert revocations.among(at(99), names) == ["project.5.a", "project.5.*"]
    assert revocations.among(at(100), names) == []
    assert revocations.among(at(99, "8"), names) == []
    assert not revocations.cover(at(1))


# A15
def test_no_pattern_takes_what_is_reserved() -> None:
    revocations = Revocations(is_reserved)
    revocations.add(revoked(100, pattern="**"))
    revocations.add(revoked(100, pattern="auth.**"))
    names = ["broadcast", "auth.user.7", "auth.user.7.notes", "room.a"]
    assert revocations.among(at(99), names) == ["room.a"]
    revocations.add(revoked(100, pattern="auth.user.7.notes"))
    assert revocations.among(at(99), names) == ["auth.user.7.notes", "room.a"]


def test_news_is_only_what_is_newer() -> None:
    revocations = Revocations(is_reserved)
    assert revocations.add(revoked(100))
    assert not revocations.add(revoked(100))
    assert not revocations.add(revoked(99))
    assert revocations.add(revoked(101))
    assert revocations.cover(at(100))


def test_what_no_grant_can_be_as_old_as_is_forgotten() -> None:
    revocations = Revocations(is_reserved)
    day = MAX_GRANT_SECONDS * 1_000_000
    revocations.add(revoked(1))
    revocations.add(revoked(2, pattern="a.*"))
    revocations.add(revoked(3, "user:8"))
    revocations.add(revoked(day + 3, "user:9"))
    assert not revocations.cover(at(0))
    assert revocations.among(at(0), ["a.b"]) == []
    assert revocations.cover(at(0, "8"))
    revocations.clear()
    assert not revocations.cover(at(0, "8"))


def test_several_grants_of_a_stream_are_as_old_as_the_oldest() -> None:
    both = merged([at(5, browser="b"), at(3, session="s")])
    assert both == at(3, browser="b", session="s")


def test_several_of_a_stream_are_revoked_when_one_is() -> None:
    several = [at(5, None, session="a"), at(5, "7", session="b"), at(5, "8")]
    whose = merged(several)
    assert (whose.user, whose.session) == ("7", "a")
    assert whose.subjects == {"user:7", "user:8", "session:a", "session:b"}
    for subject in whose.subjects:
        revocations = Revocations(is_reserved)
        revocations.add(revoked(6, subject))
        assert revocations.cover(whose)


def test_a_stream_stays_its_users_and_is_revoked_as_anothers_too() -> None:
    whose = at(5, None).also(at(3, "7", session="s"))
    assert whose.user is None
    assert whose.position.seq == 3
    assert whose.subjects == {"user:7", "session:s"}


def test_a_position_of_another_epoch_is_before_everything() -> None:
    assert at(99).is_before(Position(EPOCH, 100))
    assert not at(100).is_before(Position(EPOCH, 100))
    assert at(101).is_before(Position("0badcafe", 100))


SEGMENTS = st.lists(st.sampled_from(["a", "b", "*"]), min_size=1, max_size=4)
NAMES = st.lists(st.sampled_from("ab"), min_size=1, max_size=4)


@given(SEGMENTS, st.booleans(), NAMES)
def test_a_pattern_overlaps_a_group_as_it_matches_it(
    segments: list[str], deep: bool, name: list[str]
) -> None:
    pattern = ".".join([*segments, "**"] if deep else segments)
    assert overlaps(pattern, ".".join(name)) == matches(pattern, ".".join(name))


@given(SEGMENTS, st.booleans(), NAMES)
def test_a_pattern_group_overlaps_where_a_group_below_it_is_matched(
    segments: list[str], deep: bool, parent: list[str]
) -> None:
    pattern = ".".join([*segments, "**"] if deep else segments)
    below = [".".join([*parent, last]) for last in ("a", "b", "other")]
    expected = any(matches(pattern, name) for name in below)
    assert overlaps(pattern, ".".join([*parent, "*"])) == expected
