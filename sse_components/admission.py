"""Who may open a stream, and what it carries; the same for both transports."""

from __future__ import annotations

import logging
import secrets
import time
from collections.abc import Sequence
from dataclasses import dataclass

from sse_components import groups, runtime, visitors, wire
from sse_components.errors import GrantInvalid
from sse_components.events import Position
from sse_components.grants import COOKIE, Grant
from sse_components.groups import Subject, Visitor
from sse_components.hub import Hub
from sse_components.places import Place
from sse_components.requests import Request
from sse_components.subscriber import Subscriber, Transport
from sse_components.wire import Condition, Farewell, Frame

RETRY = 2000
"""Milliseconds after which a native EventSource comes back."""

logger = logging.getLogger("sse_components.stream")


@dataclass(frozen=True, slots=True)
class Opening:
    """A stream that may be opened."""

    allowed: Sequence[str]
    denied: Sequence[str]
    cursor: Position | None
    expires: int | None
    """When the first of its grants expires, in seconds since 1970."""
    user: str | None
    automatic: frozenset[str]
    """Those of the allowed that nobody asked for."""


class Ended(Exception):
    """Answered by one frame: a native EventSource would give up at any other status."""

    def __init__(self, frame: Farewell) -> None:
        self.frame = frame


class Denied(Ended):
    """What was asked for is refused, and would be again."""

    def __init__(
        self, condition: Condition, text: str, groups: Sequence[str] = ()
    ) -> None:
        super().__init__(wire.stream_error(condition, text, groups))
        self.aside = wire.stream_error(condition, text, groups, ends=False)
        """For a stream that goes on."""


async def decide(
    hub: Hub,
    place: Place,
    request: Request,
    group: str | None = None,
    *,
    may_be_empty: bool = False,
) -> Opening:
    """Find what a stream carries; raises `Ended`, also if that is nothing.

    With a group it is that and nothing else. One that may be empty is refused only
    what it asks for.
    """
    settings = runtime.settings()
    if hub.draining:
        raise Ended(hub.farewell("shutdown"))
    if request.is_too_long:
        text = "The query is longer than 64 KiB."
        raise Denied("bad_request", text)
    asked = request.groups if group is None else [group]
    grants = granted(request, request.grants) if group is None else []
    rendered = [name for grant in grants for name in grant.groups]
    if len({*asked, *rendered}) > settings.max_groups:
        text = f"A stream carries at most {settings.max_groups} groups."
        raise Denied("too_many_groups", text)
    is_page = group is None and not grants
    subject = await find_subject(hub, request, asked, is_page=is_page)
    user = _user(grants, subject)
    if user is not None and not place.claim(user):
        most = settings.max_streams_per_user
        logger.warning("A user has %s streams in this process, and wants more", most)
        raise Ended(hub.farewell("busy"))
    allowed, denied = await runtime.policy().allowed(subject, asked)
    if denied:
        logger.warning("Denied %s of %s groups asked for", len(denied), len(asked))
    automatic: list[str] = []
    if grants:
        automatic = groups.automatic_of(grants[0].user, grants[0].session)
    elif group is None and isinstance(subject, Visitor):
        automatic = groups.automatic(subject)
    carried = list(dict.fromkeys([*automatic, *rendered, *allowed]))
    if not carried and (asked or not may_be_empty):
        text = "None of the groups asked for is allowed."
        raise Denied("forbidden", text, denied)
    expires = min((grant.expires for grant in grants), default=None)
    return Opening(carried, denied, request.cursor, expires, user, frozenset(automatic))


async def enter(
    hub: Hub, opening: Opening, transport: Transport
) -> tuple[str, Subscriber]:
    """Open a stream; return the connection's name, and its end of the hub."""
    connection = secrets.token_urlsafe(9)

    def greeting(id: Position | None) -> Frame:
        frame = wire.stream_open(
            id,
            connection=connection,
            groups=opening.allowed,
            denied=opening.denied,
            keep_alive=runtime.settings().keep_alive_seconds,
            retry=RETRY,
            expires=opening.expires and int(opening.expires - time.time()),
        )
        return frame.behind(wire.retry(RETRY))

    logger.info("Opened %s with %s groups", connection, len(opening.allowed))
    subscriber = await hub.open(transport, opening.allowed, opening.cursor, greeting)
    return connection, subscriber


def granted(request: Request, texts: Sequence[str]) -> list[Grant]:
    """Read the grants of a page: of one visitor, in the browser they are for.

    Raises `Ended`.
    """
    try:
        grants = [runtime.grants().read(text) for text in texts]
    except GrantInvalid as error:
        raise Denied("grant_expired", str(error)) from None
    cookie = request.cookies.get(COOKIE)
    if not all(grant.is_for(cookie) for grant in grants):
        text = "The grant is another browser's."
        raise Denied("forbidden", text)
    if len({grant.user for grant in grants}) > 1:
        text = "The grants are of several users."
        raise Denied("bad_request", text)
    return grants


async def find_subject(
    hub: Hub, request: Request, asked: Sequence[str], *, is_page: bool
) -> Subject:
    """Find who asks; a visitor isn't looked up where it makes no difference.

    Raises `Ended`.
    """
    if keys := request.keys:
        for key in keys:
            if integrator := groups.authenticate(key):
                return integrator
        raise Denied("forbidden", "The API key is not valid.")
    session_key = visitors.session_key(request.headers.get("cookie", ""))
    policy = runtime.policy()
    all_are_public = not is_page and all(policy.is_public(name) for name in asked)
    if session_key is None or all_are_public:
        return Visitor()
    try:
        return await runtime.pool().run(visitors.look_up, session_key)
    except Exception:
        logger.exception("A session could not be looked up")
        raise Ended(hub.farewell("unavailable")) from None


def _user(grants: Sequence[Grant], subject: Subject) -> str | None:
    """Return whose stream it is, if it is a user's."""
    if grants and grants[0].user is not None:
        return grants[0].user
    if isinstance(subject, Visitor) and subject.user is not None:
        return str(subject.user.pk)
    return None
