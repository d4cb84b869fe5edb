"""Takes back what was granted, in every process: by hand, or as Django announces."""

from __future__ import annotations

import logging
from typing import Any

from sse_components import conf, runtime
from sse_components.errors import BrokerUnavailable
from sse_components.events import check_pattern, hashed
from sse_components.revocations import (
    MAX_GRANT_SECONDS,
    browser_subject,
    session_subject,
    user_subject,
)

__all__ = ["adisconnect_user", "arevoke", "disconnect_user", "revoke"]

logger = logging.getLogger("sse_components.groups")


def revoke(user: Any, pattern: str) -> None:
    """Take groups from a user's streams, and from what was granted so far.

    The pattern is one of settings, `project.5.**`; no pattern covers the user's own
    groups. Streams that have one of the groups end and come back without it. What is
    rendered or asked for from now on is decided anew. Raises `InvalidGroup`, and
    `BrokerUnavailable` if the broker is away, when nothing is revoked.
    """
    subject = user_subject(_id(user))
    runtime.publisher().revoke(subject, check_pattern(pattern), MAX_GRANT_SECONDS)


async def arevoke(user: Any, pattern: str) -> None:
    """Revoke as `revoke` does, without blocking the loop."""
    subject, seconds = user_subject(_id(user)), MAX_GRANT_SECONDS
    await runtime.publisher().arevoke(subject, check_pattern(pattern), seconds)


def disconnect_user(user: Any) -> None:
    """End a user's streams, and let nothing that was granted so far open another.

    This is no ban: whoever still has a session may ask for new grants. Set `is_active`
    to False to keep a user out. Raises `BrokerUnavailable` if the broker is away.
    """
    runtime.publisher().revoke(user_subject(_id(user)), "", MAX_GRANT_SECONDS)


async def adisconnect_user(user: Any) -> None:
    """Disconnect a user as `disconnect_user` does, without blocking the loop."""
    subject = user_subject(_id(user))
    await runtime.publisher().arevoke(subject, "", MAX_GRANT_SECONDS)


def revoke_user(pk: object) -> None:
    """End the streams of a user whose password or `is_active` has changed."""
    _revoke_or_owe(user_subject(str(pk)), MAX_GRANT_SECONDS)


def revoke_session(key: str) -> None:
    """End the streams of a session that is no more."""
    _revoke_or_owe(session_subject(hashed(key)), runtime.settings().grant_seconds)


def revoke_browser(fingerprint: str) -> None:
    """End the streams of a browser whose user has logged out."""
    _revoke_or_owe(browser_subject(fingerprint), runtime.settings().grant_seconds)


def _id(user: Any) -> str:
    """Return a user's id, given the user or the primary key."""
    return str(getattr(user, "pk", user))


def _revoke_or_owe(subject: str, seconds: float) -> None:
    """Revoke what has happened already, which a broker that is away can't undo."""
    if runtime.hub() is None and runtime.settings().broker_url == conf.EMBEDDED:
        return  # there are no streams that could be ended from here
    try:
        runtime.publisher().revoke(subject, "", seconds)
    except BrokerUnavailable as error:
        logger.error("Something was not revoked yet: %s", error)
        runtime.owe_revocation(subject, seconds)
