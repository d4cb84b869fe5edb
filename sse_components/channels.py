"""Groups as a GRIP proxy and the cursors behind it know them."""

from __future__ import annotations

from collections.abc import Collection, Iterable
from typing import Final

from django.utils.crypto import constant_time_compare, salted_hmac

from sse_components.events import is_subscribable, names_over

SALT: Final = "sse_components.channel"
TAG_SALT: Final = "sse_components.tag"
"""Another one: tags are told to clients, and channels aren't."""
PREFIX: Final = "sse-"
TAG: Final = 8
"""Hexadecimal digits that stand for a group in a cursor."""
DIGITS: Final = 16
"""Of the same in the name of a channel, which can't be guessed."""


def tag(group: str) -> str:
    """Return what stands for a group or pattern in a cursor of many groups."""
    return _digest(TAG_SALT, group)[:TAG]


def are_of(tags: Collection[str], names: Iterable[str]) -> bool:
    """Whether any of some tags is of one of these names, or of the pattern over it.

    None is if they were made with another SECRET_KEY.
    """
    return any(tag(over) in tags for name in names for over in names_over(name))


def channel(group: str) -> str:
    """Return the channel of a group or pattern, `sse-news.local.9f86d081884c7d65`."""
    return f"{PREFIX}{group}.{_digest(SALT, group)[:DIGITS]}"


def group_of(channel: str) -> str | None:
    """Return the group or pattern of a channel of ours, None for anything else."""
    if not channel.startswith(PREFIX):
        return None
    group, _, digest = channel.removeprefix(PREFIX).rpartition(".")
    if not is_subscribable(group):
        return None
    ours = _digest(SALT, group)[:DIGITS]
    return group if constant_time_compare(digest, ours) else None


def _digest(salt: str, group: str) -> str:
    return salted_hmac(salt, group, algorithm="sha256").hexdigest()
