"""What one response shows of components, gathered while it is rendered."""

from __future__ import annotations

import logging
from collections.abc import Collection, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

from django.conf import settings as django_settings
from django.core.exceptions import ImproperlyConfigured
from django.http import HttpRequest

from sse_components import grants, runtime
from sse_components.components import present
from sse_components.components.keys import Keys
from sse_components.events import NOWHERE, Position, hashed, is_pattern, pattern_over
from sse_components.groups import (
    BROADCAST,
    USERS,
    Visitor,
    automatic,
    is_private_to,
    is_reserved,
    session_group,
    user_group,
)
from sse_components.revocations import Whose

MAX_GRANT: Final = 4096
"""Characters of a page's grant: the address of its stream has to fit into 7 KiB."""

logger = logging.getLogger("sse_components.components")


@dataclass(frozen=True)
class Left:
    """A browser and a session that a visitor has logged out of."""

    cookie: str | None
    session_key: str | None


@dataclass
class Page:
    """Kept on the request, which it belongs to."""

    request: HttpRequest
    path: str
    """Path and query of what the browser shows."""
    position: Position = NOWHERE
    """From before anything was read for the page."""
    groups: set[str] = field(default_factory=set)
    """What its grant is for."""
    asked: set[str] = field(default_factory=set)
    """Those of the groups that only the browser's own values asked for."""
    components: int = 0
    keys: Keys = field(default_factory=Keys)
    cookie: str | None = None
    """A new value for the browser's cookie, to be set with the response."""
    left: Left | None = None
    """What is to be revoked with the response, because the visitor has logged out."""
    _located: bool = False

    def locate(self) -> None:
        """Have a position, before anything is read for the first component.

        A process with a hub knows it from the beginning; others ask the broker, once.
        """
        if not self._located:
            self._located = True
            if self.position == NOWHERE:
                self.position = present.asked()

    @property
    def visitor(self) -> Visitor:
        """Who looks at the page."""
        user = getattr(self.request, "user", None)
        session = getattr(self.request, "session", None)
        if session is not None:
            session.keys()  # loads it: until then the key is what the cookie says
        return Visitor(
            user if user is not None and user.is_authenticated else None,
            None if session is None else session.session_key,
        )

    @property
    def is_personal(self) -> bool:
        """Whether the page is one visitor's, and its grant bound to a browser."""
        visitor = self.visitor
        return visitor.user is not None or visitor.session_key is not None

    def add(self, names: Collection[str], *, rendered: bool) -> None:
        """Have groups in the grant; once rendered they are, whoever else asks."""
        if rendered:
            self.asked.difference_update(names)
        else:
            self.asked.update(name for name in names if name not in self.groups)
        self.groups.update(names)

    def own_group(self, name: str) -> str | None:
        """Return the group that "session" or "user" stands for, if there is one."""
        visitor = self.visitor
        if name == "session":
            return visitor.session_key and session_group(visitor.session_key)
        return None if visitor.user is None else user_group(visitor.user.pk)

    def may_have(self, group: str) -> bool:
        """Whether a component may subscribe to a group: not to another visitor's."""
        return (
            not is_reserved(group)
            or group in (BROADCAST, USERS)  # heard anyway by those who may
            or group in automatic(self.visitor)
            or is_private_to(self.visitor, group)
        )

    def grant(self) -> str:
        """Return a grant for what was rendered, as this visitor's page."""
        visitor = self.visitor
        whose = self.whose(bound=self.is_personal)
        names = sorted(
            name
            for name in self.groups
            if not self._is_covered(name)
            and (not is_reserved(name) or is_private_to(visitor, name))
        )
        text, _ = runtime.grants().issue(names, whose, asked=self.asked)
        if len(names) <= runtime.settings().max_groups and len(text) <= MAX_GRANT:
            return text
        advice = (
            f"The page subscribes to {len(names)} groups, and a grant has room for "
            f"{runtime.settings().max_groups} of them and {MAX_GRANT} characters. "
            "Have a list name the pattern that covers all of its items: "
            'covers = "shop.item.*".'
        )
        if django_settings.DEBUG:
            raise ImproperlyConfigured(advice)
        logger.warning("%s What doesn't fit stays without events.", advice)
        return _cut(names, whose, self.asked)

    def whose(self, *, bound: bool) -> Whose:
        """Return who a grant is for; one that is bound works in this browser only."""
        visitor = self.visitor
        return Whose(
            self.position,
            user=None if visitor.user is None else str(visitor.user.pk),
            browser=grants.fingerprint(self._browser()) if bound else None,
            session=visitor.session_key and hashed(visitor.session_key),
        )

    def log_out(self) -> None:
        """Have what this browser was granted revoked once the view has done its work.

        By then the session is gone, which a renewal would find alive until then. Who
        logs out twice has left what there was at first.
        """
        session = getattr(self.request, "session", None)
        before = self.left or Left(None, None)
        cookie = self.request.COOKIES.pop(grants.COOKIE, None)
        key = None if session is None else session.session_key
        self.left = Left(before.cookie or cookie, before.session_key or key)

    def _is_covered(self, name: str) -> bool:
        """Whether a pattern in the grant stands for a name, with no less standing."""
        pattern = pattern_over(name)
        return (
            pattern in self.groups
            and pattern != name
            and not is_reserved(name)
            and (pattern not in self.asked or name in self.asked)
        )

    def _browser(self) -> str:
        cookie = self.request.COOKIES.get(grants.COOKIE) or self.cookie
        if cookie is None:
            cookie = self.cookie = grants.new_cookie()
        return cookie


def _cut(names: Sequence[str], whose: Whose, asked: Collection[str]) -> str:
    """Return a grant for as many groups as fit; a pattern is worth many others."""
    fitting = sorted(names, key=lambda name: not is_pattern(name))
    del fitting[runtime.settings().max_groups :]
    while True:
        text, _ = runtime.grants().issue(fitting, whose, asked=asked)
        if len(text) <= MAX_GRANT:
            return text
        del fitting[len(fitting) * MAX_GRANT // len(text) :]


def page_of(request: HttpRequest) -> Page:
    """Return the page that a request makes; there is one for each."""
    page: Any = getattr(request, "sse_page", None)
    if page is None:
        page = Page(request, request.get_full_path(), present.known())
        request.sse_page = page  # type: ignore[attr-defined]
    return page  # type: ignore[no-any-return]
