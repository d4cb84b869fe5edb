"""What was revoked, in the embedded broker's memory."""

from __future__ import annotations

from sse_components.brokers.base import Revocation

FEW = 1000
"""Revocations that nobody minds though their time is over."""


class Revoked:
    """The newest revocation of each subject and pattern, until its time is over."""

    def __init__(self) -> None:
        self._noted: dict[tuple[str, str], tuple[Revocation, int]] = {}
        self._many = FEW

    def note(self, revocation: Revocation, until: int) -> None:
        key = revocation.subject, revocation.pattern
        if known := self._noted.get(key):
            until = max(until, known[1])
        self._noted[key] = revocation, until
        if len(self._noted) > self._many:
            self.current(revocation.position.seq)
            # So that as many are noted as were looked through, before it's done again.
            self._many = max(FEW, 2 * len(self._noted))

    def current(self, present: int) -> list[Revocation]:
        """Return those whose time isn't over, and forget the others."""
        self._noted = {
            key: noted for key, noted in self._noted.items() if noted[1] > present
        }
        return [revocation for revocation, _ in self._noted.values()]
