"""The settings: one dict, SSE_COMPONENTS, read once into a frozen dataclass."""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, fields
from difflib import get_close_matches
from typing import Any, cast

from django.core.exceptions import ImproperlyConfigured
from django.utils.module_loading import import_string

from sse_components.brokers.base import GRACE_SECONDS, LEASE_SECONDS
from sse_components.errors import InvalidGroup
from sse_components.events import check_pattern
from sse_components.revocations import MAX_GRANT_SECONDS

NAME = "SSE_COMPONENTS"
EMBEDDED = "memory://"
"""The address of the broker that is one process."""

GRIP_KEY_BYTES = 32
"""RFC 7518 3.2: at least as many as the hash has."""

_ORIGIN = re.compile(r"null|[a-z][a-z0-9+.-]*://[^/?#\s*]+")  # RFC 6454
_BROKER_URL = re.compile(r"memory://|(?:rediss?|unix)://\S+")
_ADDRESS = re.compile(r"(?P<host>[A-Za-z0-9.-]+):(?P<port>[1-9]\d{0,4})")
_GRIP_URL = re.compile(
    r"https?://[A-Za-z0-9.-]+(?::(?P<port>[1-9]\d{0,4}))?(?:/[^?#\s]*)?"
)
_KEY_PREFIX = re.compile(r"[A-Za-z0-9_.-]{1,50}")
_PREFIX = re.compile(r"/(?:[^/?#\s]+/)*")


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """Every setting with its default; the keys are the names in capitals."""

    broker_url: str = EMBEDDED
    key_prefix: str = "sse"
    prefix: str = "/sse/"
    public_groups: tuple[str, ...] = ()
    authorize: Callable[..., Any] | None = None
    allowed_origins: tuple[str, ...] = ()
    history_size: int = 1000
    history_seconds: float = 300
    group_memory_seconds: float = 86_400
    grant_seconds: float = 3600
    keep_alive_seconds: float = 15
    rotate_seconds: float = 900
    presence_groups: tuple[str, ...] = ()
    presence_lease_seconds: float = LEASE_SECONDS
    presence_grace_seconds: float = GRACE_SECONDS
    max_groups: int = 200
    max_streams_per_user: int = 20
    max_streams: int = 10_000
    metrics: str = ""
    console: bool = False
    grip_url: str = ""
    grip_key: str = ""
    grip_seconds: float = 60


def load(given: object) -> Settings:
    """Return the settings of a dict; raises `ImproperlyConfigured` with all faults."""
    if not isinstance(given, Mapping):
        raise ImproperlyConfigured(f"{NAME} is a dict, not {given!r}.")
    known = {field.name.upper(): field.name for field in fields(Settings)}
    faults, values = [], {}
    for key, value in given.items():
        if key not in known:
            faults.append(_unknown(key, list(known)))
            continue
        try:
            values[known[key]] = _READERS[known[key]](value)
        except (ValueError, TypeError, ImportError) as error:
            faults.append(f"{NAME}[{key!r}]: {error}")
    if faults:
        raise ImproperlyConfigured("\n".join(faults))
    settings = Settings(**values)
    if settings.group_memory_seconds < settings.history_seconds:
        raise ImproperlyConfigured(
            f"{NAME}['GROUP_MEMORY_SECONDS'] must not be below HISTORY_SECONDS: "
            "a group is remembered at least as long as its events."
        )
    if bool(settings.grip_url) != bool(settings.grip_key):
        raise ImproperlyConfigured(
            f"{NAME}['GRIP_URL'] and {NAME}['GRIP_KEY'] go together: where a proxy "
            "takes what is published, and the key that it signs its requests with."
        )
    return settings


def _unknown(key: object, known: list[str]) -> str:
    near = get_close_matches(str(key).upper(), known, n=1, cutoff=0)
    return f"{NAME}[{key!r}] is not a setting. Did you mean {near[0]!r}?"


def _number(value: object) -> float:
    if (
        isinstance(value, bool)
        or not isinstance(value, int | float)
        or not 0 < value < math.inf
    ):
        raise ValueError(f"{value!r} is not a finite number above 0.")
    return value


def _grant_seconds(value: object) -> float:
    if _number(value) > MAX_GRANT_SECONDS:
        raise ValueError(f"a grant lives for at most {MAX_GRANT_SECONDS} seconds.")
    return _number(value)


def _count(value: object) -> int:
    if isinstance(value, bool) or not isinstance(value, int) or value < 0:
        raise ValueError(f"{value!r} is not a whole number from 0.")
    return value


def _limit(value: object) -> int:
    if _count(value) == 0:
        raise ValueError("0 would let nothing through.")
    return _count(value)


def _texts(value: object) -> tuple[str, ...]:
    if not isinstance(value, list | tuple) or not all(
        isinstance(v, str) for v in value
    ):
        raise ValueError(f"{value!r} is not a list of texts.")
    return tuple(value)


def _patterns(value: object) -> tuple[str, ...]:
    try:
        return tuple(check_pattern(pattern) for pattern in _texts(value))
    except InvalidGroup as error:
        raise ValueError(str(error)) from error


def _origins(value: object) -> tuple[str, ...]:
    for origin in _texts(value):
        if not _ORIGIN.fullmatch(origin):
            raise ValueError(f"{origin!r} is not an origin like 'https://example.com'.")
    return _texts(value)


def _prefix(value: object) -> str:
    if not isinstance(value, str) or not _PREFIX.fullmatch(value):
        raise ValueError(f"{value!r} is not a path that begins and ends with a slash.")
    return value


def _broker_url(value: object) -> str:
    # It may hold a password, so it isn't repeated.
    if not isinstance(value, str) or not _BROKER_URL.fullmatch(value):
        raise ValueError("is memory://, redis://host:port/db, rediss:// or unix://.")
    return value


def _key_prefix(value: object) -> str:
    if not isinstance(value, str) or not _KEY_PREFIX.fullmatch(value):
        raise ValueError(f"{value!r} is not a word of letters, digits, -, _ and dots.")
    return value


def _address(value: object) -> str:
    found = _ADDRESS.fullmatch(value) if isinstance(value, str) else None
    if value != "" and (not found or int(found["port"]) > 65_535):
        raise ValueError(f"{value!r} is not an address like '127.0.0.1:9400'.")
    return str(value)


def _switch(value: object) -> bool:
    if not isinstance(value, bool):
        raise ValueError(f"{value!r} is neither True nor False.")
    return value


def _grip_url(value: object) -> str:
    # It may hold a password by mistake, so it isn't repeated.
    found = _GRIP_URL.fullmatch(value) if isinstance(value, str) else None
    if value != "" and (not found or int(found["port"] or 0) > 65_535):
        raise ValueError("is the address of a control port, 'http://127.0.0.1:5561'.")
    return str(value).rstrip("/")


def _grip_key(value: object) -> str:
    if not isinstance(value, str) or 0 < len(value.encode()) < GRIP_KEY_BYTES:
        raise ValueError(f"is a text of at least {GRIP_KEY_BYTES} bytes.")
    return value


def _callable(value: object) -> Callable[..., Any] | None:
    if value is None:
        return None
    found = import_string(value) if isinstance(value, str) else value
    if not callable(found):
        raise ValueError(f"{value!r} is neither a callable nor the path to one.")
    return cast(Callable[..., Any], found)  # callable() doesn't say of what


_READERS: dict[str, Callable[[object], Any]] = {
    "broker_url": _broker_url,
    "key_prefix": _key_prefix,
    "prefix": _prefix,
    "public_groups": _patterns,
    "authorize": _callable,
    "allowed_origins": _origins,
    "history_size": _count,
    "history_seconds": _number,
    "group_memory_seconds": _number,
    "grant_seconds": _grant_seconds,
    "keep_alive_seconds": _number,
    "rotate_seconds": _number,
    "presence_groups": _patterns,
    "presence_lease_seconds": _number,
    "presence_grace_seconds": _number,
    "max_groups": _limit,
    "max_streams_per_user": _limit,
    "max_streams": _limit,
    "metrics": _address,
    "console": _switch,
    "grip_url": _grip_url,
    "grip_key": _grip_key,
    "grip_seconds": _number,
}
