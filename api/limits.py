"""How often a key may ask."""

from __future__ import annotations

import time
from collections.abc import Callable

from django.conf import settings
from django.http import HttpRequest
from ninja.throttling import BaseThrottle

from .access import Holder, caller

SETTING = "SSE_API_RATE"


class Rate(BaseThrottle):
    """So many requests a second of one key in one process, a second's worth at once."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._left: dict[str, tuple[float, float]] = {}
        """Of each key: what it has left, and when that was."""
        self._rate = self._wait = 0.0

    def allow_request(self, request: HttpRequest) -> bool:
        holder = caller(request)
        self._rate = _rate(holder)
        if not self._rate:
            return True
        name = holder.name
        now = self._clock()
        most = max(self._rate, 1)
        left, then = self._left.get(name, (most, now))
        left = min(most, left + (now - then) * self._rate)
        allowed = left >= 1
        self._left[name] = (left - 1 if allowed else left), now
        self._wait = max(0.0, (1 - left) / self._rate)
        return allowed

    def wait(self) -> float:
        return self._wait


def _rate(holder: Holder) -> float:
    own = holder.rate
    return float(getattr(settings, SETTING, 0)) if own is None else own
