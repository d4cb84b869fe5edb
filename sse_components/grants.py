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
from sse_components.revocations import Whose, issuer_subject
from sse_components.wire import parse_position

SALT: Final = "sse_components.grant"
COOKIE: Final = "sse_browser"
"""The cookie that a bound grant works with; it outlives logins."""
NO_ISSUER: Final[frozenset[str]] = frozenset()
"""One for all: each has 216 bytes, and most streams have none."""


@dataclass(frozen=True, slots=True)
class Grant:
    """What one page, or one client of an external system, may hear.

    A grant with a `browser` is bound: it works with that browser's cookie only. One
    that is unbound, or a bearer's, works for whoever has it.
    """

    groups: tuple[str, ...]
    asked: tuple[str, ...]
    """Those of the groups that were decided as asked for by name, not as rendered."""
    whose: Whose
    """With the position from before what was rendered was read."""
    bearer: bool
    """Whether it was issued to an external system, and not for a page."""
    issued: int
    """When what it allows was decided by rendering it, in seconds since 1970."""
    expires: int
    """Seconds since 1970."""

    def is_for(self, cookie: str | None) -> bool:
        """Whether a browser's cookie is the one that it is bound to, if it is."""
        if self.whose.browser is None:
            return True
        return cookie is not None and compare_digest(
            self.whose.browser, fingerprint(cookie)
        )


class Grants:
    """Issues grants and reads them; older keys in SECRET_KEY_FALLBACKS are honoured."""

    def __init__(self, seconds: float, clock: Callable[[], float] = time.time) -> None:
        self._seconds = seconds
        self._clock = clock

    def issue(
        self,
        groups: Iterable[str],
        whose: Whose,
        *,
        asked: Iterable[str] = (),
        seconds: float | None = None,
        issued: int | None = None,
        bearer: bool = False,
        issuer: str | None = None,
    ) -> tuple[str, int]:
        """Return a grant as text, fit for a URL, and when it expires.

        Of the groups those in `asked` are decided as asked for by name when it is
        renewed. It lives as long as the grants of pages do, unless `seconds` says
        otherwise. `issued` is for one that stands in for an older one, `issuer` names
        the external system that it is revoked with.
        """
        names = set(groups)
        now = int(self._clock())
        expires = int(now + (self._seconds if seconds is None else seconds))
        content: dict[str, object] = {
            "g": sorted(names),
            "u": whose.user,
            "s": whose.session,
            "b": whose.browser,
            "p": str(whose.position),
            "i": now if issued is None else issued,
            "e": expires,
            "k": int(bearer),
        }
        if marked := sorted(names.intersection(asked)):
            content["a"] = marked
        if issuer is not None:
            content["x"] = issuer
        return _signer().sign_object(content, compress=True), expires

    def read(self, text: str, *, expired: bool = False) -> Grant:
        """Return a grant that is ours; raises `GrantInvalid` or `GrantExpired`.

        With `expired` also one that was.
        """
        try:
            content = _signer().unsign_object(text)
            whose = Whose(
                position=parse_position(content["p"]),
                user=content["u"],
                browser=content["b"],
                session=content["s"],
                others=_issuers(content.get("x")),
            )
            grant = Grant(
                groups=tuple(content["g"]),
                asked=tuple(content.get("a", ())),
                whose=whose,
                bearer=bool(content["k"]),
                issued=content["i"],
                expires=content["e"],
            )
        except (signing.BadSignature, KeyError, TypeError, InvalidCursor):
            raise GrantInvalid("This is not a grant of ours.") from None
        if grant.expires <= self._clock() and not expired:
            raise GrantExpired("The grant has expired.")
        return grant


def new_cookie() -> str:
    """Return the value of a browser's cookie: 128 random bits."""
    return secrets.token_urlsafe(16)


def fingerprint(cookie: str) -> str:
    """Return what stands in a grant for a browser's cookie."""
    return hashlib.sha256(cookie.encode(errors="surrogatepass")).hexdigest()[:32]


def _issuers(name: str | None) -> frozenset[str]:
    return NO_ISSUER if name is None else frozenset({issuer_subject(name)})


def _signer() -> signing.Signer:
    # Without a timestamp: it has its own, and expires when it says.
    return signing.Signer(salt=SALT)
