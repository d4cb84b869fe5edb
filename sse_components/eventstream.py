"""django-eventstream's extension points, over our broker, our grants and our policy."""

from __future__ import annotations

import json
import logging
import time
from collections.abc import Mapping
from dataclasses import replace
from functools import lru_cache
from typing import Any, Final, NoReturn

from django.http import HttpRequest
from django_eventstream.channelmanager import (  # type: ignore[import-untyped]
    DefaultChannelManager,
)
from django_eventstream.event import Event  # type: ignore[import-untyped]
from django_eventstream.eventrequest import (  # type: ignore[import-untyped]
    EventRequest,
)
from django_eventstream.eventstream import (  # type: ignore[import-untyped]
    EventPermissionError,
)
from django_eventstream.storage import (  # type: ignore[import-untyped]
    EventDoesNotExist,
    StorageBase,
)

from sse_components import operations, runtime
from sse_components.admission import is_current, split
from sse_components.errors import (
    GrantInvalid,
    InvalidCursor,
    InvalidGroup,
    InvalidPayload,
)
from sse_components.events import Draft, Position, check_group
from sse_components.grants import COOKIE, Grant
from sse_components.groups import Visitor, wire_name
from sse_components.requests import UNREADABLE
from sse_components.waiting import wait_for
from sse_components.wire import parse_position

__all__ = ["ChannelManager", "Storage"]

SEQS: Final = 10**16
"""More than there are seqs: an id's last 16 digits are the seq."""
LONGEST_EPOCH: Final = 16
NAMES_LOGGED: Final = 1000

logger = logging.getLogger("sse_components.eventstream")


class Storage(StorageBase):  # type: ignore[misc]
    """Has `send_event` publish to our broker, and its own view read our history.

    Data that is JSON, as `send_event` makes it, is the payload as it is; other text,
    which there is with `json_encode=False`, is a payload that is a text. Ids are
    positions in one number. Channels that aren't groups are left alone: of those
    nothing is kept.
    """

    def append_event(self, channel: str, event_type: str, data: object) -> Event:
        """Publish as `ComponentDispatcher.sync.publish` does, and raise as it does."""
        group = _group(channel)
        if group is None:
            _log_left_alone(channel)
            return Event(channel, event_type, data, id=0)
        draft = _draft(group, event_type, data)
        (published,) = runtime.publisher().publish([draft])
        id = _id(published.position)
        return Event(channel, event_type, _data(draft.payload), id=id)

    def get_events(self, channel: str, last_id: int, limit: int = 100) -> list[Event]:
        """Return what was published after an id; raises `EventDoesNotExist`.

        Wherever a stream would have said `stream-reset`. Raises `BrokerUnavailable`.
        """
        group = _group(channel)
        if group is None:
            raise EventDoesNotExist(f"Nothing is kept of {channel!r}.", 0)
        cursor = _position(last_id)
        missed = wait_for(runtime.broker().resume, cursor, [group], limit)
        if group in missed.lost:
            text = "What came after this id can't be given."
            raise EventDoesNotExist(text, _id(missed.present))
        return [
            Event(channel, event.type, _data(event.payload), id=_id(event.position))
            for event in missed.events
        ]

    def get_current_id(self, channel: str) -> int:
        """Return an id that is before all that is published from now on."""
        if _group(channel) is None:
            return 0
        return _id(wait_for(runtime.broker().position))


class ChannelManager(DefaultChannelManager):  # type: ignore[misc]
    """Has its own view honour our grants, and ask our policy for everything else."""

    def get_channels_for_request(
        self, request: HttpRequest, view_kwargs: Mapping[str, Any]
    ) -> set[str]:
        """Return the groups of `?grant=` beside what the view or `?channel=` names.

        Raises the errors that its view answers with a `stream-error`.
        """
        granted: set[str] = {*_granted(request)}
        asked: set[str] = super().get_channels_for_request(request, view_kwargs)
        return granted | asked  # of equal names a union keeps the left one

    def can_read_channel(self, user: Any, channel: str) -> bool:
        """Whether a grant has answered that already, or else the policy says yes."""
        if isinstance(channel, _Granted):
            return _group(channel) is not None and channel.stands
        if _group(channel) is None:
            return False
        allowed = runtime.policy().allowed
        return channel in wait_for(allowed, Visitor(user), [channel])[0]

    def is_channel_reliable(self, channel: str) -> bool:
        """Whether it is a group, of which our broker keeps history."""
        if _group(channel) is None:
            _log_left_alone(channel)
            return False
        return True


class _Granted(str):
    """A group's name from a valid grant.

    django-eventstream asks whether a user may read a channel without the request, but
    with the names that it was given for it. No client can give it one of this class.
    """

    grant: Grant

    @classmethod
    def by(cls, grant: Grant, name: str) -> _Granted:
        granted = cls(name)
        granted.grant = grant
        return granted

    @property
    def stands(self) -> bool:
        """Whether the grant has neither expired nor been revoked since it was read."""
        hub = runtime.hub()
        return (
            hub is not None
            and time.time() < self.grant.expires
            and is_current(hub, self.grant.whose)
            and self in split(hub, [self.grant])[0]
        )


def _granted(request: HttpRequest) -> list[_Granted]:
    """Read grants as a stream does."""
    try:
        grants = [runtime.grants().read(text) for text in request.GET.getlist("grant")]
    except GrantInvalid as error:
        raise EventPermissionError(str(error)) from None
    cookie = request.COOKIES.get(COOKIE)
    if not all(grant.is_for(cookie) for grant in grants):
        raise EventPermissionError("The grant is another browser's.")
    if len({grant.whose.user for grant in grants}) > 1:
        raise EventRequest.Error("The grants are of several users")
    if not grants:
        return []
    hub = runtime.hub()  # only who hears the broker knows what was revoked
    if hub is None or not hub.is_recalled:
        raise EventPermissionError("What was revoked is not known here.")
    if not all(is_current(hub, grant.whose) for grant in grants):
        raise EventPermissionError("The grant is no longer valid.")
    return [
        _Granted.by(grant, name) for grant in grants for name in split(hub, [grant])[0]
    ]


def _group(channel: str) -> str | None:
    try:
        return check_group(wire_name(channel))
    except InvalidGroup:
        return None


@lru_cache(maxsize=NAMES_LOGGED)
def _log_left_alone(channel: str) -> None:
    """Once for each name, as far as the cache remembers."""
    logger.warning(
        "%.200r is not a group, so its events are django-eventstream's alone: "
        "they reach no stream of ours and are not kept",
        channel,
    )


def _draft(group: str, type: str, data: object) -> Draft:
    try:
        payload, is_text = _parsed(data), False
    except InvalidPayload:
        raise
    except (ValueError, RecursionError):
        payload, is_text = data, True
    draft = operations.publish(group, type, payload)
    # A text, and the JSON of that text, are one payload. Its own view has to tell them
    # apart when it replays: by a space before it, which means nothing in JSON.
    return replace(draft, payload=b" " + draft.payload) if is_text else draft


def _parsed(data: object) -> object:
    """Return what a JSON text says: `send_event` doesn't tell who encodes."""
    if not isinstance(data, str):
        return data
    return json.loads(data, parse_constant=_refuse)


def _refuse(constant: str) -> NoReturn:
    # Python's encoder writes them, and no browser reads them.
    raise InvalidPayload(f"The payload can't be written as JSON: {constant}.")


def _data(payload: bytes) -> str:
    """Return a payload as django-eventstream has it: as it goes on its wire."""
    return str(json.loads(payload)) if payload.startswith(b" ") else payload.decode()


def _id(position: Position) -> int:
    """Return a position as one number: django-eventstream has no other ids.

    The epoch has to be in it, or an id from before a loss of memory would pass.
    """
    return int.from_bytes(position.epoch.encode(), "big") * SEQS + position.seq


def _position(id: int) -> Position:
    """Return the position that a number is; it is the client's word."""
    number, seq = divmod(id, SEQS)
    try:
        epoch = number.to_bytes(LONGEST_EPOCH, "big").lstrip(b"\0").decode("latin-1")
        return parse_position(f"{epoch}:{seq}")
    except (OverflowError, InvalidCursor):
        return UNREADABLE
