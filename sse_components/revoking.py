"""Takes back what was granted, in every process: by hand, or as Django announces."""

from __future__ import annotations

import logging
from collections.abc import Container, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Any

from asgiref.sync import sync_to_async
from django.contrib.auth import get_user_model
from django.core.exceptions import ValidationError
from django.db import transaction

from sse_components import conf, runtime
from sse_components.errors import BrokerUnavailable
from sse_components.events import check_pattern, hashed
from sse_components.groups import wire_name
from sse_components.revocations import (
    KEYS,
    MAX_GRANT_SECONDS,
    browser_subject,
    issuer_subject,
    key_subject,
    session_subject,
    user_subject,
)

__all__ = ["adisconnect_user", "arevoke", "disconnect_user", "revoke"]

_gone: ContextVar[set[str]] = ContextVar("gone")

logger = logging.getLogger("sse_components.groups")


def revoke(user: Any, pattern: str) -> None:
    """Take groups from a user's streams, and from what was granted so far.

    The pattern is one of settings, `project.5.**`; no pattern covers the user's own
    groups. Streams that have one of the groups end and come back without it. What is
    rendered or asked for from now on is decided anew.

    In a transaction of the default database it is done after the commit, and a broker
    that is away then is logged, and told when it is back. Otherwise it is done at once,
    and raises `BrokerUnavailable` if the broker is away, when nothing is revoked.
    Raises `InvalidGroup`, and `ValueError` for what is no primary key of a user.
    """
    _revoke(user_subject(user_id(user)), _pattern(pattern))


async def arevoke(user: Any, pattern: str) -> None:
    """Revoke as `revoke` does, without blocking the loop."""
    await _arevoke(user_subject(user_id(user)), _pattern(pattern))


def disconnect_user(user: Any) -> None:
    """End a user's streams, and let nothing that was granted so far open another.

    This is no ban: whoever still has a session may ask for new grants. Set `is_active`
    to False to keep a user out. It waits for a commit, and raises, as `revoke` does.
    """
    _revoke(user_subject(user_id(user)), "")


async def adisconnect_user(user: Any) -> None:
    """Disconnect a user as `disconnect_user` does, without blocking the loop."""
    await _arevoke(user_subject(user_id(user)), "")


def user_id(user: Any) -> str:
    """Return a user's id as text, given the user or the primary key in any form.

    Raises `ValueError` for what can't be one.
    """
    key = getattr(user, "pk", user)
    try:
        found = get_user_model()._meta.pk.to_python(key)
    except ValidationError:
        found = None
    if found is None:
        raise ValueError(f"{key!r:.80} is not the primary key of a user.")
    return str(found)


def revoke_user(pk: object) -> None:
    """End the streams of a user whose password or `is_active` has changed."""
    _revoke_or_owe((user_subject(str(pk)), "", MAX_GRANT_SECONDS))


def revoke_session(key: str, *, is_gone: bool = False) -> None:
    """End the streams of a session that is no more, or is about to be.

    Of one that is gone already nobody need say so again; `noted` tells which.
    """
    seconds = runtime.settings().grant_seconds
    _revoke_or_owe((session_subject(hashed(key)), "", seconds))
    if is_gone and (gone := _gone.get(None)) is not None:
        gone.add(key)


def revoke_browser(fingerprint: str) -> None:
    """End the streams of a browser whose user has logged out."""
    seconds = runtime.settings().grant_seconds
    _revoke_or_owe((browser_subject(fingerprint), "", seconds))


def key_changed(
    name: str, *, is_new: bool = False, is_over: bool = False, using: str
) -> None:
    """Have every process find out anew, after the commit, what a system's key may do.

    Unless it is new, its streams end, and come back if they still may. When it is over
    for good, so is what it has granted to others.
    """

    def tell() -> None:
        # First, or a stream that ends would be let in again by what is out of date.
        subjects = [KEYS]
        if not is_new:
            subjects.append(key_subject(name))
        if is_over:
            subjects.append(issuer_subject(name))
        # All or none at once: it is the order that lets no stream in again.
        _revoke_or_owe(*((subject, "", MAX_GRANT_SECONDS) for subject in subjects))

    transaction.on_commit(tell, using=using, robust=True)


@contextmanager
def noted() -> Iterator[Container[str]]:
    """Gather the keys of sessions that were revoked when they were gone."""
    keys: set[str] = set()
    reset = _gone.set(keys)
    try:
        yield keys
    finally:
        _gone.reset(reset)


def _pattern(pattern: str) -> str:
    # A session's key goes nowhere, not even into an error.
    return check_pattern(wire_name(pattern) if isinstance(pattern, str) else pattern)


def _revoke(subject: str, pattern: str) -> None:
    publisher = runtime.publisher()
    if not _puts_off(subject, pattern):
        publisher.revoke(subject, pattern, MAX_GRANT_SECONDS)


async def _arevoke(subject: str, pattern: str) -> None:
    publisher = runtime.publisher()
    if not await sync_to_async(_puts_off)(subject, pattern):
        await publisher.arevoke(subject, pattern, MAX_GRANT_SECONDS)


def _puts_off(subject: str, pattern: str) -> bool:
    """Whether it has to wait for a commit: what takes the right may be undone.

    And a renewal in between would still find the right.
    """
    if not transaction.get_connection().in_atomic_block:
        return False

    def revoke() -> None:
        _revoke_or_owe((subject, pattern, MAX_GRANT_SECONDS))

    transaction.on_commit(revoke, robust=True)
    return True


def _revoke_or_owe(*several: tuple[str, str, float]) -> None:
    """Revoke what has happened already, which a broker that is away can't undo."""
    if runtime.hub() is None and runtime.settings().broker_url == conf.EMBEDDED:
        return  # there are no streams that could be ended from here
    try:
        for subject, pattern, seconds in several:
            runtime.publisher().revoke(subject, pattern, seconds)
    except BrokerUnavailable as error:
        logger.error("Something was not revoked yet: %s", error)
        runtime.owe_revocations(*several)
