"""The language and the time zone that a component is rendered in."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import tzinfo
from zoneinfo import ZoneInfo

from django.utils import timezone
from django.utils.translation import override


def zone() -> str | int | None:
    """Return the present time zone: its name, its minutes from UTC, None by default."""
    present = timezone.get_current_timezone()
    if present == timezone.get_default_timezone():
        return None
    if isinstance(present, ZoneInfo):
        return present.key
    offset = present.utcoffset(None)
    return None if offset is None else int(offset.total_seconds() // 60)


@contextmanager
def activated(language: str | None, zone: str | int | None) -> Iterator[None]:
    """Have a language and a time zone, in whatever others a call is made."""
    with override(language), timezone.override(_zone(zone)):
        yield


def _zone(zone: str | int | None) -> tzinfo | None:
    if isinstance(zone, int):
        return timezone.get_fixed_timezone(zone)
    return None if zone is None else ZoneInfo(zone)
