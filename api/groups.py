"""Publishing to one group."""

from __future__ import annotations

from typing import Annotated

from django.http import HttpRequest
from ninja import Path, Router, Status

from sse_components.dispatcher import publish_drafts
from sse_components.events import Draft

from .idempotency import IdempotencyKey, idempotency
from .schemas import (
    ComponentCreatedIn,
    ComponentRemovedIn,
    DataChangedIn,
    GroupName,
    NotifyIn,
    ProblemOut,
    PublishedOut,
)

router = Router(tags=["groups"])

Group = Annotated[GroupName, Path(description="The group to publish to.")]
PUBLISHES = {202: PublishedOut} | dict.fromkeys(
    (400, 401, 413, 422, 429, 503), ProblemOut
)


@router.post("/{group}/data-changed", response=PUBLISHES, summary="Change data")
async def data_changed(
    request: HttpRequest, group: Group, body: DataChangedIn, key: IdempotencyKey = None
) -> Status[PublishedOut]:
    """Set public properties of the components of a group.

    Without data, or with `update`, they fetch their HTML.
    """
    return await _publish(request, body.draft(group), key)


@router.post("/{group}/notify", response=PUBLISHES, summary="Notify")
async def notify(
    request: HttpRequest, group: Group, body: NotifyIn, key: IdempotencyKey = None
) -> Status[PublishedOut]:
    """Fire an event of any name in the browsers of a group."""
    return await _publish(request, body.draft(group), key)


@router.post(
    "/{group}/component-created", response=PUBLISHES, summary="Announce a component"
)
async def component_created(
    request: HttpRequest,
    group: Group,
    body: ComponentCreatedIn,
    key: IdempotencyKey = None,
) -> Status[PublishedOut]:
    """Have the components of `target_group`, else of the group, fetch their HTML."""
    return await _publish(request, body.draft(group), key)


@router.post(
    "/{group}/component-removed", response=PUBLISHES, summary="Remove components"
)
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


async def _publish(
    request: HttpRequest, draft: Draft, key: str | None
) -> Status[PublishedOut]:
    (published,) = await publish_drafts([draft], idempotency(request, key))
    answer = PublishedOut(id=str(published.position), duplicate=published.duplicate)
    return Status(202, answer)
