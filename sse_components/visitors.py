"""Who a browser's request is from, by its session. Blocks: call it in the pool."""

from __future__ import annotations

from functools import cache
from importlib import import_module
from typing import Any

from django.apps import apps
from django.conf import settings
from django.contrib import auth
from django.contrib.sessions.backends.base import SessionBase
from django.http import HttpRequest, parse_cookie

from sse_components.groups import Visitor


def session_key(cookies: str) -> str | None:
    """Return the session key of a Cookie header."""
    return parse_cookie(cookies).get(settings.SESSION_COOKIE_NAME) or None


def look_up(key: str) -> Visitor:
    """Return whose session a key is; an unknown one is nobody's."""
    if "\0" in key:  # which PostgreSQL refuses to look for
        return Visitor(None, None)
    request = HttpRequest()
    request.session = _read_only(settings.SESSION_ENGINE)(key)
    has_users = apps.is_installed("django.contrib.auth")
    user = auth.get_user(request) if has_users else None
    known = request.session.session_key if not request.session.is_empty() else None
    return Visitor(user if user and user.is_authenticated else None, known)


@cache
def _read_only(engine: str) -> type[SessionBase]:
    """A session store that a stream can't change: it has no way to set a cookie.

    `auth.get_user` renews or flushes a session whose hash is out of date, and that
    is for the next ordinary request to do.
    """
    store: type[SessionBase] = import_module(engine).SessionStore

    class ReadOnlyStore(store):  # type: ignore[misc, valid-type]
        def _change_nothing(self, *args: Any, **kwargs: Any) -> None: ...

        def _be_nobodys(self) -> None:
            self._session_key = None
            self._session_cache: dict[str, Any] = {}

        save = delete = cycle_key = _change_nothing
        create = flush = _be_nobodys

    # Sessions are signed with the name of their class as salt.
    ReadOnlyStore.__qualname__ = store.__qualname__
    return ReadOnlyStore
