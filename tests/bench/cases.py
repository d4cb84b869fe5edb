"""Which workload runs on which server, compared with what, to reach what."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import Final

from tests.bench import connections, fanout, storm
from tests.bench.ours import (
    BESIDE_EMPTY,
    BESIDE_EMPTY_REDIS,
    CHURNING,
    LISTS,
    OURS,
    REDIS,
    WEBSOCKET,
    inside,
)
from tests.bench.rest import Workloads
from tests.bench.results import Case, Goal, Measure
from tests.bench.target import Target

DELIVERIES: Final = "deliveries/s"
OVER_PEERS: Final[dict[str, dict[str, float]]] = {
    "W1": {"nchan": 0.9, "django-eventstream": 8, "Channels": 20},
    "W2": {"nchan": 4},
    "W4": {"django-eventstream": 4},
}
"""What the ratio to a peer is to be, by workload and the beginning of its name."""

W1 = ("W1", OURS.name)
_many_groups = inside(fanout.SUBSCRIBERS, fanout.SUBSCRIBERS)


def cases(peers: Sequence[Target]) -> list[Case]:
    """Return all, in the order of a round: what is compared runs close together."""
    return [
        *_beside(peers, "W1", DELIVERIES, fanout.one_by_one),
        Case(
            "W9",
            REDIS.name,
            DELIVERIES,
            REDIS,
            fanout.one_by_one,
            W1,
            goal=_ratio(0.85, "W1"),
        ),
        Case(
            "W12",
            CHURNING.name,
            DELIVERIES,
            CHURNING,
            fanout.churning,
            ("W9", REDIS.name),
            goal=Goal(0.9, "ratio", ">= 0.9 x W9", none_of=("wrong transitions",)),
        ),
        Case(
            "W11",
            WEBSOCKET.name,
            DELIVERIES,
            WEBSOCKET,
            fanout.one_by_one,
            W1,
            goal=_ratio(0.5, "W1"),
        ),
        *_beside(peers, "W2", DELIVERIES, fanout.at_once),
        Case(
            "W3",
            _many_groups.name,
            DELIVERIES,
            _many_groups,
            fanout.many_groups,
            W1,
            goal=_ratio(0.5, "W1"),
        ),
        *_slow_clients(),
        *_beside(
            peers,
            "W4",
            "connections/s",
            connections.opened,
            Goal(3000, "value", ">= 3,000/s"),
        ),
        *_beside(
            peers,
            "W5",
            "KiB/connection",
            connections.idle,
            Goal(
                14,
                "value",
                "<= 14 KiB",
                at_most=True,
                none_of=("new threads", "new database files"),
            ),
        ),
        Case(
            "W6",
            REDIS.name,
            "resumes/s",
            REDIS,
            connections.resumed,
            goal=Goal(
                2000,
                "value",
                ">= 2,000/s, from the ring",
                none_of=("lost", "repeated", "disordered", "broker calls"),
            ),
        ),
        *_rest(BESIDE_EMPTY, 20_000, _ratio(0.8, "an empty endpoint")),
        *_rest(BESIDE_EMPTY_REDIS, 10_000),
        *_storms(),
    ]


def chosen(all_cases: Sequence[Case], workloads: Sequence[str]) -> list[Case]:
    """Return those of some workloads and what they are compared with."""
    wanted = [case for case in all_cases if case.workload in workloads]
    keys = {case.key for case in wanted} | {case.base for case in wanted}
    return [case for case in all_cases if case.key in keys]


def _beside(
    peers: Sequence[Target],
    workload: str,
    unit: str,
    measure: Callable[[Target], Measure],
    goal: Goal | None = None,
) -> Iterator[Case]:
    """A workload on ours and on each peer, also those that aren't installed."""
    yield Case(workload, OURS.name, unit, OURS, measure, goal=goal)
    base = workload, OURS.name
    bounds = OVER_PEERS.get(workload, {})
    for peer in peers:
        bound = next((b for n, b in bounds.items() if _is(peer, n)), None)
        if bound is None and workload == "W2":
            continue  # the slow ones take long, and W1 says it already
        over = None if bound is None else _over(bound, peer.name)
        yield Case(workload, peer.name, unit, peer, measure, base, True, over)
    for name, bound in bounds.items():
        if not any(_is(peer, name) for peer in peers):
            over = _over(bound, name)
            yield Case(workload, name, unit, None, measure, base, True, over)


def _slow_clients() -> Iterator[Case]:
    unit = "ms (p99)"
    base = "W10", f"{OURS.name}, all reading"
    yield Case(*base, unit, OURS, fanout.all_reading)
    yield Case(
        "W10",
        f"{OURS.name}, 1 % stalled",
        unit,
        OURS,
        fanout.some_stalled,
        base,
        goal=Goal(1.2, "ratio", "<= 1.2 x all reading", at_most=True),
    )


def _rest(target: Target, events: int, beside: Goal | None = None) -> Iterator[Case]:
    """W7 and W8, one after the other because they share a server."""
    unit = "requests/s"
    base = "W7", target.name.replace(OURS.name, "an empty endpoint", 1)
    rest = Workloads()
    yield Case(*base, unit, target, rest.empty)
    yield Case("W7", target.name, unit, target, rest.publishing, base, goal=beside)
    goal = Goal(events, "value", f">= {events:,}/s", none_of=("refused",))
    yield Case("W8", target.name, "events/s", target, rest.batches, goal=goal)


def _storms() -> Iterator[Case]:
    unit = "ms (p99)"
    base = "W13", f"{LISTS.name}, spread ignored"
    yield Case(*base, unit, LISTS, storm.ignored, once=True)
    yield Case(
        "W13",
        LISTS.name,
        unit,
        LISTS,
        storm.heeded,
        base,
        goal=Goal(0.1, "ratio", "<= 0.1 x ignored", at_most=True, none_of=("errors",)),
        once=True,
    )


def _is(peer: Target, name: str) -> bool:
    return peer.name.lower().startswith(name.lower())


def _ratio(bound: float, of: str) -> Goal:
    return Goal(bound, "ratio", f">= {bound:g} x {of}")


def _over(bound: float, peer: str) -> Goal:
    return Goal(bound, "ratio", f"ours >= {bound:g} x {peer}")
