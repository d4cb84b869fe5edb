"""What streams carry, and what a WebSocket takes and says beside that, described."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from ninja.schema import NinjaGenerateJsonSchema
from pydantic import BaseModel, ConfigDict, Field, RootModel, WithJsonSchema
from pydantic.json_schema import SkipJsonSchema, models_json_schema

from sse_components.events import MAX_NAME
from sse_components.wire import Condition, Reason, Subscribing

from .values import ComponentId, Data, GroupName, Moment, Sender, UserId

REFERENCE = "#/components/schemas/{model}"

Absent = SkipJsonSchema[None]
"""Of a member that is left out, which is something else than null."""
Id = Annotated[
    str,
    Field(
        pattern=r"^[A-Za-z0-9]{1,16}:(0|[1-9][0-9]{0,15})$",
        examples=["7f3a9c21:1763799845130001"],
    ),
]
Names = Annotated[list[str], Field(examples=[["news.updates"]])]
Spread = Annotated[int, Field(ge=1, examples=[4000])]


class _Described(BaseModel):
    model_config = ConfigDict(use_attribute_docstrings=True)


class StreamOpen(_Described):
    """The first frame of a stream."""

    type: Literal["stream-open"]
    id: Id | Absent = None
    """Where the stream begins; absent if the client's cursor can't be used."""
    connection: Annotated[str, Field(examples=["Vb3kQ9xZ0a1_"])]
    groups: Names
    """What the stream carries, pattern groups like `news.*` too."""
    denied: Annotated[list[str], Field(examples=[[]])]
    """What was asked for and is not allowed, or is no group."""
    keep_alive: Annotated[float, Field(examples=[15])]
    """Seconds of silence after which a `keep-alive` comes."""
    retry: Annotated[int, Field(examples=[2000])]
    """Milliseconds to wait before coming back when the connection is lost."""
    expires: Annotated[int | None, Field(examples=[3600])]
    """Seconds until the first of the grants expires, if there are any."""


class KeepAlive(_Described):
    """The stream is alive; with an id, everything up to there has come."""

    type: Literal["keep-alive"]
    id: Id | Absent = None


class StreamReset(_Described):
    """Groups may have missed events: read anew what is known of them."""

    type: Literal["stream-reset"]
    id: Id | Absent = None
    """Where the stream goes on, if all of its groups are reset."""
    groups: Names
    channels: Names
    """The groups again, for clients of django-eventstream."""
    spread: Spread | Absent = None
    """Milliseconds: wait for a random time below it before asking for anything."""


class StreamError(_Described):
    """The stream has ended for good; it is no use to come back with the same."""

    type: Literal["stream-error"]
    id: Literal["error"] | Absent = None
    """A WebSocket that goes on has the same frame without it, as an answer."""
    condition: Condition
    text: Annotated[str, Field(examples=["The API key is not valid."])]
    """For people."""
    groups: Annotated[list[str], Field(examples=[[]])]
    channels: Annotated[list[str], Field(examples=[[]])]
    """The groups again, for clients of django-eventstream."""


class StreamClose(_Described):
    """The stream has ended for now: come back with the cursor."""

    type: Literal["stream-close"]
    reason: Reason
    retry: Annotated[int, Field(ge=500, examples=[2000])]
    """Milliseconds to wait before that."""


class _Event(_Described):
    id: Id
    group: GroupName
    sender: Sender | None
    """The tab and the request that caused the event, if any did."""
    ts: Moment
    """The number in the id, as a time in UTC."""


class _Spread(_Event):
    spread: Spread | Absent = None
    """Milliseconds: wait for a random time below it before asking for anything."""


class DataChangedPayload(_Described):
    data: Data
    """Public properties by name."""
    update: bool
    """Fetch what is shown, although there is data."""
    model: Annotated[str, Field(examples=["demo.todo"])] | Absent = None
    """Whose row it is, if a reactive model tells of it."""


class DataChangedEvent(_Spread):
    type: Literal["component.data_changed"]
    payload: DataChangedPayload


class ComponentCreatedPayload(_Described):
    data: Data
    component_id: ComponentId | None
    target_group: GroupName | None
    """Whose components fetch; null: those of the group."""


class ComponentCreatedEvent(_Spread):
    type: Literal["component.created"]
    payload: ComponentCreatedPayload


class ComponentRemovedPayload(_Described):
    """All null: the components of the group."""

    component_id: ComponentId | None
    key: Annotated[str, Field(examples=["234"])] | None
    target_group: GroupName | None


class ComponentRemovedEvent(_Spread):
    type: Literal["component.removed"]
    payload: ComponentRemovedPayload


class NotifyPayload(_Described):
    event_name: Annotated[str, Field(examples=["tetra:alert"])]
    data: Data


class NotifyEvent(_Spread):
    type: Literal["notify"]
    payload: NotifyPayload


class WhoPayload(_Described):
    user: UserId


class PresenceJoinEvent(_Spread):
    """A user is in the group."""

    type: Literal["presence.join"]
    payload: WhoPayload


class PresenceLeaveEvent(_Spread):
    """A user is no longer in the group."""

    type: Literal["presence.leave"]
    payload: WhoPayload


class OnlinePayload(_Described):
    user: UserId
    last_seen: None


class PresenceOnlineEvent(_Spread):
    """A user is online; in the group `presence.users`."""

    type: Literal["presence.online"]
    payload: OnlinePayload


class OfflinePayload(_Described):
    user: UserId
    last_seen: Moment | None


class PresenceOfflineEvent(_Spread):
    """A user is offline; in the group `presence.users`."""

    type: Literal["presence.offline"]
    payload: OfflinePayload


class CountPayload(_Described):
    members: Annotated[int, Field(ge=0, examples=[1003])]


class PresenceCountEvent(_Spread):
    """How many are in a group that is too large to tell of each."""

    type: Literal["presence.count"]
    payload: CountPayload


class OwnEvent(_Event):
    """An event of a type of one's own, from Python: any that no `Frame` has."""

    type: Annotated[
        str,
        WithJsonSchema(  # pydantic's expressions can't look ahead
            {
                "type": "string",
                "pattern": r"^(?!(stream-|keep-alive|component\.|presence\.)|"
                r"(notify|error|open)$)",
                "maxLength": MAX_NAME,
                "examples": ["report.ready"],
            }
        ),
    ]
    payload: Annotated[Any, Field(examples=[{"pages": 7}])]
    """Whatever JSON can hold."""


_Frames = (
    StreamOpen
    | KeepAlive
    | StreamReset
    | StreamError
    | StreamClose
    | DataChangedEvent
    | ComponentCreatedEvent
    | ComponentRemovedEvent
    | NotifyEvent
    | PresenceJoinEvent
    | PresenceLeaveEvent
    | PresenceOnlineEvent
    | PresenceOfflineEvent
    | PresenceCountEvent
)


class Frame(RootModel[Annotated[_Frames, Field(discriminator="type")]]):
    """What the library sends. What is of any other type is an `OwnEvent`."""


class Pong(_Described):
    """The answer to a `ping`; everything up to the id has come."""

    type: Literal["pong"]
    id: Id


class SubscriptionResponse(_Described):
    """What became of one group."""

    type: Literal["subscription.response"]
    group: Annotated[str, Field(examples=["news.updates"])]
    status: Subscribing
    message: Annotated[str, Field(examples=[""])]


class SocketFrame(
    RootModel[
        Annotated[_Frames | Pong | SubscriptionResponse, Field(discriminator="type")]
    ]
):
    """What a WebSocket carries: frames and answers. The rest are `OwnEvent`s."""


class Ping(_Described):
    type: Literal["ping"]


class Subscribe(_Described):
    type: Literal["subscribe"]
    grants: Annotated[list[str], Field(examples=[[]])] | Absent = None
    groups: Names | Absent = None
    last_event_id: Id | Absent = None
    """The client's cursor: what it has missed of the new groups comes."""


class Unsubscribe(_Described):
    type: Literal["unsubscribe"]
    groups: Names


class SocketMessage(
    RootModel[Annotated[Ping | Subscribe | Unsubscribe, Field(discriminator="type")]]
):
    """What a client says over a WebSocket."""


def schemas() -> dict[str, Any]:
    """Return the schemas of all that streams carry, by name."""
    # An event that no Frame describes is none of Frame's members on purpose: a union
    # of both would tell a client nothing about a frame whose type it has looked at.
    models: list[type[BaseModel]] = [Frame, OwnEvent, SocketFrame, SocketMessage]
    _, described = models_json_schema(
        [(model, "validation") for model in models],
        ref_template=REFERENCE,
        schema_generator=NinjaGenerateJsonSchema,
    )
    found: dict[str, Any] = described["$defs"]
    return found
