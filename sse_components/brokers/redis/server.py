"""What a Redis server is like, and what it has to be."""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import dataclass
from statistics import median
from typing import Any

import redis
from redis.exceptions import ResponseError

from sse_components.brokers.redis.calls import OPTIONS, no_retry, translated

OLDEST = (6, 2)
ROUND_TRIPS = 9


@dataclass(frozen=True, slots=True)
class Server:
    """What can be seen of a server from outside; texts are empty if it doesn't say."""

    version: str
    refusal: str
    """Why it can't be used, if it can't."""
    eviction: str
    """The policy by which it may evict what is in use."""
    snapshots: str
    """When it takes them."""
    is_replica: bool
    seconds: float
    """What a question takes with its answer, typically."""
    ahead: float
    """Seconds by which its clock is before this machine's."""


def look_at(url: str) -> Server:
    """Ask a server about itself; raises `BrokerUnavailable`."""
    with (
        translated(),
        redis.Redis.from_url(url, retry=no_retry(), **OPTIONS) as client,
    ):
        about = _asked(client.info)
        settings = _asked(client.config_get, "save")
        clocks = [_clock(client) for _ in range(ROUND_TRIPS)]
    return Server(
        version=str(about.get("redis_version", "")),
        refusal=refusal(about),
        eviction=eviction(about),
        snapshots=settings.get("save", ""),
        is_replica=about.get("role") == "slave",
        seconds=median(seconds for seconds, _ in clocks),
        ahead=median(ahead for _, ahead in clocks),
    )


def refusal(about: Mapping[str, Any]) -> str:
    """Return why a server that says this of itself can't be used, "" if it can."""
    if about.get("redis_mode") == "cluster":
        return "Redis Cluster can't be used: name one Redis instead."
    version = str(about.get("redis_version", "7"))
    if tuple(int(part) for part in version.split(".")[:2]) < OLDEST:
        return f"Redis {version} is too old: 6.2 is the oldest."
    return ""


def eviction(about: Mapping[str, Any]) -> str:
    """Return the policy by which a server may evict what is in use, "" if it won't."""
    policy = str(about.get("maxmemory_policy", "noeviction"))
    return policy if about.get("maxmemory") and policy != "noeviction" else ""


def _asked(question: Any, *arguments: str) -> dict[str, Any]:
    try:
        answer: dict[str, Any] = question(*arguments)
    except ResponseError:  # there are users, and services, that may not ask
        return {}
    return answer


def _clock(client: redis.Redis) -> tuple[float, float]:
    """Return what one question took, and how far the clock is ahead of ours."""
    before, start = time.time(), time.monotonic()
    seconds, microseconds = client.time()
    took = time.monotonic() - start
    return took, seconds + microseconds / 1e6 - (before + took / 2)
