"""Automatic groups, and the one place that decides who may subscribe to what."""

from __future__ import annotations

import inspect
import logging
import re
from collections.abc import Awaitable, Callable, Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

from django.contrib.auth import get_user_model

from sse_components.conf import Settings
from sse_components.events import hashed, is_pattern, is_subscribable, matches, segment

BROADCAST: Final = "broadcast"
"""The group of every client of a page's stream."""

USERS: Final = "users"
"""The group of every authenticated client."""

_HASHED: Final = re.compile(r"h-[A-Za-z0-9_-]{22}")
_RESERVED: Final = {BROADCAST, USERS, "session", "presence"}

logger = logging.getLogger("sse_components.groups")


@dataclass(frozen=True, slots=True)
class Visitor:
    """A browser: its user, if it is logged in, and its session, if it has one."""

    user: Any = None
    session_key: str | None = field(default=None, repr=False)


@dataclass(frozen=True, slots=True)
class Integrator:
    """An external system: the patterns of the groups that its key subscribes to."""

    name: str
    patterns: tuple[str, ...]


Subject = Visitor | Integrator
Authenticator = Callable[[str], Integrator | None]

_authenticators: list[Authenticator] = []


def register_authenticator(authenticator: Authenticator) -> None:
    """Have API keys accepted on streams; called with a key, and must not block."""
    if authenticator not in _authenticators:
        _authenticators.append(authenticator)


def authenticate(key: str) -> Integrator | None:
    """Return whose key it is, if it is anybody's who may subscribe."""
    for authenticator in _authenticators:
        if integrator := authenticator(key):
            return integrator
    return None


def user_group(pk: object) -> str:
    """Return the group of one user's sessions, `auth.user.7`."""
    return f"{_user_prefix()}{segment(pk)}"


def session_group(key: str) -> str:
    """Return the group of one session's tabs, in which the key can't be read."""
    return f"session.{hashed(key)}"


def wire_name(group: str) -> str:
    """Return a group as it is known outside: a session's without its key."""
    prefix, _, key = group.partition(".")
    if prefix != "session" or key in ("", "*") or _HASHED.fullmatch(key):
        return group
    return session_group(key)


def automatic(visitor: Visitor) -> list[str]:
    """Return the groups that a visitor is in without asking."""
    pk = None if visitor.user is None else visitor.user.pk
    key = visitor.session_key
    return automatic_of(pk, hashed(key) if key else None)


def automatic_of(pk: object, session: str | None) -> list[str]:
    """Return the automatic groups of a user's pk and a session group's last segment."""
    names = [BROADCAST]
    if pk is not None:
        names += [USERS, user_group(pk)]
    if session:
        names.append(f"session.{session}")
    return names


def is_reserved(name: str) -> bool:
    """Whether no pattern, policy or model may give a name away."""
    return name.partition(".")[0] in _RESERVED or name.startswith(_user_prefix())


def is_private_to(visitor: Visitor, name: str) -> bool:
    """Whether a group is below a visitor's own, `auth.user.7.notifications`."""
    if visitor.user is None:
        return False
    return name.startswith(f"{user_group(visitor.user.pk)}.")


def covers(patterns: Iterable[str], name: str) -> bool:
    """Whether patterns give a name; those that are reserved only in full."""
    if is_reserved(name):
        return name in patterns and not is_pattern(name)
    return any(matches(pattern, name) for pattern in patterns)


class Policy:
    """Answers for grants, names, keys and renewals alike."""

    def __init__(
        self,
        settings: Settings,
        in_pool: Callable[..., Awaitable[Any]],
    ) -> None:
        self._public = settings.public_groups
        self._authorize = settings.authorize
        self._in_pool = in_pool

    def is_public(self, name: str) -> bool:
        """Whether anybody may subscribe, so that nobody need be looked up."""
        return name == BROADCAST or (
            is_subscribable(name) and covers(self._public, name)
        )

    async def allowed(
        self, subject: Subject, names: Sequence[str]
    ) -> tuple[list[str], list[str]]:
        """Split names asked for into those granted and those denied."""
        answers = [(name, await self._allows(subject, name)) for name in names]
        return [n for n, yes in answers if yes], [n for n, yes in answers if not yes]

    async def _allows(self, subject: Subject, name: str) -> bool:
        if not is_subscribable(name):
            return False
        if isinstance(subject, Integrator):
            return covers(subject.patterns, name)
        if self.is_public(name):
            return True
        own = automatic(subject)[1:]
        if name in own or is_private_to(subject, name):
            return True
        if is_reserved(name) or self._authorize is None:
            return False
        return await self._ask(subject.user or _nobody(), name) is True

    async def _ask(self, user: Any, name: str) -> Any:
        assert self._authorize
        try:
            if inspect.iscoroutinefunction(self._authorize):
                answer = self._authorize(user, name, False)
            else:
                answer = await self._in_pool(self._authorize, user, name, False)
            return await answer if inspect.isawaitable(answer) else answer
        except Exception:
            logger.exception("AUTHORIZE failed, which counts as a no")
            return False


def _nobody() -> Any:
    # Late: asgi.py imports this module before Django has loaded its apps.
    from django.contrib.auth.models import AnonymousUser

    return AnonymousUser()


def _user_prefix() -> str:
    meta = get_user_model()._meta
    return f"{meta.app_label}.{meta.model_name}."
