"""Grants for clients that have neither a session nor a key."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime
from urllib.parse import urlencode

from django.contrib.auth import get_user_model
from django.core.exceptions import ObjectDoesNotExist, ValidationError
from django.db import DataError
from django.http import HttpRequest
from ninja import Router, Status

from sse_components import runtime
from sse_components.errors import BrokerUnavailable
from sse_components.events import NOWHERE, Position
from sse_components.revocations import Whose

from .access import Forbidden, caller, check_scope
from .auth import needs
from .problems import invalid_at
from .schemas import ERRORS_WITH_BODY, FaultOut, GrantIn, GrantOut

MAX_GRANT = 6000
"""Characters: it is in an address, and servers take 8 KiB."""

router = Router(tags=["grants"])


@router.post(
    "",
    response={201: GrantOut} | ERRORS_WITH_BODY,
    summary="Issue a grant",
    **needs("subscribe"),
)
async def issue_grant(request: HttpRequest, body: GrantIn) -> Status[GrantOut]:
    """Let whoever has the grant open streams of some groups for a while.

    The key has to cover the groups. With a user, the stream is this user's: it has the
    automatic groups too, it counts as presence, and it is revoked with the user's
    others. For that the key needs the scope `manage` as well.
    """
    position = _position(request)
    await _check_groups(request, body.groups)
    user = None if body.user is None else await _active(request, body.user)
    grant, expires = runtime.grants().issue(
        body.groups,
        Whose(position, user=user),
        seconds=body.ttl,
        bearer=True,
        issuer=caller(request).name,
    )
    if len(grant) > MAX_GRANT:
        message = "The grant is too long for an address. Patterns make it shorter."
        raise invalid_at(message, "groups")
    answer = GrantOut(
        grant=grant,
        expires_at=datetime.fromtimestamp(expires, UTC),
        stream_url=_stream_url(request, grant),
    )
    return Status(201, answer)


def _position(request: HttpRequest) -> Position:
    """Return one from before the key was looked up, which may be revoked by now."""
    position = caller(request).asked
    if position == NOWHERE:
        raise BrokerUnavailable("This process doesn't know the broker's position.")
    return position


async def _check_groups(request: HttpRequest, groups: Sequence[str]) -> None:
    most = runtime.settings().max_groups
    if len(groups) > most:
        raise invalid_at(f"A stream carries at most {most} groups.", "groups")
    _, denied = await runtime.policy().allowed(caller(request), groups)
    if denied:
        faults = [
            FaultOut(pointer=f"/groups/{number}", message=f"{group} is not allowed.")
            for number, group in enumerate(groups)
            if group in denied
        ]
        raise Forbidden("The key doesn't cover all of these groups.", faults)


async def _active(request: HttpRequest, user: str) -> str:
    """Return the id of a user; raises what the request is refused with."""
    check_scope(caller(request), "manage")
    try:
        found = await get_user_model()._default_manager.aget(pk=user)
    except (ObjectDoesNotExist, ValidationError, ValueError, DataError):
        found = None
    if found is None or not found.is_active:
        raise invalid_at("There is no active user with this primary key.", "user")
    return str(found.pk)


def _stream_url(request: HttpRequest, grant: str) -> str:
    root = request.META["SCRIPT_NAME"].rstrip("/")
    query = urlencode({"grant": grant})
    path = f"{root}{runtime.settings().prefix}stream"
    return request.build_absolute_uri(f"{path}?{query}")
