"""A chat that shows who is here, and who is online for staff."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from django.conf import settings
from django.contrib.auth import login
from django.contrib.auth.models import User
from django.core.exceptions import PermissionDenied, ValidationError

from project.demo.models import ChatMessage
from project.demo.receivers import STAFF_GROUP
from project.demo.visitors import named
from sse_components import (
    ComponentDispatcher,
    ReactiveComponent,
    disconnect_user,
    presence,
    public,
)
from sse_components.errors import BrokerUnavailable

LOBBY = "chat.lobby"
MESSAGES = 50
"""How many are kept."""
PEOPLE = 100
"""How many staff sees, those who logged in last."""


class Lobby(ReactiveComponent):
    """What was said, and who is here now."""

    name = public("")
    draft = public("")
    subscription = LOBBY
    template_name = "demo/lobby.html"
    fault = ""

    def load(self) -> None:
        newest = ChatMessage.objects.select_related("author")[:MESSAGES]
        self.messages = list(reversed(newest))
        self.people = _here()
        self.asks_names = settings.DEBUG

    @public
    def join(self) -> None:
        """Be somebody: a name is all it takes, as this is a demo."""
        if not settings.DEBUG:
            raise PermissionDenied
        try:
            user = named(self.name)
        except ValidationError as error:
            self.fault = " ".join(error.messages)
            return
        login(self.request, user)
        self.client.redirect(self.page)

    @public
    def say(self) -> None:
        user = self.request.user
        if not user.is_authenticated:
            raise PermissionDenied
        if text := self.draft.strip()[:500]:
            ChatMessage.objects.create(author=user, text=text)
            kept = list(ChatMessage.objects.values_list("pk", flat=True)[:MESSAGES])
            ChatMessage.objects.exclude(pk__in=kept).delete()
            ComponentDispatcher.on_commit.data_changed(LOBBY)
        self.client.update(draft="")

    @public.listen("presence.join")
    @public.listen("presence.leave")
    def someone_moved(self, detail: dict[str, Any]) -> None:
        """Rendering again shows who is here now."""


def _here() -> Sequence[User] | None:
    """Return who is in the lobby, those first who came first; None if nobody knows."""
    try:
        members = presence.members(LOBBY).members
    except BrokerUnavailable:
        return None
    users = User.objects.in_bulk([member.user for member in members])
    came = sorted(members, key=lambda member: member.since)
    return [users[pk] for member in came if (pk := int(member.user)) in users]


@dataclass(frozen=True)
class Person:
    """A user, and whether it is online."""

    user: User
    status: presence.Status


class Online(ReactiveComponent):
    """Who is online and who was; `load` refuses everybody but staff."""

    subscription = STAFF_GROUP
    template_name = "demo/online.html"

    def load(self) -> None:
        if not self.request.user.is_staff:
            raise PermissionDenied
        people = _everybody()
        self.unknown = people is None
        self.online = [one for one in people or [] if one.status.online]
        self.offline = [one for one in people or [] if not one.status.online]
        self.offline.sort(key=_last_seen, reverse=True)

    @public
    def count(self) -> None:
        """Rendering counts: a second tab of a user is a connection, but no event."""

    @public
    def disconnect(self, pk: str) -> None:
        disconnect_user(pk)


def _everybody() -> Sequence[Person] | None:
    """Return who logged in last, by name; None if nobody knows who is online."""
    newest = User.objects.exclude(last_login=None).order_by("-last_login")[:PEOPLE]
    users = sorted(newest, key=lambda user: user.username.lower())
    try:
        statuses = presence.statuses(users).statuses
    except BrokerUnavailable:
        return None
    return [Person(*pair) for pair in zip(users, statuses, strict=True)]


def _last_seen(person: Person) -> float:
    seen = person.status.last_seen
    return 0 if seen is None else seen.timestamp()
