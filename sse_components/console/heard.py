"""The groups that somebody hears, without the console's own; and what they had."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final

from sse_components import runtime
from sse_components.brokers.base import Audience, Broker
from sse_components.console.past import history
from sse_components.groups import CONSOLE
from sse_components.logbook.names import is_of_the_logbook
from sse_components.logbook.tail import line_of
from sse_components.waiting import wait_for

_BEHIND_OURS: Final = f"{CONSOLE}.\x7f"
"""Comes after all names of the console's groups."""


def page(prefix: str, after: str, limit: int) -> tuple[Sequence[Audience], str]:
    """Return so many groups after a name, and the name to go on from, "" at the end.

    Raises `BrokerUnavailable`.
    """
    broker = runtime.publisher()
    found: list[Audience] = []
    while len(found) <= limit:
        read = broker.groups(prefix, after, limit + 1)
        found += [one for one in read if not is_of_the_logbook(one.name)]
        if len(read) <= limit:
            break
        last = read[-1].name
        after = _BEHIND_OURS if is_of_the_logbook(last) else last
    return found[:limit], found[limit - 1].name if len(found) > limit else ""


def last_events(group: str, limit: int) -> Sequence[Mapping[str, Any]]:
    """Return the last events of a group as lines of the tail, the newest first.

    Raises `BrokerUnavailable`.
    """
    return wait_for(_last_events, runtime.publisher(), group, limit)


async def _last_events(
    broker: Broker, group: str, limit: int
) -> Sequence[Mapping[str, Any]]:
    events = list(await history(broker, group))
    return [line_of(event) for event in reversed(events[-limit:])]
