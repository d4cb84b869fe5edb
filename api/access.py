"""What a key may do: the scope of every operation, and the groups it is about."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Final, Literal, get_args

from django.http import HttpRequest

from sse_components.events import NOWHERE, Position
from sse_components.groups import Integrator, covers

from .schemas import FaultOut

Scope = Literal["publish", "read", "subscribe", "manage"]
"""What an operation does. Each operation names the one that it needs."""

SCOPES: Final[tuple[str, ...]] = get_args(Scope)

EVERYTHING: Final = "**"


@dataclass(frozen=True, slots=True)
class Holder(Integrator):
    """Whose key a request came with."""

    rate: float | None = None
    """Requests a second; None is what the setting says."""
    asked: Position = field(default=NOWHERE, compare=False)
    """From before it was found out."""


class Forbidden(Exception):
    """The key is valid, and may not do this."""

    def __init__(self, detail: str, faults: Sequence[FaultOut] = ()) -> None:
        super().__init__(detail)
        self.faults = list(faults)


def caller(request: HttpRequest) -> Holder:
    """Return whose key a request came with."""
    owner: Holder = request.auth  # type: ignore[attr-defined]  # Ninja sets it
    return owner


def check_scope(owner: Integrator, scope: Scope) -> None:
    """Raise `Forbidden` if a key lacks the scope of an operation."""
    if scope not in owner.scopes:
        raise Forbidden(f"The key lacks the scope {scope}.")


def check_read(request: HttpRequest, group: str) -> None:
    """Raise `Forbidden` if a key's patterns don't give a group to read."""
    if not covers(caller(request).patterns, group):
        raise _outside(group)


def check_publish(request: HttpRequest, group: str) -> None:
    """Raise `Forbidden` if a key's patterns don't give a group to publish to."""
    if not may_publish(caller(request), group):
        raise _outside(group)


def check_revoke(request: HttpRequest, pattern: str) -> None:
    """Raise `Forbidden` if a key's patterns don't cover one to be revoked."""
    if not _may_revoke(caller(request).patterns, pattern):
        raise _outside(pattern)


def may_publish(owner: Integrator, group: str) -> bool:
    """Whether a key's patterns give a group to publish to.

    That shows nobody anything, and every user has a group, so `**` is really all.
    """
    return EVERYTHING in owner.patterns or covers(owner.patterns, group)


def _may_revoke(patterns: Iterable[str], pattern: str) -> bool:
    if pattern.endswith(EVERYTHING):  # which a pattern of one segment doesn't cover
        patterns = [one for one in patterns if one.endswith(EVERYTHING)]
    return EVERYTHING in patterns or covers(patterns, pattern)


def _outside(name: str) -> Forbidden:
    return Forbidden(f"The patterns of the key don't cover {name}.")
