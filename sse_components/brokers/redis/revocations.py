"""Revocations as Redis is told of them, keeps and announces them."""

from __future__ import annotations

from collections.abc import Sequence

from sse_components.brokers.base import Revocation, check_line
from sse_components.brokers.redis.calls import Argument, Question
from sse_components.brokers.redis.scripts import Scripts, new_epoch
from sse_components.events import Position

REVOCATIONS_PER_CALL = 5000

Page = tuple[list[Revocation], bytes]
"""With the moment from which the next one goes on; empty for the last."""


def noted(
    scripts: Scripts, subject: str, pattern: str, seconds: float
) -> Question[Position]:
    check_line("A subject", subject)
    check_line("A pattern", pattern)
    return Question(
        scripts.revoke,
        [new_epoch(), int(seconds * 1e6), f"{subject}\n{pattern}"],
        lambda answer: Position(answer[0].decode(), int(answer[1])),
    )


def page(scripts: Scripts, moment: bytes) -> Question[Page]:
    """Ask for those whose time ends after a moment, the first to end first."""
    arguments: list[Argument] = [new_epoch(), moment, REVOCATIONS_PER_CALL]
    return Question(scripts.revocations, arguments, _page)


def unpacked(position: Position, lines: bytes) -> Revocation:
    subject, pattern = lines.decode().split("\n")
    return Revocation(position, subject, pattern)


def _page(answer: tuple[bytes, bytes, Sequence[bytes]]) -> Page:
    epoch, moment, rows = answer
    found = [
        unpacked(Position(epoch.decode(), int(seq)), lines)
        for lines, seq in zip(rows[::2], rows[1::2], strict=True)
    ]
    return found, moment
