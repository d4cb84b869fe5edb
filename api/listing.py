"""The groups that are heard, as far as a key's patterns give them."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from sse_components import runtime
from sse_components.brokers.base import Audience
from sse_components.groups import covers, is_reserved

from .problems import invalid_at

NAMES_PER_READ = 1000
READS = 20
"""Of one request, all but the first of so many names."""

LAST = "\x7f"
"""Comes after all that is in names."""


async def page(
    patterns: Sequence[str], prefix: str, after: str, limit: int
) -> tuple[Sequence[Audience], str | None]:
    """Return what a key may know of who is heard, and the name after which it goes on.

    There may be more than a request looks through. Then the page ends with the last
    name found: one that the patterns don't give isn't told, not even to go on from.
    """
    found: list[Audience] = []
    most = limit + 1
    for _ in range(READS):
        start = _start(patterns, after)
        if start is None:
            return found, None
        read = await runtime.publisher().agroups(prefix, start, most)
        found += [one for one in read if covers(patterns, one.name)]
        if len(found) > limit:
            return found[:limit], found[limit - 1].name
        if len(read) < most:
            return found, None
        after, most = read[-1].name, NAMES_PER_READ
    if not found:
        message = "Too many groups are none of the key's: narrow them with a prefix."
        raise invalid_at(message, "prefix")
    return found, found[-1].name


def _start(patterns: Iterable[str], after: str) -> str | None:
    """Return after what the next name that patterns give can come, if any can."""
    starts = (_start_of(pattern, after) for pattern in patterns)
    return min((start for start in starts if start is not None), default=None)


def _start_of(pattern: str, after: str) -> str | None:
    opening, star, _ = pattern.partition("*")
    if opening > after:
        return opening[:-1] + chr(ord(opening[-1]) - 1) + LAST
    if star and after.startswith(opening):
        return _behind_reserved(after)
    return None


def _behind_reserved(name: str) -> str:
    """Return the end of the reserved names around one: a pattern with * gives none."""
    parts = name.split(".")
    for end in range(1, len(parts)):
        beginning = ".".join(parts[:end]) + "."
        if is_reserved(beginning):
            return beginning + LAST
    return name
