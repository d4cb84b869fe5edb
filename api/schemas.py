"""What goes in and out, typed."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Any, Literal

from pydantic import (
    AfterValidator,
    BaseModel,
    ConfigDict,
    Field,
    JsonValue,
    PlainSerializer,
    SkipValidation,
    TypeAdapter,
    WithJsonSchema,
    model_validator,
)

from sse_components import operations
from sse_components.events import (
    MAX_NAME,
    Draft,
    check_group,
    check_pattern,
    check_text,
    is_subscribable,
)
from sse_components.groups import is_reserved, user_group, wire_name
from sse_components.revocations import MAX_GRANT_SECONDS
from sse_components.revoking import user_id
from sse_components.wire import parse_cursor

MAX_EVENTS = 1000
"""Events of one batch, each group of an event counted."""

MAX_USERS = 1000
"""Users asked for at once."""

MAX_PAGE = 1000
"""Groups or events of one answer."""


def _group(name: str) -> str:
    return _without_key(check_group(name))


def _pattern(name: str) -> str:
    return _without_key(check_pattern(name))


def _without_key(name: str) -> str:
    if wire_name(name) != name:
        raise ValueError("A session is known here as session.h-…, never by its key.")
    return name


def _grantable(name: str) -> str:
    if not is_subscribable(name):
        raise ValueError("This is neither a group nor a pattern group like news.*.")
    if is_reserved(name):
        raise ValueError("This group is reserved, and isn't granted.")
    return name


def _user(user: str) -> str:
    try:
        return user_id(user)
    except ValueError:
        raise ValueError("This can't be the primary key of a user.") from None


def _cursor(text: str) -> str:
    parse_cursor(text)
    return text


def _event_name(name: str) -> str:
    return check_text("The name of an event", name)


def _component_id(id: str) -> str:
    return check_text("The id of a component", id)


GroupName = Annotated[
    str,
    AfterValidator(_group),
    WithJsonSchema(
        {
            "type": "string",
            "pattern": r"^[A-Za-z0-9_-]+(\.[A-Za-z0-9_-]+)*$",
            "maxLength": MAX_NAME,
            "examples": ["news.updates"],
        }
    ),
]
HeardName = Annotated[
    str,
    WithJsonSchema(
        {
            "type": "string",
            "pattern": r"^[A-Za-z0-9_-]+(\.[A-Za-z0-9_-]+)*(\.\*)?$",
            "maxLength": MAX_NAME,
            "examples": ["news.*"],
        }
    ),
]
"""Of a group or a pattern group."""

GrantedName = Annotated[HeardName, AfterValidator(_grantable)]
PatternName = Annotated[
    str,
    AfterValidator(_pattern),
    WithJsonSchema(
        {"type": "string", "maxLength": MAX_NAME, "examples": ["project.5.**"]}
    ),
]
UserId = Annotated[
    str,
    Field(
        min_length=1,
        max_length=200,
        pattern=r"^[^\x00-\x1f\x7f-\x9f]+$",
        description="The primary key as text.",
        examples=["7"],
    ),
]
KnownUserId = Annotated[UserId, AfterValidator(_user)]
"""In the form in which it is known."""

Cursor = Annotated[
    str,
    AfterValidator(_cursor),
    WithJsonSchema(
        {
            "type": "string",
            # No number that it allows is too large.
            "pattern": r"^[A-Za-z0-9]{1,16}:(0|[1-9][0-9]{0,14}|[1-8][0-9]{15})$",
            "examples": ["7f3a9c21:1763799845130001"],
        }
    ),
]
Data = Annotated[dict[str, Any], Field(examples=[{"headline": "Hello"}])]
Sender = Annotated[
    str,
    Field(
        pattern=r"^[A-Za-z0-9_-]{1,64}\.[A-Za-z0-9_-]{1,64}$",
        examples=["Vb3kQ9xZ.4-2"],
    ),
]
ComponentId = Annotated[
    str,
    AfterValidator(_component_id),
    WithJsonSchema(
        {
            "type": "string",
            "minLength": 1,
            "maxLength": MAX_NAME,
            "pattern": r"^[^\r\n\x00]+$",
            "examples": ["news.NewsTicker:5"],
        }
    ),
]


def _examples(**example: Any) -> ConfigDict:
    return ConfigDict(json_schema_extra={"examples": [example]})


# Ninja's own Schema would validate twice, and read each member through Python.


class _In(BaseModel):
    model_config = ConfigDict(
        extra="forbid", strict=True, use_attribute_docstrings=True
    )


class _Published(_In):
    sender: Sender | None = None
    """The tab and the request that caused the event; its component ignores it."""


class _Out(BaseModel):
    model_config = ConfigDict(from_attributes=True, use_attribute_docstrings=True)


class DataChangedIn(_Published):
    model_config = _examples(data={"headline": "Hello"})

    data: Data = {}
    """Public properties by name. Empty: the components fetch their HTML."""
    update: bool = False
    """Have the components fetch their HTML although there is data."""

    def draft(self, group: str) -> Draft:
        return operations.data_changed(
            group, self.data, update=self.update, sender=self.sender
        )


class ComponentCreatedIn(_Published):
    model_config = _examples(data={"pk": 123})

    data: Data = {}
    component_id: ComponentId | None = None
    target_group: GroupName | None = None
    """Whose components fetch; without it, those of the group."""

    def draft(self, group: str) -> Draft:
        return operations.component_created(
            group,
            self.data,
            component_id=self.component_id,
            target_group=self.target_group,
            sender=self.sender,
        )


class ComponentRemovedIn(_Published):
    model_config = _examples(target_group="demo.todo.234")

    component_id: ComponentId | None = None
    """The one component to remove."""
    key: (
        Annotated[str, Field(min_length=1, max_length=400, examples=["234"])] | None
    ) = None
    """The key of the component to remove."""
    target_group: GroupName | None = None
    """Remove all components subscribed to this group."""

    def draft(self, group: str) -> Draft:
        return operations.component_removed(
            group,
            component_id=self.component_id,
            key=self.key,
            target_group=self.target_group,
            sender=self.sender,
        )


class NotifyIn(_Published):
    model_config = _examples(
        event_name="tetra:alert", data={"message": "System shutdown in 5m"}
    )

    event_name: Annotated[
        str,
        AfterValidator(_event_name),
        WithJsonSchema(
            {
                "type": "string",
                "minLength": 1,
                "maxLength": MAX_NAME,
                "examples": ["tetra:alert"],
            }
        ),
    ]
    data: Data = {}

    def draft(self, group: str) -> Draft:
        return operations.notify(group, self.event_name, self.data, sender=self.sender)


class Addressed(_Published):
    group: GroupName | None = None
    groups: Annotated[list[GroupName], Field(min_length=1, max_length=MAX_EVENTS)] | (
        None
    ) = None
    """Short for one event for each group."""
    user: KnownUserId | None = None
    """For the group of one user, by the primary key."""
    users: Annotated[list[KnownUserId], Field(min_length=1, max_length=MAX_EVENTS)] | (
        None
    ) = None
    """Short for one event for each user."""

    @model_validator(mode="after")
    def _has_one_address(self) -> Addressed:
        given = [self.group, self.groups, self.user, self.users]
        if given.count(None) != len(given) - 1:
            raise ValueError("An event has one of group, groups, user and users.")
        return self

    @property
    def addresses(self) -> list[tuple[str, str]]:
        """The groups, each with its place in the event."""
        if self.group is not None:
            return [("group", self.group)]
        if self.user is not None:
            return [("user", user_group(self.user))]
        if self.groups is not None:
            return [(f"groups/{n}", group) for n, group in enumerate(self.groups)]
        users = enumerate(self.users or ())
        return [(f"users/{n}", user_group(user)) for n, user in users]


def _event(**example: Any) -> ConfigDict:
    # In an allOf: openapi-python-client makes Any of a model with an oneOf of its own.
    one_address: list[JsonValue] = [
        {
            "oneOf": [
                {"required": [name]} for name in ("group", "groups", "user", "users")
            ]
        }
    ]
    return ConfigDict(json_schema_extra={"examples": [example], "allOf": one_address})


DATA_CHANGED = {
    "type": "component.data_changed",
    "groups": ["news.updates", "news.local"],
    "data": {"headline": "Hello"},
}
NOTIFY = {
    "type": "notify",
    "group": "broadcast",
    "event_name": "tetra:alert",
    "data": {"message": "System shutdown in 5m"},
}


class DataChangedEventIn(Addressed, DataChangedIn):
    model_config = _event(**DATA_CHANGED)

    type: Literal["component.data_changed"]


class ComponentCreatedEventIn(Addressed, ComponentCreatedIn):
    model_config = _event(type="component.created", group="demo.todo", data={"pk": 123})

    type: Literal["component.created"]


class ComponentRemovedEventIn(Addressed, ComponentRemovedIn):
    model_config = _event(
        type="component.removed", group="demo.todo", target_group="demo.todo.234"
    )

    type: Literal["component.removed"]


class NotifyEventIn(Addressed, NotifyIn):
    model_config = _event(**NOTIFY)

    type: Literal["notify"]


EventIn = Annotated[
    DataChangedEventIn
    | ComponentCreatedEventIn
    | ComponentRemovedEventIn
    | NotifyEventIn,
    Field(discriminator="type"),
]
event_in: TypeAdapter[
    DataChangedEventIn
    | ComponentCreatedEventIn
    | ComponentRemovedEventIn
    | NotifyEventIn
] = TypeAdapter(EventIn)


TO_A_USER = {
    "type": "notify",
    "user": "7",
    "event_name": "export.ready",
    "data": {"rows": 4711},
}
BATCH: dict[str, Any] = {"events": [DATA_CHANGED, NOTIFY, TO_A_USER]}


class BatchIn(BaseModel):
    model_config = ConfigDict(extra="forbid", json_schema_extra={"examples": [BATCH]})

    events: Annotated[
        list[SkipValidation[EventIn]],  # one by one later: an invalid one fails alone
        Field(min_length=1, max_length=MAX_EVENTS),
    ]


def _text_of(moment: datetime) -> str:
    return moment.isoformat(timespec="microseconds").removesuffix("+00:00") + "Z"


Id = Annotated[str, Field(examples=["7f3a9c21:1763799845130001"])]
Moment = Annotated[
    datetime,
    PlainSerializer(_text_of),
    WithJsonSchema(
        {
            "type": "string",
            "format": "date-time",
            "examples": ["2026-11-22T08:24:05.130001Z"],
        }
    ),
]
"""In UTC, as events have it in their `ts`."""


class PublishedOut(_Out):
    id: Id
    duplicate: bool
    """Whether an earlier request with the same Idempotency-Key had published it."""


class FaultOut(_Out):
    pointer: str
    """A JSON pointer into the body (RFC 6901), or a slash and a parameter's name."""
    message: str


class ResultOut(_Out):
    """What became of one event: an id, or errors."""

    index: int
    """Of the event in the batch."""
    group: str | None
    id: str | None
    duplicate: bool
    errors: list[FaultOut]


class BatchOut(_Out):
    results: list[ResultOut]


class GroupOut(_Out):
    group: GroupName
    subscribers: Annotated[int, Field(examples=[12])]
    """Connections that hear it; at most 5 seconds old."""
    members: Annotated[int, Field(examples=[3])]
    """Users in it, if it is one of `PRESENCE_GROUPS`; else 0."""
    last_id: Id
    """Who hears what is published after it keeps `members` right."""


class HeardGroupOut(_Out):
    group: HeardName
    """A group, or a pattern that was subscribed to as such."""
    subscribers: Annotated[int, Field(examples=[12])]
    """Connections that hear it; at most 5 seconds old."""


class GroupsOut(_Out):
    model_config = _examples(
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


class EventOut(_Out):
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


class EventsOut(_Out):
    model_config = _examples(
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


class MemberOut(_Out):
    user: UserId
    connections: Annotated[int, Field(examples=[2])]
    """Open streams with the group; 0 for a few seconds after the last."""
    since: Moment


class MembersOut(_Out):
    """The users in a group of `PRESENCE_GROUPS`."""

    members: list[MemberOut]
    last_id: Id
    """Who applies `presence.join` and `presence.leave` after it stays right."""


class UsersIn(_In):
    model_config = _examples(users=["7", "8"])

    users: Annotated[list[UserId], Field(min_length=1, max_length=MAX_USERS)]


class StatusOut(_Out):
    user: UserId
    online: bool
    connections: Annotated[int, Field(examples=[2])]
    """Open streams; 0 for a few seconds after the last, and when offline."""
    since: Moment | None
    """Since when, if online."""
    last_seen: Moment | None
    """When last, if offline and that was in the last 30 days."""


class StatusesOut(_Out):
    statuses: list[StatusOut]
    """In the order asked for."""
    last_id: Id
    """Where to begin with the stream `/sse/groups/presence.users`."""


class GrantIn(_In):
    model_config = _examples(groups=["project.5", "project.5.*"], ttl=600)

    groups: Annotated[list[GrantedName], Field(min_length=1)]
    user: UserId | None = None
    """Whose stream it will be, with the groups and the presence of this user."""
    ttl: Annotated[int, Field(ge=1, le=MAX_GRANT_SECONDS)] = 600
    """Seconds in which streams can be opened with it."""


class GrantOut(_Out):
    grant: Annotated[str, Field(examples=[".eJxTKi1OLVKyUoopTjRMMk9NSjFJNkw0"])]
    expires_at: Moment
    stream_url: Annotated[
        str, Field(examples=["https://example.com/sse/stream?grant=.eJxTKi1OLV"])
    ]
    """To be opened as it is, without a cookie or a key."""


class HealthOut(_Out):
    status: Annotated[Literal["ok"], Field(examples=["ok"])] = "ok"


class ProblemOut(_Out):
    """Why a request failed (RFC 9457)."""

    type: str = "about:blank"
    title: str
    status: int
    detail: str
    errors: list[FaultOut] = []


ERRORS: dict[int, Any] = dict.fromkeys((401, 403, 422, 429, 503), ProblemOut)
ERRORS_WITH_BODY = ERRORS | dict.fromkeys((400, 413), ProblemOut)
"""Of operations that read one."""
