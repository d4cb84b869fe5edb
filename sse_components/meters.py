"""What a process has done, as numbers that only grow."""

from __future__ import annotations

import time
from bisect import bisect_left
from collections import Counter, defaultdict
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from threading import Lock
from typing import Final

SECONDS: Final = (
    0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0,
)  # fmt: skip


class Distribution:
    """How many durations were at most how long; the last count is of longer ones."""

    __slots__ = ("_lock", "counts", "total")

    def __init__(self) -> None:
        self.counts = [0] * (len(SECONDS) + 1)
        self.total = 0.0
        self._lock = Lock()

    def add(self, seconds: float) -> None:
        """Count one, from any thread."""
        with self._lock:
            self.counts[bisect_left(SECONDS, seconds)] += 1
            self.total += seconds

    def add_ages(self, now: float, moments: Sequence[int]) -> None:
        """Count how long ago moments were, in microseconds since 1970, as `now` is."""
        with self._lock:
            for moment in moments:
                # Seqs run ahead of the clock where many are given out at a time.
                seconds = max(0.0, (now - moment) / 1e6)
                self.counts[bisect_left(SECONDS, seconds)] += 1
                self.total += seconds


@dataclass(slots=True)
class Meters:
    """Of a hub: all of it is counted on its loop."""

    opened: Counter[str] = field(default_factory=Counter)
    """Connections, by transport."""
    events: int = 0
    """Heard, and passed on to those who follow their groups."""
    deliveries: int = 0
    """Events, once for each connection that was handed one as it happened."""
    latency: Distribution = field(default_factory=Distribution)
    """From an event's position until it was written, by both clocks."""
    resumes: Counter[str] = field(default_factory=Counter)
    """Streams that came with a cursor: from the `ring`, the `broker`, or a `reset`."""
    resets: Counter[str] = field(default_factory=Counter)
    """Told to connections, by what was behind them."""
    slow: Counter[str] = field(default_factory=Counter)
    """Connections that fell `behind`, and those that were `cut`."""
    transitions: Counter[str] = field(default_factory=Counter)
    """Of presence, by type; each in one process only."""


@dataclass(frozen=True, slots=True)
class Census:
    """What there is of a hub at a moment."""

    connections: Counter[str]
    """By transport."""
    pending: int
    """Bytes that wait for connections."""
    groups: int
    """Groups and patterns that are heard."""
    users: int
    """Who has a connection here."""


class Tally:
    """Counts from any thread."""

    __slots__ = ("_lock", "count")

    def __init__(self) -> None:
        self.count = 0
        self._lock = Lock()

    def add(self, count: int) -> None:
        with self._lock:
            self.count += count


class RoundTrips:
    """Of a broker that is another process."""

    __slots__ = ("_lock", "calls", "seconds")

    def __init__(self) -> None:
        self.calls: Counter[tuple[str, str]] = Counter()
        """By script, and whether it was `answered` or `failed`."""
        self.seconds = Distribution()
        """A pipeline is one, whatever it holds."""
        self._lock = Lock()

    @contextmanager
    def taken(self, scripts: Sequence[str]) -> Iterator[None]:
        """Count the one that is made within, from any thread."""
        begun, outcome = time.monotonic(), "failed"
        try:
            yield
            outcome = "answered"
        finally:
            with self._lock:
                for script in scripts:
                    self.calls[script, outcome] += 1
            self.seconds.add(time.monotonic() - begun)


class Requests:
    """To an API that is not ours to know."""

    __slots__ = ("_lock", "answers", "seconds")

    def __init__(self) -> None:
        self.answers: Counter[tuple[str, int]] = Counter()
        """By operation and status."""
        self.seconds: defaultdict[str, Distribution] = defaultdict(Distribution)
        """By operation."""
        self._lock = Lock()

    def add(self, operation: str, status: int, seconds: float) -> None:
        """Count one, from any thread."""
        with self._lock:
            self.answers[operation, status] += 1
            self.seconds[operation].add(seconds)
