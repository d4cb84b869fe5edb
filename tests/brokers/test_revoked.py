"""What the memory of revocations must not do: grow."""

from __future__ import annotations

from sse_components.brokers.base import Revocation
from sse_components.brokers.revoked import FEW, Revoked
from sse_components.events import Position


def revocation(seq: int, subject: str) -> Revocation:
    return Revocation(Position("epoch", seq), subject, "")


def test_those_that_are_over_are_let_go_even_if_nobody_asks() -> None:
    revoked = Revoked()
    for n in range(50 * FEW):
        revoked.note(revocation(n, f"u{n}"), n + 10)
        assert len(revoked._noted) <= FEW + 1
    assert len(revoked.current(50 * FEW)) == 9


def test_those_that_are_not_over_are_kept_however_many_there_are() -> None:
    revoked = Revoked()
    for n in range(5 * FEW):
        revoked.note(revocation(n, f"u{n}"), 10 * FEW)
    assert len(revoked.current(5 * FEW)) == 5 * FEW


def test_a_subject_that_is_revoked_again_and_again_is_kept_once() -> None:
    revoked = Revoked()
    for n in range(5 * FEW):
        revoked.note(revocation(n, "u"), 10 * FEW)
    assert revoked.current(0) == [revocation(5 * FEW - 1, "u")]
