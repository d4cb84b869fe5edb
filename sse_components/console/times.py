"""Moments as people read them."""

from __future__ import annotations

import time
from datetime import UTC, datetime

from django.utils import timezone


def clock(seconds: float) -> str:
    """Return a time of day to the second, with its zone."""
    return _local(seconds).strftime("%H:%M:%S %Z")


def moment(seconds: float) -> str:
    """Return a time of day to the millisecond, with its zone."""
    local = _local(seconds)
    return f"{local:%H:%M:%S}.{local.microsecond // 1000:03} {local:%Z}"


def _local(seconds: float) -> datetime:
    return timezone.localtime(datetime.fromtimestamp(seconds, UTC))


def age(since: float) -> str:
    """Return how long ago a moment was, in one unit."""
    seconds = max(0, time.time() - since)
    for unit, length in (("d", 86_400), ("h", 3600), ("min", 60)):
        if seconds >= length:
            return f"{int(seconds // length)} {unit}"
    return f"{int(seconds)} s"
