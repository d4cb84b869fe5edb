"""What was measured, what was to be reached, and whether it was."""

from __future__ import annotations

import os
import platform
import statistics
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any, Literal

from tests.bench.target import Target

PACKAGES = ("Django", "django-ninja", "uvicorn", "uvloop", "httptools", "redis")

Latencies = tuple[float, float, float]
"""Milliseconds: the median, the 99th percentile, the longest."""


@dataclass(frozen=True, slots=True)
class Measure:
    """One round's result of one case."""

    value: float
    busy: float
    """The generator's share of its core."""
    latencies: Latencies | None = None
    facts: Mapping[str, float] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Goal:
    """A bound, of the ratio or of the value itself, and facts that have to be 0."""

    bound: float
    of: Literal["ratio", "value"]
    text: str
    """As the table shows it."""
    at_most: bool = False
    none_of: tuple[str, ...] = ()

    def holds(self, reached: float, facts: Mapping[str, float]) -> bool:
        within = reached <= self.bound if self.at_most else reached >= self.bound
        return within and not any(facts.get(name) for name in self.none_of)


@dataclass(frozen=True, slots=True)
class Case:
    """A workload on one server."""

    workload: str
    server: str
    unit: str
    target: Target | None
    """None if it isn't installed."""
    measure: Callable[[Target], Measure]
    base: tuple[str, str] | None = None
    """Workload and server that it is compared with, in the same round."""
    is_peer: bool = False
    """The ratio then is the base's value to this one, else this one's to the base's."""
    goal: Goal | None = None
    once: bool = False
    """Whether it takes so long that it counts as a part of the first round alone."""

    @property
    def key(self) -> tuple[str, str]:
        return self.workload, self.server


Rounds = Mapping[tuple[str, str], Mapping[int, Measure]]
"""By case and round; a round that failed is missing."""


def percentiles(nanoseconds: Sequence[int]) -> Latencies:
    """Return the latencies of a sorted sequence."""
    last = len(nanoseconds) - 1
    places = (last // 2, round(last * 0.99), last)
    p50, p99, most = (nanoseconds[place] / 1e6 for place in places)
    return p50, p99, most


def ratio(case: Case, rounds: Rounds) -> float | None:
    """Return the median of the ratios within each round."""
    if case.base is None:
        return None
    mine, bases = rounds.get(case.key, {}), rounds.get(case.base, {})
    ratios = []
    for number in mine.keys() & bases.keys():
        pair = mine[number].value, bases[number].value
        over, under = reversed(pair) if case.is_peer else pair
        ratios.append(over / under)
    return statistics.median(ratios) if ratios else None


def row(case: Case, rounds: Rounds, note: str) -> dict[str, Any]:
    """Return what the report says of a case; the note is of what went wrong."""
    measures = list(rounds.get(case.key, {}).values())
    head = {"workload": case.workload, "server": case.server, "unit": case.unit}
    goal = case.goal
    head["target"] = goal.text if goal else ""
    if not measures:
        why = f": {note}" if note else ""
        return head | {"note": f"not run{why}", "holds": None, "rounds": []}
    value = statistics.median(measure.value for measure in measures)
    facts = _worst(measures)
    compared = ratio(case, rounds)
    reached = value if goal and goal.of == "value" else compared
    return head | {
        "version": case.target.version if case.target else "",
        "rounds": [measure.value for measure in measures],
        "median": value,
        "latency_ms": _latencies(measures),
        "generator_busy": max(measure.busy for measure in measures),
        "facts": facts,
        "ratio": compared,
        "holds": goal.holds(reached, facts) if goal and reached is not None else None,
        "note": f"a round failed: {note}" if note else "",
    }


def machine() -> dict[str, Any]:
    """Return the class of machine that this is."""
    return {
        "cores": os.cpu_count(),
        "cpu": _cpu(),
        "kernel": platform.release().partition("-")[0],
        "python": platform.python_version(),
    }


def versions(targets: Sequence[Target], redis: str) -> dict[str, str]:
    """Return the versions of all that took part."""
    # What comes after a comma is a variant of the same, as in "ours, Redis".
    found = {target.name.split(",")[0]: target.version for target in targets}
    for package in PACKAGES:
        try:
            found[package] = version(package)
        except PackageNotFoundError:
            continue
    return found | ({"Redis server": redis} if redis else {})


def _worst(measures: Sequence[Measure]) -> dict[str, float]:
    names = dict.fromkeys(name for measure in measures for name in measure.facts)
    return {name: max(one.facts.get(name, 0) for one in measures) for name in names}


def _latencies(measures: Sequence[Measure]) -> dict[str, float] | None:
    all_of = [measure.latencies for measure in measures if measure.latencies]
    if not all_of:
        return None
    p50s, p99s, longest = zip(*all_of, strict=True)
    return {
        "p50": statistics.median(p50s),
        "p99": statistics.median(p99s),
        "max": max(longest),
    }


def _cpu() -> str:
    for line in Path("/proc/cpuinfo").read_text().splitlines():
        key, _, value = line.partition(":")
        if key.strip() == "model name":
            return value.strip()
    return platform.machine()
