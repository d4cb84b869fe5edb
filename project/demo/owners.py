"""Whose a list or a job is: a browser's, as long as its session, without a login."""

from __future__ import annotations

import secrets

from django.http import HttpRequest

KEY = "demo.owner"


def owner_of(request: HttpRequest) -> str:
    """Return the name that a visitor has in rows and groups.

    Pages show it, as they must not show the session's key. Who has no session gets one
    now, so that the page's grant is good in this browser only.
    """
    session = request.session
    if KEY not in session:
        session[KEY] = secrets.token_hex(8)
        session.save()
    owner: str = session[KEY]
    return owner
