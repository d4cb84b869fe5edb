"""Automatic groups, and the one place that decides who may subscribe to what."""

from __future__ import annotations

import inspect
import logging
import math
from collections.abc import Awaitable, Callable, Iterable
from dataclasses import dataclass, field
from typing import Any, Final

from django.apps import apps
from django.conf import settings as django_settings

from sse_components.conf import Settings
from sse_components.events import (
    hashed,
    is_hashed,
    is_pattern,
    is_subscribable,
    matches,
    segment,
)
from sse_components.waiting import wait_for

BROADCAST: Final = "broadcast"
"""The group of every client of a page's stream."""

USERS: Final = "users"
"""The group of every authenticated client."""

CONSOLE: Final = "console"
"""What the groups begin with that staff hears, and nobody else."""

_RESERVED: Final = {BROADCAST, USERS, CONSOLE, "session", "presence"}

FAILED: Final = "AUTHORIZE failed, which counts as a no"

logger = logging.getLogger("sse_components.groups")


@dataclass(frozen=True, slots=True)
class Visitor:
    """A browser: its user, if it is logged in, and its session, if it has one."""

    user: Any = None
    session_key: str | None = field(default=None, repr=False)


@dataclass(frozen=True, slots=True)
class Integrator:
    """An external system: what its key may do, and with which groups."""

    name: str
    """Tells it from others, also in what is revoked, for as long as there are keys."""
    patterns: tuple[str, ...]
    """Of the groups that it may hear or read; those that are reserved, in full."""
    scopes: frozenset[str] = frozenset({"publish", "read", "subscribe", "manage"})
    """Kinds of operations; streams need `subscribe`."""
    expires: float = math.inf
    """When nothing of it holds any more, in seconds since 1970."""


Subject = Visitor | Integrator
Authenticator = Callable[[str], Awaitable[Integrator | None]]

_authenticators: list[Authenticator] = []


def register_authenticator(authenticator: Authenticator) -> None:
    """Have API keys accepted on streams; it is called with a key.

    It raises `KeysUnavailable` when it can't tell.
    """
    if authenticator not in _authenticators:
        _authenticators.append(authenticator)


async def authenticate(key: str) -> Integrator | None:
    """Return whose key it is, if it is anybody's; raises `KeysUnavailable`."""
    for authenticator in _authenticators:
        if integrator := await authenticator(key):
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
    if prefix != "session" or key in ("", "*") or is_hashed(key):
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
    """Whether a group is below a visitor's own, `auth.user.7.notifications`.

    Those of the console are below each member of the staff.
    """
    if visitor.user is None:
        return False
    if name.startswith(f"{CONSOLE}."):
        return is_staff(visitor.user)
    return name.startswith(f"{user_group(visitor.user.pk)}.")


def is_staff(user: Any) -> bool:
    """Whether a user may use the console."""
    return bool(getattr(user, "is_staff", False) and getattr(user, "is_active", False))


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
        self, subject: Subject, names: Iterable[str], *, rendered: bool = False
    ) -> tuple[list[str], list[str]]:
        """Split names into those granted and those denied.

        What was rendered, by code that is trusted, is granted unless AUTHORIZE says
        no; what is asked for by name, only if something says yes.
        """
        answers: dict[str, bool] = {}
        for name in names:
            certain = self._certain(subject, name, rendered)
            if certain is None:
                certain = _is_yes(await self._ask(subject, name, rendered), rendered)
            answers[name] = certain
        return _divided(answers)

    def allowed_here(
        self, subject: Subject, names: Iterable[str], *, rendered: bool = False
    ) -> tuple[list[str], list[str]]:
        """Split names as `allowed` does, asking in the thread of a request.

        Its transaction may have what AUTHORIZE looks for, and nobody else has yet.
        """
        answers: dict[str, bool] = {}
        for name in names:
            certain = self._certain(subject, name, rendered)
            if certain is None:
                answer = self._ask_here(subject, name, rendered)
                certain = _is_yes(answer, rendered)
            answers[name] = certain
        return _divided(answers)

    def _certain(self, subject: Subject, name: str, rendered: bool) -> bool | None:
        """Return the answer where AUTHORIZE hasn't to be asked."""
        if not is_subscribable(name):
            return False
        if isinstance(subject, Integrator):
            return "subscribe" in subject.scopes and covers(subject.patterns, name)
        if self.is_public(name):
            return True
        if name in automatic(subject)[1:] or is_private_to(subject, name):
            return True
        if is_reserved(name):
            return False
        return rendered if self._authorize is None else None

    async def _ask(self, subject: Subject, name: str, rendered: bool) -> object:
        assert self._authorize
        given = _user_of(subject), name, rendered
        try:
            if inspect.iscoroutinefunction(self._authorize):
                answer = self._authorize(*given)
            else:
                answer = await self._in_pool(self._authorize, *given)
            return await answer if inspect.isawaitable(answer) else answer
        except Exception:
            logger.exception(FAILED)
            return False

    def _ask_here(self, subject: Subject, name: str, rendered: bool) -> object:
        assert self._authorize
        try:
            answer = self._authorize(_user_of(subject), name, rendered)
            return (
                wait_for(_answer_of, answer) if inspect.isawaitable(answer) else answer
            )
        except Exception:
            logger.exception(FAILED)
            return False


async def _answer_of(awaitable: Awaitable[object]) -> object:
    return await awaitable


def _is_yes(answer: object, rendered: bool) -> bool:
    return answer is True or (rendered and answer is None)


def _divided(answers: dict[str, bool]) -> tuple[list[str], list[str]]:
    granted = [name for name, yes in answers.items() if yes]
    return granted, [name for name, yes in answers.items() if not yes]


def _user_of(subject: Subject) -> Any:
    user = subject.user if isinstance(subject, Visitor) else None
    return user or _nobody()


def _nobody() -> Any:
    if not apps.is_installed("django.contrib.auth"):
        return None
    # Late: asgi.py imports this module before Django has loaded its apps.
    from django.contrib.auth.models import AnonymousUser

    return AnonymousUser()


def _user_prefix() -> str:
    # Not of the model, which isn't there without django.contrib.auth.
    label, _, name = django_settings.AUTH_USER_MODEL.rpartition(".")
    return f"{label}.{name.lower()}."
