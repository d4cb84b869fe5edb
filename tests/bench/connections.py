"""The workloads of connections: opening, keeping and resuming them."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable, Sequence
from typing import Final

from tests.bench import marks
from tests.bench.fanout import has_head
from tests.bench.load import Failed, Load, timed
from tests.bench.ours import GROUP, granted, is_open, is_ours
from tests.bench.requests import subscribing
from tests.bench.results import Measure
from tests.bench.server import Running, running
from tests.bench.target import Target

OPENED: Final = 3000
IDLE: Final = 2000
DROPPED: Final = 5000
MISSED: Final = 100
WARM_UP: Final = 100
RETURNING: Final = 256
"""How many of those who come back do so at a time."""
PROBE_SECONDS: Final = 5
"""How often the hub probes its broker anyway, with one call."""

_ID = re.compile(rb"\nid: (\S+)\n")
_EVENT_ID = re.compile(rb"event: component\.data_changed\nid: (\S+)\n")


def opened(target: Target) -> Measure:
    """W4: connections opened per second, with grants where the server knows them."""
    with running(target) as server:
        _warm_up(server)
        requests, ready = _requests(server, OPENED)
        with Load(server.port) as load, timed() as clock:
            load.gather(requests, ready)
    return Measure(OPENED / clock.seconds, clock.busy)


def idle(target: Target) -> Measure:
    """W5: KiB of memory per connection; threads and database files that are new."""
    with running(target) as server:
        _warm_up(server)
        requests, ready = _requests(server, IDLE)
        memory, threads, databases = server.memory, server.threads, server.databases
        with Load(server.port) as load, timed() as clock:
            load.gather(requests, ready)
            load.settle()  # the first keep-alive too
            per_connection = (server.memory - memory) / IDLE / 1024
            facts = {
                "new threads": server.threads - threads,
                "new database files": server.databases - databases,
            }
    return Measure(per_connection, clock.busy, facts=facts)


def resumed(target: Target) -> Measure:
    """W6: clients cut at once resume what they have missed; resumes per second."""
    with running(target) as server, Load(server.port) as load:
        requests = [subscribing(target, server.port)] * DROPPED
        cursors = [_cursor(data) for data in load.gather(requests, is_open)]
        load.drop()
        missed = _publish(server, MISSED)
        calls = _calls(server)
        requests = [
            subscribing(target, server.port, cursor=cursor) for cursor in cursors
        ]
        with timed() as clock:
            received = load.gather(requests, _has_all, in_flight=RETURNING)
        # One probe may fall just before and one just after.
        probes = 1 + clock.seconds // PROBE_SECONDS
        calls = max(0, _calls(server) - calls - probes)
        load.listen(1.2)
        lost, repeated, disordered = _compare(received, missed)
    facts = {
        "lost": lost,
        "repeated": repeated,
        "disordered": disordered,
        "broker calls": calls,
    }
    return Measure(DROPPED / clock.seconds, clock.busy, facts=facts)


def _warm_up(server: Running) -> None:
    """Have a server do once what it does the first time only."""
    requests, ready = _requests(server, WARM_UP)
    with Load(server.port) as load:
        load.gather(requests, ready)
        load.settle(0.5)


def _requests(
    server: Running, count: int
) -> tuple[list[bytes], Callable[[bytearray], bool]]:
    """Return requests for streams, and what tells that one is open."""
    target, port = server.target, server.port
    if not is_ours(target):
        return [subscribing(target, port)] * count, has_head
    with Load(port) as load:
        [data] = load.gather([subscribing(target, port)], is_open)
    streams = granted(count, _cursor(data).decode())
    requests = [
        subscribing(target, port, address, cookie=cookie) for address, cookie in streams
    ]
    return requests, is_open


def _cursor(data: bytearray) -> bytes:
    """Return the last id of a stream."""
    ids: list[bytes] = _ID.findall(data)
    if not ids:
        raise Failed("A stream was opened without an id.")
    return ids[-1]


def _publish(server: Running, count: int) -> list[bytes]:
    """Publish a batch of events to the group measured; return their ids."""
    event = {"type": "component.data_changed", "group": GROUP}
    events = [event | {"data": {"headline": marks.text()}} for _ in range(count)]
    results = server.post("/api/v1/events", {"events": events})["results"]
    return [result["id"].encode() for result in results]


def _calls(server: Running) -> float:
    """Return how many calls the broker's Redis has had, if it has one."""
    if not server.redis:
        return 0
    client = server.redis.client()
    try:
        stats = client.info("commandstats")
    finally:
        client.close()
    assert isinstance(stats, dict)
    names = "cmdstat_evalsha", "cmdstat_eval"
    return float(sum(stats[name]["calls"] for name in names if name in stats))


def _has_all(data: bytearray) -> bool:
    return data.count(marks.OPENING) >= MISSED


def _compare(
    received: Sequence[bytearray], missed: list[bytes]
) -> tuple[int, int, int]:
    """Return how many events are missing, are there again, and clients in disorder."""
    lost = repeated = disordered = 0
    for data in received:
        ids = _EVENT_ID.findall(data)
        if ids == missed:
            continue
        lost += len(set(missed) - set(ids))
        repeated += (Counter(ids) - Counter(set(ids))).total()
        disordered += [one for one in missed if one in ids] != list(dict.fromkeys(ids))
    return lost, repeated, disordered
