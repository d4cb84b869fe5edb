"""Signed permission to subscribe to named groups, checked without a database."""

from __future__ import annotations

import hashlib
import secrets
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from hmac import compare_digest
from typing import Final

from django.core import signing

from sse_components.errors import GrantExpired, GrantInvalid, InvalidCursor
from sse_components.events import Position
from sse_components.wire import parse_cursor

SALT: Final = "sse_components.grant"
COOKIE: Final = "sse_browser"
"""The cookie that a bound grant works with; it outlives logins."""


@dataclass(frozen=True, slots=True)
class Grant:
    """What one page may hear.

    `session` is the last segment of the session's group, in which the key can't be
    read. A grant with a `browser` is bound: it works with that browser's cookie only.
    """

    groups: tuple[str, ...]
    user: str | None
    session: str | None
    browser: str | None
    position: Position
    expires: int
    """Seconds since 1970."""

    def is_for(self, cookie: str | None) -> bool:
        """Whether a browser's cookie is the one that it is bound to, if it is."""
        if self.browser is None:
            return True
        return cookie is not None and compare_digest(self.browser, fingerprint(cookie))


class Grants:
    """Issues grants and reads them; older keys in SECRET_KEY_FALLBACKS are honoured."""

    def __init__(self, seconds: float, clock: Callable[[], float] = time.time) -> None:
        self._seconds = seconds
        self._clock = clock

    def issue(
        self,
        groups: Iterable[str],
        position: Position,
        *,
        user: str | None = None,
        session: str | None = None,
        browser: str | None = None,
    ) -> tuple[str, int]:
        """Return a grant as text, fit for a URL, and when it expires."""
        expires = int(self._clock() + self._seconds)
        content = {
            "g": sorted(set(groups)),
            "u": user,
            "s": session,
            "b": browser,
            "p": str(position),
            "e": expires,
        }
        return signing.dumps(content, salt=SALT, compress=True), expires

    def read(self, text: str) -> Grant:
        """Return a grant that is ours; raises `GrantInvalid` or `GrantExpired`."""
        try:
            content = signing.loads(text, salt=SALT)
            grant = Grant(
                groups=tuple(content["g"]),
                user=content["u"],
                session=content["s"],
                browser=content["b"],
                position=parse_cursor(content["p"]),
                expires=content["e"],
            )
        except (signing.BadSignature, KeyError, TypeError, InvalidCursor):
            raise GrantInvalid("This is not a grant of ours.") from None
        if grant.expires <= self._clock():
            raise GrantExpired("The grant has expired.")
        return grant


def new_cookie() -> str:
    """Return the value of a browser's cookie: 128 random bits."""
    return secrets.token_urlsafe(16)


def fingerprint(cookie: str) -> str:
    """Return what stands in a grant for a browser's cookie."""
    return hashlib.sha256(cookie.encode(errors="surrogatepass")).hexdigest()[:32]
