"""The workloads of fan-out: one event to many, many groups, slow clients."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Final

from tests.bench import marks
from tests.bench.load import Failed, Load, Run
from tests.bench.ours import GROUP, is_open, is_ours
from tests.bench.requests import publishing, subscribing
from tests.bench.results import Measure, percentiles
from tests.bench.server import Running, running
from tests.bench.target import Target

SUBSCRIBERS: Final = 1000
EVENTS: Final = 300
EVENTS_AT_ONCE: Final = 1200
"""Four times as many: they take a fifth of the time."""
EVENTS_OF_MANY: Final = 50
"""Each a thousand events: they take five times as long."""
AT_ONCE: Final = 16
WARM_UP: Final = 20
"""Events: few enough that the slowest has delivered them before it is measured."""
STALLED: Final = 10
LARGE: Final = 2000
"""Bytes of a payload that is soon more than what may wait for a client."""
LARGE_EVENTS: Final = 150
FILLER: Final = "news.filler"
FILLING: Final = 50_000
"""Bytes of a payload that fills the system's buffers, which take up to 4 MiB."""


def one_by_one(target: Target) -> Measure:
    """W1, and with other targets W9 and W11: the next when all have had this one."""
    return _measure(target, [target.subscribe] * SUBSCRIBERS, EVENTS)


def at_once(target: Target) -> Measure:
    """W2: several publishers, each with one request at a time."""
    addresses = [target.subscribe] * SUBSCRIBERS
    return _measure(target, addresses, EVENTS_AT_ONCE, in_flight=AT_ONCE)


def many_groups(target: Target) -> Measure:
    """W3: each has a group of its own, and every publish is one event to each."""
    addresses = [f"/sse/groups/news.{number}" for number in range(SUBSCRIBERS)]
    return _measure(target, addresses, EVENTS_OF_MANY)


def all_reading(target: Target) -> Measure:
    """W10's measure to compare with: W1 with larger events; the value is the p99."""
    return _p99(target, stalled=0)


def some_stalled(target: Target) -> Measure:
    """W10: the same, with as many more clients that don't read as 1 %."""
    return _p99(target, stalled=STALLED)


def churning(target: Target) -> Measure:
    """W12: W1 through Redis, while 1,000 users a second come and as many go."""
    return _measure(target, [target.subscribe] * SUBSCRIBERS, EVENTS, after=_wrong)


def _wrong(server: Running) -> dict[str, float]:
    """Return how many transitions weren't found, or were found too often."""
    found = server.get("/bench/churn")
    came = found["came"]
    wrong = abs(found["online"] - came) + abs(found["offline"] - came)
    return {"users came": came, "wrong transitions": wrong}


def _measure(
    target: Target,
    addresses: Sequence[str],
    events: int,
    in_flight: int = 1,
    after: Callable[[Running], dict[str, float]] = lambda server: {},
) -> Measure:
    with running(target) as server, Load(server.port) as load:
        _subscribe(load, server, addresses)
        _run(load, server, WARM_UP, in_flight)
        load.settle(0.1)
        run = _run(load, server, events, in_flight)
        facts = _facts(run) | after(server)
    rate = run.delivered / run.seconds
    return Measure(rate, run.busy, percentiles(run.latencies), facts)


def _p99(target: Target, *, stalled: int) -> Measure:
    with running(target) as server, Load(server.port) as load:
        _subscribe(load, server, [target.subscribe] * SUBSCRIBERS)
        _run(load, server, WARM_UP, size=LARGE)
        before = server.memory
        if stalled:
            address = f"/sse/stream?group={GROUP}&group={FILLER}"
            load.stall([subscribing(target, server.port, address)] * stalled)
            _fill(load, server)
        run = _run(load, server, LARGE_EVENTS, size=LARGE)
        grown = (server.memory - before) / 1024
    latencies = percentiles(run.latencies)
    facts = {"KiB grown": round(grown)} | _facts(run)
    return Measure(latencies[1], run.busy, latencies, facts)


def _fill(load: Load, server: Running) -> None:
    """Publish to those who don't read alone until the system takes no more."""
    address = f"/api/v1/groups/{FILLER}/data-changed"
    content = {"data": {"headline": "x" * FILLING}}
    for _ in range(40):
        before = load.unread
        for _ in range(8):
            server.post(address, content)
        if load.unread == before:
            return
    raise Failed("The buffers of those who don't read are still not full.")


def _subscribe(load: Load, server: Running, addresses: Sequence[str]) -> None:
    target = server.target
    ready = is_open if is_ours(target) else has_head
    load.gather([subscribing(target, server.port, one) for one in addresses], ready)
    load.settle()


def _run(
    load: Load, server: Running, events: int, in_flight: int = 1, size: int = 100
) -> Run:
    def publish() -> bytes:
        return publishing(server.target, server.port, marks.text(size))

    return load.run(publish, events, each=SUBSCRIBERS, in_flight=in_flight)


def _facts(run: Run) -> dict[str, float]:
    return {"not delivered in time": run.missing} if run.missing else {}


def has_head(data: bytearray) -> bool:
    """Whether the head of an answer has come: all that some servers send at first."""
    return b"\r\n\r\n" in data
