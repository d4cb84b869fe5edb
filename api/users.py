"""Publishing to users, whether they are online, taking from them what they hear."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Annotated

from django.http import HttpRequest, HttpResponse
from ninja import Path, Router, Status

from sse_components import presence
from sse_components.brokers.base import ONLINE
from sse_components.groups import user_group
from sse_components.revoking import adisconnect_user, arevoke, user_id

from .access import check_read, check_revoke
from .auth import needs
from .bodies import DataChangedIn, NotifyIn
from .idempotency import IdempotencyKey
from .problems import invalid_at
from .publishing import PUBLISHES, publish
from .schemas import (
    ERRORS,
    ERRORS_WITH_BODY,
    PublishedOut,
    StatusesOut,
    StatusOut,
    UsersIn,
)
from .values import PatternName, UserId

router = Router(tags=["users"])

User = Annotated[UserId, Path()]
Pattern = Annotated[
    PatternName,
    Path(description="A group, or a pattern: `*` is a segment, a last `**` several."),
]


@router.post("/{user}/data-changed", summary="Change a user's data", **PUBLISHES)
async def user_data_changed(
    request: HttpRequest, user: User, body: DataChangedIn, key: IdempotencyKey = None
) -> Status[PublishedOut]:
    """Set public properties of the components that only one user has.

    They are those of the user's own group, `auth.user.7`, whose name isn't needed. A
    user who has no page open hears nothing.
    """
    return await publish(request, body.draft(user_group(_id(user))), key)


@router.post("/{user}/notify", summary="Notify a user", **PUBLISHES)
async def user_notify(
    request: HttpRequest, user: User, body: NotifyIn, key: IdempotencyKey = None
) -> Status[PublishedOut]:
    """Fire an event of any name in all browsers of one user.

    A user who has no page open hears nothing.
    """
    return await publish(request, body.draft(user_group(_id(user))), key)


@router.get(
    "/{user}/status",
    response={200: StatusOut} | ERRORS,
    summary="See whether a user is online",
    **needs("read"),
)
async def user_status(request: HttpRequest, user: User) -> presence.Status:
    """Tell whether a user is online; one that nobody knows is offline.

    The key needs the group `presence.users`.
    """
    check_read(request, ONLINE)
    return (await _statuses([user])).statuses[0]


@router.post(
    "/status",
    response={200: StatusesOut} | ERRORS_WITH_BODY,
    summary="See who of many is online",
    **needs("read"),
)
async def user_statuses(request: HttpRequest, body: UsersIn) -> presence.Statuses:
    """Tell of up to 1,000 users whether they are online.

    To hear what changes from then on, open `/sse/groups/presence.users` with
    `last_event_id={last_id}`. The key needs the group `presence.users`.
    """
    check_read(request, ONLINE)
    return await _statuses(body.users)


@router.post(
    "/{user}/disconnect",
    response={202: None} | ERRORS,
    summary="End a user's streams",
    **needs("manage"),
)
async def disconnect_user(request: HttpRequest, user: User) -> HttpResponse:
    """End all streams of a user, and revoke all grants so far.

    This is no ban: who is still logged in may come back. Set `is_active` to keep a
    user out.
    """
    await adisconnect_user(_id(user))
    return _nothing(202)


@router.delete(
    "/{user}/groups/{group}",
    response={204: None} | ERRORS,
    summary="Revoke groups",
    **needs("manage"),
)
async def revoke_group(
    request: HttpRequest, user: User, group: Pattern
) -> HttpResponse:
    """Take groups from a user's streams, and from all grants so far."""
    check_revoke(request, group)
    await arevoke(_id(user), group)
    return _nothing(204)


async def _statuses(users: Sequence[str]) -> presence.Statuses:
    """Return the statuses of users, each called as it was asked for."""
    found = await presence.astatuses(_id_or_none(user) or user for user in users)
    pairs = zip(users, found.statuses, strict=True)
    return replace(found, statuses=[replace(one, user=user) for user, one in pairs])


def _id(user: str) -> str:
    """Return a user's id as it is known; raises what the request is refused with."""
    if id := _id_or_none(user):
        return id
    raise invalid_at("This can't be the primary key of a user.", "user")


def _id_or_none(user: str) -> str | None:
    try:
        return user_id(user)
    except ValueError:
        return None


def _nothing(status: int) -> HttpResponse:
    response = HttpResponse(status=status)
    del response["Content-Type"]  # Ninja would have it be JSON, which it isn't
    return response
