"""What one response shows of components, gathered while it is rendered."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from typing import Any

from django.http import HttpRequest

from sse_components import grants, runtime
from sse_components.events import NOWHERE, Position
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
    components: int = 0
    keys: Counter[str] = field(default_factory=Counter)
    """How often a component came without a key, by name."""
    cookie: str | None = None
    """A new value for the browser's cookie, to be set with the response."""

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
        session = visitor.session_key and session_group(visitor.session_key)
        text, _ = runtime.grants().issue(
            (
                name
                for name in self.groups
                if not is_reserved(name) or is_private_to(visitor, name)
            ),
            self.position,
            user=None if visitor.user is None else str(visitor.user.pk),
            session=session.rpartition(".")[2] if session else None,
            browser=grants.fingerprint(self._browser()) if self.is_personal else None,
        )
        return text

    def _browser(self) -> str:
        cookie = self.request.COOKIES.get(grants.COOKIE) or self.cookie
        if cookie is None:
            cookie = self.cookie = grants.new_cookie()
        return cookie


def page_of(request: HttpRequest) -> Page:
    """Return the page that a request makes; there is one for each."""
    page: Any = getattr(request, "sse_page", None)
    if page is None:
        page = Page(request, request.get_full_path(), _present())
        request.sse_page = page  # type: ignore[attr-defined]
    return page  # type: ignore[no-any-return]


def _present() -> Position:
    hub = runtime.hub()
    return hub.position if hub else NOWHERE
