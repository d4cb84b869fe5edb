"""Publishing to one group, who is in it, what it has heard; and which there are."""

from __future__ import annotations

from typing import Annotated

from django.http import HttpRequest, HttpResponse
from ninja import Path, Query, Router, Status

from sse_components import presence, runtime, wire
from sse_components.events import MAX_NAME

from .access import caller, check_read
from .auth import needs
from .bodies import ComponentCreatedIn, ComponentRemovedIn, DataChangedIn, NotifyIn
from .idempotency import IdempotencyKey
from .listing import page
from .past import past
from .publishing import PUBLISHES, publish
from .schemas import (
    ERRORS,
    MAX_PAGE,
    EventsOut,
    GroupOut,
    GroupsOut,
    HeardGroupOut,
    MembersOut,
    PublishedOut,
)
from .values import Cursor, GroupName

router = Router(tags=["groups"])

Group = Annotated[GroupName, Path(description="The name of the group.")]
# All is said by Query: where a type says something too, Ninja loses the default.
Prefix = Annotated[
    str,
    Query(
        pattern=r"^[A-Za-z0-9_.-]*$",
        max_length=MAX_NAME,
        description="What the names begin with: `news.`, or `ne`.",
        examples=["news."],
    ),
]
Name = Annotated[
    str,
    Query(
        pattern=r"^[A-Za-z0-9_.*-]*$",
        max_length=MAX_NAME,
        description="`next` of the page before; without it, the first.",
        examples=["news.local"],
    ),
]
Limit = Annotated[
    int,
    Query(
        ge=1, le=MAX_PAGE, description="At most how many are returned.", examples=[100]
    ),
]


@router.get(
    "",
    response={200: GroupsOut} | ERRORS,
    summary="List the groups that are heard",
    **needs("read"),
)
async def list_groups(
    request: HttpRequest,
    prefix: Prefix = "",
    after: Name = "",
    limit: Limit = 100,
) -> GroupsOut:
    """List by name what connections are subscribed to, and how many they are.

    Besides groups these are patterns such as `news.*`: who hears one hears all groups
    below it, and counts for the pattern, not for each of them. What is only published
    to isn't listed, nor what the key's patterns don't give: a page can be shorter than
    `limit`, and the last is the one whose `next` is null.
    """
    found, next = await page(caller(request).patterns, prefix, after, limit)
    groups = [HeardGroupOut(group=it.name, subscribers=it.subscribers) for it in found]
    return GroupsOut(groups=groups, next=next)


@router.post("/{group}/data-changed", summary="Change data", **PUBLISHES)
async def data_changed(
    request: HttpRequest, group: Group, body: DataChangedIn, key: IdempotencyKey = None
) -> Status[PublishedOut]:
    """Set public properties of the components of a group.

    Without data, or with `update`, they fetch their HTML.
    """
    return await publish(request, body.draft(group), key)


@router.post("/{group}/notify", summary="Notify", **PUBLISHES)
async def notify(
    request: HttpRequest, group: Group, body: NotifyIn, key: IdempotencyKey = None
) -> Status[PublishedOut]:
    """Fire an event of any name in the browsers of a group."""
    return await publish(request, body.draft(group), key)


@router.post("/{group}/component-created", summary="Announce a component", **PUBLISHES)
async def component_created(
    request: HttpRequest,
    group: Group,
    body: ComponentCreatedIn,
    key: IdempotencyKey = None,
) -> Status[PublishedOut]:
    """Have the components of `target_group`, else of the group, fetch their HTML."""
    return await publish(request, body.draft(group), key)


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
    return await publish(request, body.draft(group), key)


@router.get(
    "/{group}",
    response={200: GroupOut} | ERRORS,
    summary="Count who is there",
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
    summary="List who is there",
    **needs("read"),
)
async def group_members(request: HttpRequest, group: Group) -> presence.Members:
    """List the users who are in a group, by primary key."""
    check_read(request, group)
    return await presence.amembers(group)


@router.get(
    "/{group}/events",
    response={200: EventsOut} | ERRORS,
    summary="Read what was published",
    **needs("read"),
)
async def group_events(
    request: HttpRequest,
    group: Group,
    after: Annotated[
        Cursor | None,
        Query(description="An id: of an event, or the `last_id` of any answer."),
    ] = None,
    limit: Limit = 100,
) -> HttpResponse:
    """Read what was published to a group after an id, the oldest first.

    Without `after`, all that is remembered. Go on with `last_id`, at once if there is
    `more`; about a megabyte ends an answer before `limit`. With `reset`, events may be
    missing that nobody remembers any more: fetch the state again, then go on.
    A pattern has no events of its own to read; open its stream.
    """
    check_read(request, group)
    cursor = None if after is None else wire.parse_position(after)
    found = await past(group, cursor, limit)
    # As they were sent: another reading and writing could change a number.
    body = b'{"events":[%b],"reset":%b,"last_id":"%b","more":%b}' % (
        b",".join(found.events),
        wire.dumps(found.reset),
        str(found.position).encode(),
        wire.dumps(found.more),
    )
    return HttpResponse(body, content_type="application/json; charset=utf-8")
