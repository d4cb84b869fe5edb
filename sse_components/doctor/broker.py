"""Whether the broker is one that reaches all who are to be reached."""

from __future__ import annotations

import os
from collections.abc import Iterator

from sse_components import conf, runtime
from sse_components.brokers.redis.server import Server, look_at
from sse_components.doctor.findings import Finding, error, ok, warning
from sse_components.errors import BrokerUnavailable

SUBJECT = "broker"
WORKERS = "WEB_CONCURRENCY"
"""The variable by which uvicorn and gunicorn are told how many workers there are."""
SLOW_SECONDS = 0.02
CLOCK_SECONDS = 5


def findings() -> Iterator[Finding]:
    """Tell of the one that is set."""
    url = runtime.settings().broker_url
    if url == conf.EMBEDDED:
        yield _embedded()
        return
    try:
        server = look_at(url)
    except BrokerUnavailable as fault:
        yield error(
            SUBJECT,
            f"{str(fault).rstrip('.')}.",
            f"Start the Redis, or correct {conf.NAME}['BROKER_URL'].",
        )
    else:
        yield from _about(server)


def _embedded() -> Finding:
    workers = os.environ.get(WORKERS, "")
    if workers.isdecimal() and int(workers) > 1:
        return error(
            SUBJECT,
            f"the embedded one is one process, and {WORKERS} asks for {workers}, of "
            "which all but the first refuse to start.",
            f"Set {conf.NAME}['BROKER_URL'] to a Redis, or {WORKERS} to 1.",
        )
    return ok(
        SUBJECT,
        "the embedded one: there is one process, and only what runs in it can publish.",
    )


def _about(server: Server) -> Iterator[Finding]:
    if server.refusal:
        yield error(SUBJECT, server.refusal, "Redis 6.2 or later, or Valkey, will do.")
        return
    version = f"Redis {server.version}".strip()
    yield ok(SUBJECT, f"{version} answers in {server.seconds * 1000:.2f} ms.")
    if server.is_replica:
        yield error(
            SUBJECT,
            f"{version} is a replica, which takes nothing that is published.",
            f"Name the primary in {conf.NAME}['BROKER_URL'].",
        )
    if server.eviction:
        yield warning(
            SUBJECT,
            f"{version} may evict events without anybody noticing: its "
            f"maxmemory-policy is {server.eviction}.",
            "Set it to noeviction, in a Redis that is not a cache as well.",
        )
    if server.snapshots:
        yield warning(
            SUBJECT,
            f"{version} takes snapshots ({server.snapshots}): it halts a moment at "
            "each, and refuses what is published when its disk is full.",
            'Set `save ""` if it has nothing else in it; streams don\'t need them.',
        )
    if server.seconds > SLOW_SECONDS:
        yield warning(
            SUBJECT,
            f"{version} takes {server.seconds * 1000:.0f} ms for an answer, for which "
            "whoever publishes waits.",
            "Have it in the same data centre; `redis-cli --latency` measures it.",
        )
    if abs(server.ahead) > CLOCK_SECONDS:
        yield warning(
            "clock",
            f"that of {version} is {abs(server.ahead):.0f} s "
            f"{'ahead of' if server.ahead > 0 else 'behind'} this machine's: grants "
            "expire by the one, and events have the time of the other.",
            "Have both keep time by NTP.",
        )
