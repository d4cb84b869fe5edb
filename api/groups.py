"""Publishing to one group, and who is in it."""

from __future__ import annotations

from typing import Annotated

from django.http import HttpRequest
from ninja import Path, Router, Status

from sse_components import presence, runtime
from sse_components.dispatcher import publish_drafts
from sse_components.events import Draft

from .access import check_publish, check_read
from .auth import needs
from .idempotency import IdempotencyKey, idempotency
from .schemas import (
    ERRORS,
    ERRORS_WITH_BODY,
    ComponentCreatedIn,
    ComponentRemovedIn,
    DataChangedIn,
    GroupName,
    GroupOut,
    MembersOut,
    NotifyIn,
    PublishedOut,
)

router = Router(tags=["groups"])

Group = Annotated[GroupName, Path(description="The name of the group.")]
PUBLISHES = needs("publish") | {"response": {202: PublishedOut} | ERRORS_WITH_BODY}


@router.post("/{group}/data-changed", summary="Change data", **PUBLISHES)
async def data_changed(
    request: HttpRequest, group: Group, body: DataChangedIn, key: IdempotencyKey = None
) -> Status[PublishedOut]:
    """Set public properties of the components of a group.

    Without data, or with `update`, they fetch their HTML.
    """
    return await _publish(request, body.draft(group), key)


@router.post("/{group}/notify", summary="Notify", **PUBLISHES)
async def notify(
    request: HttpRequest, group: Group, body: NotifyIn, key: IdempotencyKey = None
) -> Status[PublishedOut]:
    """Fire an event of any name in the browsers of a group."""
    return await _publish(request, body.draft(group), key)


@router.post("/{group}/component-created", summary="Announce a component", **PUBLISHES)
async def component_created(
    request: HttpRequest,
    group: Group,
    body: ComponentCreatedIn,
    key: IdempotencyKey = None,
) -> Status[PublishedOut]:
    """Have the components of `target_group`, else of the group, fetch their HTML."""
    return await _publish(request, body.draft(group), key)


@router.post("/{group}/component-removed", summary="Remove components", **PUBLISHES)
async def component_removed(
    request: HttpRequest,
    group: Group,
    body: ComponentRemovedIn,
    key: IdempotencyKey = None,
) -> Status[PublishedOut]:
    """Remove the component of an id, of a key, or all of a target group.

    With none of them, all that are subscribed to the group.
    """
    return await _publish(request, body.draft(group), key)


@router.get(
    "/{group}",
    response={200: GroupOut} | ERRORS,
    summary="How many are there",
    **needs("read"),
)
async def group_counts(request: HttpRequest, group: Group) -> GroupOut:
    """Count the connections that hear a group, and the users who are in it."""
    check_read(request, group)
    (subscribers,) = await runtime.publisher().asubscribers([group])
    found = await presence.amembers(group)
    return GroupOut(
        group=group,
        subscribers=subscribers,
        members=len(found.members),
        last_id=found.last_id,
    )


@router.get(
    "/{group}/members",
    response={200: MembersOut} | ERRORS,
    summary="Who is there",
    **needs("read"),
)
async def group_members(request: HttpRequest, group: Group) -> presence.Members:
    """List the users who are in a group, by primary key."""
    check_read(request, group)
    return await presence.amembers(group)


async def _publish(
    request: HttpRequest, draft: Draft, key: str | None
) -> Status[PublishedOut]:
    check_publish(request, draft.group)
    (published,) = await publish_drafts([draft], idempotency(request, key))
    answer = PublishedOut(id=str(published.position), duplicate=published.duplicate)
    return Status(202, answer)
