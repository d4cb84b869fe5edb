"""Whether a fan-out waits a moment for more that can be written with it."""

from __future__ import annotations

MANY = 256
"""Connections from which on writing takes long enough to think about it."""
GAP_SECONDS = 0.005
"""If nothing more has come for so long, nothing more is waited for."""
MOST_SECONDS = 0.02
MOST_ATTEMPTS_BETWEEN = 64


class Patience:
    """Learns whether events come in company.

    To write ten events to a connection costs hardly more than to write one. So where
    many are told of something, and more is on its way, all of it arrives sooner if it
    is written together. Nobody knows whether more is on its way; it is tried, and where
    nothing came, tried again after twice as many fan-outs as before.
    """

    def __init__(self) -> None:
        self._since: float | None = None
        self._first = 0
        self._seen = 0
        self._between = 0
        """Fan-outs that don't wait, between two that do."""
        self._left = 0
        self._cost = 0.0

    def pause(self, now: float, connections: int, events: int) -> float:
        """Return the seconds to wait before looking again; 0: write now.

        `events` are those that wait to be written to so many connections.
        """
        if self._since is None:
            if connections < MANY:
                return 0
            if self._left:
                self._left -= 1
                return 0
            self._since, self._first = now, events
        elif events == self._seen or now - self._since >= self._most:
            self.stop(events)
            return 0
        self._seen = events
        return GAP_SECONDS

    def stop(self, events: int) -> None:
        """Wait no longer; so many events have come together."""
        if events > self._first:
            self._between = 0
        else:
            self._between = min(max(1, self._between * 2), MOST_ATTEMPTS_BETWEEN)
        self._left = self._between
        self._since = None

    def wrote(self, seconds: float) -> None:
        """Note how long a fan-out has taken."""
        self._cost = seconds

    @property
    def _most(self) -> float:
        # Not more than what is saved by one fan-out less, or two.
        return min(2 * self._cost, MOST_SECONDS)
