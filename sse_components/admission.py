"""Who may open a stream, and what it carries; the same for both transports."""

from __future__ import annotations

import logging
import secrets
import time
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass, replace
from math import inf

from sse_components import channels, groups, overhearing, runtime, visitors, wire
from sse_components.errors import BrokerUnavailable, GrantInvalid, KeysUnavailable
from sse_components.events import Position, hashed
from sse_components.grants import COOKIE, Grant, fingerprint
from sse_components.groups import Integrator, Subject, Visitor
from sse_components.hub import Hub
from sse_components.judges import Judge
from sse_components.places import Place
from sse_components.progress import Progress
from sse_components.requests import UNREADABLE, Request
from sse_components.revocations import Whose, key_subject, merged
from sse_components.subscriber import Subscriber, Transport
from sse_components.wire import Condition, Farewell, Frame, Id, Vector

RETRY = 2000
"""Milliseconds after which a native EventSource comes back."""

logger = logging.getLogger("sse_components.stream")


@dataclass(frozen=True, slots=True)
class Opening:
    """A stream that may be opened."""

    allowed: Sequence[str]
    denied: Sequence[str]
    cursor: Id | None
    expires: int | None
    """When the first of its grants expires, in seconds since 1970."""
    whose: Whose
    automatic: frozenset[str]
    """Those of the allowed that nobody asked for."""
    lasts: float
    """Seconds after which it has to be decided anew."""


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
    judge: Judge,
    place: Place | None,
    request: Request,
    group: str | None = None,
    *,
    may_be_empty: bool = False,
) -> Opening:
    """Find what a stream carries; raises `Ended`, also if that is nothing.

    With a group it is that and nothing else. One that may be empty is refused only
    what it asks for. One that isn't held by this process takes no place in it.
    """
    settings = runtime.settings()
    if judge.draining:
        raise Ended(judge.farewell("shutdown"))
    if request.is_too_long:
        text = "The query is longer than 64 KiB."
        raise Denied("bad_request", text)
    await recalled(judge)
    asked = request.groups if group is None else [group]
    grants = granted(judge, request, request.grants) if group is None else []
    rendered = [name for grant in grants for name in grant.groups]
    if len({*asked, *rendered}) > settings.max_groups:
        text = f"A stream carries at most {settings.max_groups} groups."
        raise Denied("too_many_groups", text)
    is_page = group is None and not grants
    position = judge.judged  # from before the visitor is looked up
    subject = await find_subject(judge, request, asked, is_page=is_page)
    page = merged([grant.whose for grant in grants]) if grants else None
    whose = whose_of(request, grants, subject, position)
    if whose.user is not None and place and not place.claim(whose.user):
        most = settings.max_streams_per_user
        logger.warning("A user has %s streams in this process, and wants more", most)
        raise Ended(judge.farewell("busy"))
    allowed, denied = await runtime.policy().allowed(subject, asked)
    # Nothing is waited for from here until a hub has the stream: what is revoked
    # before that is seen here, and what is revoked after it, there.
    lately = replace(whose, position=position)  # when the policy was asked
    if not is_current(judge, whose) or judge.revocations.among(lately, allowed):
        raise Ended(judge.farewell("regrant"))
    rendered, revoked = split(judge, grants)
    denied += [name for name in revoked if name not in (*allowed, *denied)]
    if denied:
        most = len({*asked, *rendered, *denied})
        logger.warning("Denied %s of %s groups asked for", len(denied), most)
    automatic: list[str] = []
    if page and not (grants[0].bearer and page.user is None):
        automatic = groups.automatic_of(page.user, page.session)
    elif is_page and isinstance(subject, Visitor):
        automatic = groups.automatic(subject)
    carried = list(dict.fromkeys([*automatic, *rendered, *allowed]))
    if not carried and (asked or not may_be_empty):
        text = "None of the groups asked for is allowed."
        raise Denied("forbidden", text, denied)
    expires = min((grant.expires for grant in grants), default=None)
    lasts = subject.expires - time.time() if isinstance(subject, Integrator) else inf
    return Opening(
        carried, denied, request.cursor, expires, whose, frozenset(automatic), lasts
    )


async def enter(
    hub: Hub, opening: Opening, transport: Transport, kind: str
) -> tuple[str, Subscriber]:
    """Open a stream; return the connection's name, and its end of the hub."""
    connection = secrets.token_urlsafe(9)

    def greeting(id: Id | None) -> Frame:
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
    subscriber = await hub.open(
        overhearing.overheard(transport, connection),
        opening.allowed,
        placed(opening.cursor, opening.allowed),
        greeting,
        opening.whose,
        opening.lasts,
        kind,
        connection,
        opening.denied,
    )
    return connection, subscriber


def placed(cursor: Id | None, names: Collection[str]) -> Position | Progress | None:
    """Return a cursor as a hub takes it, which knows groups by their names."""
    if not isinstance(cursor, Vector):
        return cursor
    if not channels.are_of(cursor.positions, names):
        return UNREADABLE
    try:
        return Progress(cursor, channels.tag)
    except ValueError:
        return UNREADABLE


def granted(judge: Judge, request: Request, texts: Sequence[str]) -> list[Grant]:
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
    if len({grant.whose.user for grant in grants}) > 1:
        text = "The grants are of several users."
        raise Denied("bad_request", text)
    if not all(is_current(judge, grant.whose) for grant in grants):
        raise Denied("grant_expired", "The grant is no longer valid.")
    return grants


def is_current(judge: Judge, whose: Whose) -> bool:
    """Whether what somebody had at a position can still be told to be right.

    What was revoked in another epoch nobody remembers.
    """
    known = whose.position.epoch == judge.position.epoch
    return known and not judge.revocations.cover(whose)


async def find_subject(
    judge: Judge, request: Request, asked: Sequence[str], *, is_page: bool
) -> Subject:
    """Find who asks; a visitor isn't looked up where it makes no difference.

    Raises `Ended`.
    """
    if keys := request.keys:
        return await _integrator(judge, keys)
    session_key = visitors.session_key(request.headers.get("cookie", ""))
    policy = runtime.policy()
    all_are_public = not is_page and all(policy.is_public(name) for name in asked)
    if session_key is None or all_are_public:
        return Visitor()
    try:
        return await runtime.pool().run(visitors.look_up, session_key)
    except Exception:
        logger.exception("A session could not be looked up")
        raise Ended(judge.farewell("unavailable")) from None


async def _integrator(judge: Judge, keys: Iterable[str]) -> Integrator:
    try:
        for key in keys:
            if integrator := await groups.authenticate(key):
                return integrator
    except KeysUnavailable:
        raise Ended(judge.farewell("unavailable")) from None
    raise Denied("forbidden", "The API key is not valid.")


async def recalled(judge: Judge) -> None:
    """Return when it is known what was revoked; raises `Ended`."""
    try:
        await judge.recalled()
    except BrokerUnavailable:
        raise Ended(judge.farewell("unavailable")) from None


def split(judge: Judge, grants: Iterable[Grant]) -> tuple[list[str], list[str]]:
    """Return the groups of grants, and those that were revoked from all of them."""
    held: dict[str, None] = {}
    revoked: dict[str, None] = {}
    for grant in grants:
        lost = judge.revocations.among(grant.whose, grant.groups)
        revoked |= dict.fromkeys(lost)
        held |= dict.fromkeys(name for name in grant.groups if name not in lost)
    return list(held), [name for name in revoked if name not in held]


def whose_of(
    request: Request, grants: Sequence[Grant], subject: Subject, position: Position
) -> Whose:
    """Return who a stream is for: whoever grants name, and who was looked up.

    Whatever of it is revoked, the stream may have something because of it.
    """
    several = [grant.whose for grant in grants]
    if isinstance(subject, Integrator):
        several.append(Whose(position, others=frozenset({key_subject(subject.name)})))
    elif isinstance(subject, Visitor) and (not grants or subject != Visitor()):
        cookie = request.cookies.get(COOKIE)
        key = subject.session_key
        visitor = Whose(
            position,
            user=None if subject.user is None else str(subject.user.pk),
            browser=fingerprint(cookie) if cookie else None,
            session=hashed(key) if key else None,
        )
        several.append(visitor)
    return merged(several) if several else Whose(position)
