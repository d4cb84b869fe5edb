"""The renewal of grants: what a page may hear is decided again, with the database."""

from __future__ import annotations

import logging
import time
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Final

from django.http import HttpRequest, HttpResponse

from sse_components import admission, runtime
from sse_components.components.page import page_of
from sse_components.errors import BrokerUnavailable, GrantInvalid
from sse_components.events import NOWHERE
from sse_components.grants import COOKIE, Grant
from sse_components.groups import Visitor
from sse_components.judges import Judge
from sse_components.posts import Refused, answer, body_of, posted
from sse_components.revocations import Whose
from sse_components.waiting import wait_for

RENEWED_SECONDS: Final = 12 * 3600
"""How long what rendering has decided is renewed; after that it is rendered again."""
MOST: Final = 100
"""Grants that are merged at a time."""
MAX_GRANT: Final = 6000
"""Characters: it is in an address, and servers take 8 KiB."""

logger = logging.getLogger("sse_components.grants")


@posted
def renew(request: HttpRequest) -> HttpResponse:
    """Answer one grant in place of some, less what isn't allowed any more.

    With `groups` in the body, those it names are all that is left of the grants'.
    """
    judge = _judge()
    page = page_of(request)  # with the position from before the visitor was looked up
    if page.position == NOWHERE:  # without a hub it is that of what was read
        page.position = judge.judged
    body = body_of(request)
    grants = _read(body.get("grants"))
    wanted = _wanted(body.get("groups"))
    user = page.visitor.user
    if not getattr(user, "is_active", True):  # some backends don't look at it
        raise Refused(403, "forbidden", "The user is not active.")
    for grant in grants:
        _check(judge, grant, request.COOKIES.get(COOKIE), user and str(user.pk))
    rendered, asked = _decided(judge, page.visitor, grants, wanted)
    most = runtime.settings().max_groups
    if len(rendered) + len(asked) > most:
        raise Refused(403, "size", f"A stream carries at most {most} groups.")
    bound = any(grant.whose.browser is not None for grant in grants)
    text, expires = runtime.grants().issue(
        [*rendered, *asked],
        page.whose(bound=bound or page.is_personal),
        asked=asked,
        issued=min(grant.issued for grant in grants),
    )
    if len(text) > MAX_GRANT:
        raise Refused(403, "size", f"A grant has at most {MAX_GRANT} characters.")
    return answer(
        {
            "grant": text,
            "expires_at": datetime.fromtimestamp(expires, UTC),
            "expires": expires - int(time.time()),
        }
    )


def _judge() -> Judge:
    hub = runtime.hub()
    if hub is None:
        if runtime.settings().grip_url and runtime.has_streams():
            return _read_judge()
        raise Refused(503, "unavailable", "This process serves no streams.")
    if not hub.is_recalled:
        raise Refused(503, "unavailable", "What was revoked is not known yet.")
    return hub


def _read_judge() -> Judge:
    """Return one for a process whose streams a proxy holds."""
    try:
        return wait_for(runtime.judge)
    except BrokerUnavailable:
        raise Refused(503, "unavailable", "The broker is away.") from None


def _read(texts: object) -> list[Grant]:
    if not isinstance(texts, list) or not 0 < len(texts) <= MOST:
        raise Refused(400, "body", f"grants is a list of 1 to {MOST} texts.")
    try:
        return [runtime.grants().read(str(text), expired=True) for text in texts]
    except GrantInvalid as error:
        raise Refused(403, "forbidden", str(error)) from None


def _wanted(names: object) -> set[str] | None:
    if names is None:
        return None
    if not isinstance(names, list) or not all(isinstance(name, str) for name in names):
        raise Refused(400, "body", "groups is a list of names.")
    return set(names)


def _decided(
    judge: Judge, visitor: Visitor, grants: Sequence[Grant], wanted: set[str] | None
) -> tuple[list[str], list[str]]:
    """Return what is granted again as rendered, and what as asked for by name."""
    allowed_once, revoked = admission.split(judge, grants)
    names = [name for name in allowed_once if wanted is None or name in wanted]
    rendered = {
        name
        for grant in grants
        for name in admission.split(judge, [grant])[0]
        if name not in grant.asked
    }
    allowed = runtime.policy().allowed_here
    ours, denied = allowed(
        visitor, [name for name in names if name in rendered], rendered=True
    )
    theirs, refused = allowed(visitor, [name for name in names if name not in rendered])
    if lost := len(revoked) + len(denied) + len(refused):
        logger.info("Renewed without %s groups", lost)
    return ours, theirs


def _check(judge: Judge, grant: Grant, cookie: str | None, user: str | None) -> None:
    """Refuse what this visitor has no right to any more, or what is too old."""
    if grant.bearer or not grant.is_for(cookie):
        raise Refused(403, "forbidden", "The grant is another browser's.")
    if grant.whose.user not in (None, user):
        raise Refused(403, "forbidden", "The grant is another user's.")
    # Which of a user's groups were revoked in another epoch, nobody remembers.
    browser = Whose(grant.whose.position, browser=grant.whose.browser)
    if not admission.is_current(judge, browser):
        raise Refused(403, "grant_expired", "The grant is no longer valid.")
    if grant.issued + RENEWED_SECONDS <= time.time():
        raise Refused(403, "grant_expired", "The grant is too old to be renewed.")
