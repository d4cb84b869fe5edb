"""Bodies that publish events, alone and in a batch, and become drafts of them."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import (
    BaseModel,
    ConfigDict,
    Field,
    JsonValue,
    SkipValidation,
    TypeAdapter,
    model_validator,
)

from sse_components import operations
from sse_components.events import Draft
from sse_components.groups import user_group

from .schemas import In, examples
from .values import ComponentId, Data, EventName, GroupName, KnownUserId, Sender

MAX_EVENTS = 1000
"""Events of one batch, each group of an event counted."""


class _Published(In):
    sender: Sender | None = None
    """The tab and the request that caused the event; its component ignores it."""


class DataChangedIn(_Published):
    model_config = examples(data={"headline": "Hello"})

    data: Data = {}
    """Public properties by name. Empty: the components fetch their HTML."""
    update: bool = False
    """Have the components fetch their HTML although there is data."""

    def draft(self, group: str) -> Draft:
        return operations.data_changed(
            group, self.data, update=self.update, sender=self.sender
        )


class ComponentCreatedIn(_Published):
    model_config = examples(data={"pk": 123})

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
    model_config = examples(target_group="demo.todo.234")

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
    model_config = examples(
        event_name="tetra:alert", data={"message": "System shutdown in 5m"}
    )

    event_name: EventName
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
