"""What a process has counted, at an address of its own, as Prometheus reads it.

Each process has one, as Prometheus would have it: four workers are four targets.
"""

from __future__ import annotations

import logging
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from itertools import accumulate
from typing import TypeVar

from prometheus_client import CollectorRegistry, start_http_server
from prometheus_client.core import (
    CounterMetricFamily,
    GaugeMetricFamily,
    HistogramMetricFamily,
    Metric,
)
from prometheus_client.registry import Collector

from sse_components.brokers.base import Broker
from sse_components.hub import Hub
from sse_components.meters import SECONDS, Distribution, Requests

PORTS = 32
"""How many are tried, from the one that is named."""
ENDS = [*map(str, SECONDS), "+Inf"]

logger = logging.getLogger("sse_components.asgi")

Key = TypeVar("Key")
Value = TypeVar("Value")
Labelled = Mapping[tuple[str, ...], float]


class Numbers(Collector):
    """Reads what a hub, its broker and the API have counted, when it is asked."""

    def __init__(self, hub: Hub, broker: Broker, requests: Requests) -> None:
        self._hub = hub
        self._broker = broker
        self._requests = requests

    def collect(self) -> Iterator[Metric]:
        yield from self._present()
        yield from self._past()
        yield from self._round_trips()
        yield _counter(
            "sse_api_requests",
            "Answers of the REST API.",
            {(op, str(status)): n for (op, status), n in _copy(self._requests.answers)},
            "operation",
            "status",
        )
        yield _histogram(
            "sse_api_request_seconds",
            "Time to answer a request to the REST API.",
            {(op,): seconds for op, seconds in _copy(self._requests.seconds)},
            "operation",
        )

    def _present(self) -> Iterator[Metric]:
        census = self._hub.census()
        kinds = {"sse": 0, "websocket": 0} | census.connections
        yield _gauge(
            "sse_connections",
            "Open connections.",
            {(kind,): count for kind, count in kinds.items()},
            "transport",
        )
        yield _gauge("sse_groups", "Groups that are heard.", {(): census.groups})
        yield _gauge(
            "sse_pending_bytes", "Bytes that wait for clients.", {(): census.pending}
        )
        yield _gauge(
            "sse_presence_users", "Users with a connection here.", {(): census.users}
        )

    def _past(self) -> Iterator[Metric]:
        meters = self._hub.meters
        published = self._broker.published.count
        counters: list[tuple[str, str, Labelled, tuple[str, ...]]] = [
            ("connections_opened", "Connections.", _by(meters.opened), ("transport",)),
            ("events_published", "Events published here.", {(): published}, ()),
            ("events", "Events passed on to clients.", {(): meters.events}, ()),
            ("deliveries", "Events, for each client.", {(): meters.deliveries}, ()),
            ("resumes", "Streams with a cursor.", _by(meters.resumes), ("outcome",)),
            ("resets", "Resets sent to clients.", _by(meters.resets), ("reason",)),
            ("slow_clients", "Clients too slow.", _by(meters.slow), ("outcome",)),
            (
                "presence_transitions",
                "Users who came or went.",
                _by(meters.transitions),
                ("type",),
            ),
        ]
        for name, text, values, labels in counters:
            yield _counter(f"sse_{name}", text, values, *labels)
        yield _histogram(
            "sse_delivery_latency_seconds",
            "From the moment in an event's id until it was written.",
            {(): meters.latency},
        )

    def _round_trips(self) -> Iterator[Metric]:
        trips = self._broker.round_trips
        if trips is None:
            return
        yield _counter(
            "sse_broker_calls",
            "Calls of scripts in Redis.",
            {(script, outcome): n for (script, outcome), n in _copy(trips.calls)},
            "script",
            "outcome",
        )
        yield _histogram(
            "sse_broker_round_trip_seconds",
            "Time until Redis had answered a pipeline.",
            {(): trips.seconds},
        )


@contextmanager
def served(host: str, first: int, numbers: Numbers) -> Iterator[None]:
    """Serve numbers at the first port that is free from one on."""
    registry = CollectorRegistry()
    registry.register(numbers)
    for port in range(first, first + PORTS):
        try:
            server, thread = start_http_server(port, host, registry)
        except OSError:
            continue
        break
    else:
        logger.error("Metrics aren't served: no port from %s on is free", first)
        yield
        return
    logger.info("Metrics are at http://%s:%s/metrics", host, port)
    try:
        yield
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


def _copy(counts: Mapping[Key, Value]) -> list[tuple[Key, Value]]:
    return list(counts.items())  # in one step, while others count


def _by(counts: Mapping[str, int]) -> Labelled:
    return {(name,): count for name, count in _copy(counts)}


def _gauge(name: str, text: str, values: Labelled, *labels: str) -> Metric:
    family = GaugeMetricFamily(name, text, labels=labels)
    for given, value in values.items():
        family.add_metric(given, value)
    return family


def _counter(name: str, text: str, values: Labelled, *labels: str) -> Metric:
    family = CounterMetricFamily(name, text, labels=labels)
    for given, value in values.items():
        family.add_metric(given, value)
    return family


def _histogram(
    name: str,
    text: str,
    values: Mapping[tuple[str, ...], Distribution],
    *labels: str,
) -> Metric:
    family = HistogramMetricFamily(name, text, labels=labels)
    for given, distribution in values.items():
        buckets = list(zip(ENDS, accumulate(distribution.counts), strict=True))
        family.add_metric(given, buckets, distribution.total)
    return family
