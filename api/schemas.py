"""What else goes in and out, typed, and the errors that operations declare."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field

from sse_components.revocations import MAX_GRANT_SECONDS

from .values import GrantedName, GroupName, HeardName, Id, Moment, Sender, UserId

MAX_USERS = 1000
"""Users asked for at once."""

MAX_GRANTED = 1000
"""Groups of one grant, whatever `MAX_GROUPS` says."""

MAX_PAGE = 1000
"""Groups or events of one answer."""


def examples(**example: Any) -> ConfigDict:
    """Return the configuration of a schema with an example."""
    return ConfigDict(json_schema_extra={"examples": [example]})


# Ninja's own Schema would validate twice, and read each member through Python.


class In(BaseModel):
    """What comes in: strictly what is declared."""

    model_config = ConfigDict(
        extra="forbid", strict=True, use_attribute_docstrings=True
    )


class Out(BaseModel):
    """What goes out: of anything that has the attributes."""

    model_config = ConfigDict(from_attributes=True, use_attribute_docstrings=True)


class PublishedOut(Out):
    id: Id
    duplicate: bool
    """Whether an earlier request with the same Idempotency-Key had published it."""


class FaultOut(Out):
    pointer: str
    """A JSON pointer into the body (RFC 6901), or a slash and a parameter's name."""
    message: str


class ResultOut(Out):
    """What became of one event: an id, or errors."""

    index: int
    """Of the event in the batch."""
    group: str | None
    id: str | None
    duplicate: bool
    errors: list[FaultOut]


class BatchOut(Out):
    results: list[ResultOut]


class GroupOut(Out):
    group: GroupName
    subscribers: Annotated[int, Field(examples=[12])]
    """Connections that hear it; at most 5 seconds old."""
    members: Annotated[int, Field(examples=[3])]
    """Users in it, if it is one of `PRESENCE_GROUPS`; else 0."""
    last_id: Id
    """Who hears what is published after it keeps `members` right."""


class HeardGroupOut(Out):
    group: HeardName
    """A group, or a pattern that was subscribed to as such."""
    subscribers: Annotated[int, Field(examples=[12])]
    """Connections that hear it; at most 5 seconds old."""


class GroupsOut(Out):
    model_config = examples(
        groups=[
            {"group": "news.*", "subscribers": 3},
            {"group": "news.updates", "subscribers": 12},
        ],
        next="news.updates",
    )

    groups: list[HeardGroupOut]
    """By name, ascending in the order of ASCII."""
    next: Annotated[str | None, Field(examples=["news.updates"])]
    """What to ask for as `after` to get what follows; null at the end."""


EVENT = {
    "id": "7f3a9c21:1763799845130001",
    "type": "component.data_changed",
    "group": "news.updates",
    "payload": {"data": {"headline": "Hello"}, "update": False},
    "sender": None,
    "ts": "2026-11-22T08:24:05.130001Z",
}


class EventOut(Out):
    """An event as it is on a stream."""

    id: Id
    type: Annotated[str, Field(examples=["component.data_changed"])]
    group: GroupName
    payload: Annotated[
        Any, Field(examples=[{"data": {"headline": "Hello"}, "update": False}])
    ]
    """What the type says it is."""
    sender: Sender | None
    """The tab and the request that caused it."""
    ts: Moment


class EventsOut(Out):
    model_config = examples(
        events=[EVENT],
        reset=False,
        last_id="7f3a9c21:1763799851000000",
        more=False,
    )

    events: list[EventOut]
    """In the order in which they were published."""
    reset: bool
    """Whether events may be missing; there are none in this answer then."""
    last_id: Id
    """Where to go on: the last event's id if there are more, else the present."""
    more: bool
    """Whether there are more at once."""


class MemberOut(Out):
    user: UserId
    connections: Annotated[int, Field(examples=[2])]
    """Open streams with the group; 0 for a few seconds after the last."""
    since: Moment


class MembersOut(Out):
    """The users in a group of `PRESENCE_GROUPS`."""

    members: list[MemberOut]
    last_id: Id
    """Who applies `presence.join` and `presence.leave` after it stays right."""


class UsersIn(In):
    model_config = examples(users=["7", "8"])

    users: Annotated[list[UserId], Field(min_length=1, max_length=MAX_USERS)]


class StatusOut(Out):
    user: UserId
    online: bool
    connections: Annotated[int, Field(examples=[2])]
    """Open streams; 0 for a few seconds after the last, and when offline."""
    since: Moment | None
    """Since when, if online."""
    last_seen: Moment | None
    """When last, if offline and that was in the last 30 days."""


class StatusesOut(Out):
    statuses: list[StatusOut]
    """In the order asked for."""
    last_id: Id
    """Where to begin with the stream `/sse/groups/presence.users`."""


class GrantIn(In):
    model_config = examples(groups=["project.5", "project.5.*"], ttl=600)

    groups: Annotated[list[GrantedName], Field(min_length=1, max_length=MAX_GRANTED)]
    user: UserId | None = None
    """Whose stream it will be, with the groups and the presence of this user."""
    ttl: Annotated[int, Field(ge=1, le=MAX_GRANT_SECONDS)] = 600
    """Seconds in which streams can be opened with it."""


class GrantOut(Out):
    grant: Annotated[str, Field(examples=[".eJxTKi1OLVKyUoopTjRMMk9NSjFJNkw0"])]
    expires_at: Moment
    stream_url: Annotated[
        str, Field(examples=["https://example.com/sse/stream?grant=.eJxTKi1OLV"])
    ]
    """To be opened as it is, without a cookie or a key."""


class HealthOut(Out):
    status: Annotated[Literal["ok"], Field(examples=["ok"])] = "ok"


class ProblemOut(Out):
    """Why a request failed (RFC 9457)."""

    type: str = "about:blank"
    title: str
    status: int
    detail: str
    errors: list[FaultOut] = []


ERRORS: dict[int, Any] = dict.fromkeys((401, 403, 422, 429, 503), ProblemOut)
ERRORS_WITH_BODY = ERRORS | dict.fromkeys((400, 413), ProblemOut)
"""Of operations that read one."""
