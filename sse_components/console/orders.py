"""What is asked of every process by way of the logbook."""

from __future__ import annotations

import time
from collections.abc import Mapping
from typing import Any, Final

from django.core.exceptions import ImproperlyConfigured

from sse_components import runtime
from sse_components.conf import NAME
from sse_components.logbook.names import CONTROL
from sse_components.logbook.statements import Reconnect, Trace
from sse_components.waiting import wait_for

TRACE_SECONDS: Final = 300
MOST: Final = 1000
"""Orders that are read."""


def trace(user: Any, seconds: float = TRACE_SECONDS) -> None:
    """Have every delivery to a user logged, `sse_components.trace`, and shown.

    Given the user or the primary key, for so long, and for `HISTORY_SECONDS` at most.
    Every process that serves streams begins within a second or two. Raises
    `ImproperlyConfigured` without the setting `CONSOLE`, and `BrokerUnavailable`.
    """
    if not runtime.settings().console:
        raise ImproperlyConfigured(f"To trace needs {NAME}['CONSOLE'] = True.")
    _order(Trace(_key(user), time.time() + min(seconds, _longest())))


def untrace(user: Any) -> None:
    """Stop to trace a user."""
    _order(Trace(_key(user), 0))


def traced() -> Mapping[str, float]:
    """Return the users who are traced, and until when, in seconds since 1970."""
    broker = runtime.publisher()
    until: dict[str, float] = {}
    for event in wait_for(broker.history, CONTROL, MOST).events:
        if order := Trace.read(event):
            until[order.user] = order.until
    now = time.time()
    return {user: end for user, end in until.items() if end > now}


def reconnect(connection: str) -> None:
    """End one connection, whose client comes back and misses nothing."""
    _order(Reconnect(connection))


def _order(order: Trace | Reconnect) -> None:
    runtime.publisher().publish([order.draft(CONTROL)])


def _key(user: Any) -> str:
    return str(getattr(user, "pk", user))


def _longest() -> float:
    return runtime.settings().history_seconds
