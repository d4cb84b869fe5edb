from __future__ import annotations

import json
import time
from collections.abc import Sequence
from functools import cached_property
from typing import Any

import pytest
from django.contrib.auth.models import AnonymousUser, User
from django.http import HttpRequest
from django.test import Client
from pytest_django import Settings

from project.demo.models import BreakingNews
from sse_components import ReactiveComponent, public, runtime
from sse_components.components.page import page_of
from sse_components.components.state import read
from sse_components.errors import InvalidGroup
from sse_components.events import hashed
from tests.components.pages import (
    Answer,
    call,
    component,
    page,
    request_for,
    root,
    roots,
)

HOSTILE = '"><script>alert(1)</script>'


class Subscribing(ReactiveComponent):
    template = "<p></p>"

    def load(self, names: str | Sequence[str] | None = None) -> None:
        self.names = names

    def get_subscription(self) -> str | Sequence[str] | None:
        return self.names


def groups(names: object, user: Any = None) -> Any:
    request = request_for(user=user)
    html = page('{% component "tests.Subscribing" names %}', request, names=names)
    return json.loads(root(html)["data-sse-groups"])


@pytest.mark.parametrize(
    ("names", "found"),
    [
        (None, []),
        ([], []),
        ("", []),
        ("news.a", ["news.a"]),
        (["news.a", "news.b", "news.a"], ["news.a", "news.b"]),
        ("demo.todo.*", ["demo.todo.*"]),
        ("broadcast", ["broadcast"]),
        ("users", ["users"]),
        ("session", []),
        ("user", []),
    ],
)
def test_a_subscription_is_a_name_or_several(names: object, found: list[str]) -> None:
    assert groups(names) == found


@pytest.mark.parametrize(
    ("names", "found"),
    [
        ("news.b", ["news.b"]),
        (["news.b", "news.c"], ["news.b", "news.c"]),
        (("news.b", "news.b"), ["news.b"]),
        ("", ["news.a"]),
        ([], ["news.a"]),
        (None, ["news.a"]),
    ],
)
def test_the_tag_may_give_another_subscription(
    client: Client, names: object, found: list[str]
) -> None:
    template = '{% component "tests.Subscribing" "news.a" subscribe=names %}'
    shown = root(page(template, names=names))
    assert json.loads(shown["data-sse-groups"]) == found
    answer = call(client, "tests.Subscribing", state=shown["data-sse-state"])
    assert json.loads(root(answer.html)["data-sse-groups"]) == found
    assert runtime.grants().read(answer.json["grant"]).groups == tuple(found)


def test_several_names_in_one_text_are_no_subscription() -> None:
    with pytest.raises(InvalidGroup, match=r"tests\.Subscribing can't subscribe to"):
        page('{% component "tests.Subscribing" subscribe="news.a news.b" %}')


def test_users_is_nothing_for_a_page_of_nobody() -> None:
    request = request_for()
    page('{% component "tests.Subscribing" "users" %}', request)
    assert runtime.grants().read(page_of(request).grant()).groups == ()


def test_a_page_is_granted_the_rows_that_it_shows_and_no_others() -> None:
    request = request_for()
    names = ["demo.todo.1", "demo.todo.2"]
    page('{% component "tests.Subscribing" names %}', request, names=names)
    assert runtime.grants().read(page_of(request).grant()).groups == tuple(names)


# A27
@pytest.mark.parametrize(
    "name",
    [
        HOSTILE,
        "a b",
        "a..b",
        "*",
        "a.**",
        201 * "x",
        "ä",
        5,
        "session.abc",
        "session.h-aaaaaaaaaaaaaaaaaaaaaa",
        "session.*",
        "users.all",
        "presence.users",
        "presence",
        "auth.user.7",
        "auth.user.7.notifications",
        "auth.user.*",
    ],
)
@pytest.mark.parametrize("user", [None, AnonymousUser(), User(pk=8)])
def test_a_name_that_is_no_group_or_is_reserved_is_refused(
    name: object, user: Any
) -> None:
    with pytest.raises(InvalidGroup):
        groups([name], user)
    assert HOSTILE not in page("{{ name }}", name=HOSTILE)


def test_user_stands_for_the_visitors_own_group() -> None:
    user = User(pk=7)
    assert groups("user", user) == ["auth.user.7"]
    assert groups(["user", "session"], AnonymousUser()) == []


def test_a_user_may_have_groups_below_their_own() -> None:
    request = request_for(user=User(pk=7))
    names = ["auth.user.7", "auth.user.7.notifications"]
    page('{% component "tests.Subscribing" names %}', request, names=names)
    assert page_of(request).groups == set(names)


# A16
# A22
@pytest.mark.django_db
def test_session_stands_for_the_visitors_own_group_without_its_key(
    client: Client,
) -> None:
    session = client.session
    session["cart"] = [1]
    session.save()
    key = session.session_key
    assert key
    for given in ["session", f"session.{key}"]:
        request = request_for()
        request.session = session
        html = page('{% component "tests.Subscribing" name %}', request, name=given)
        found = root(html)
        assert json.loads(found["data-sse-groups"]) == [f"session.{hashed(key)}"]
        if given == "session":
            assert key not in html
        assert key not in found["data-sse-groups"]


# A22
@pytest.mark.django_db
def test_a_refused_name_does_not_tell_a_session_key() -> None:
    with pytest.raises(InvalidGroup) as caught:
        groups("session.0123456789abcdefghijklmnopqrstuv")
    assert "0123456789abcdefghijklmnopqrstuv" not in str(caught.value)


def test_a_session_that_is_gone_is_none(db: None, client: Client) -> None:
    request = request_for()
    request.session = type(client.session)("x" * 32)
    html = page('{% component "tests.Subscribing" "session" %}', request)
    assert json.loads(root(html)["data-sse-groups"]) == []
    assert not page_of(request).is_personal


# Covering


class Lists(ReactiveComponent):
    """A list whose items have groups of their own."""

    subscription = "demo.todo"
    covers: str | Sequence[str] | None = "demo.todo.*"
    template = (
        "{% load sse_components %}<ul>{% for n in numbers %}"
        '{% component "tests.Item" n key=n %}{% endfor %}</ul>'
    )

    def load(self, count: int = 2) -> None:
        self.numbers = range(count)


class Item(ReactiveComponent):
    template = "<li>{{ number }}</li>"

    def load(self, number: int) -> None:
        self.number = number

    def get_subscription(self) -> str:
        return f"demo.todo.{self.number}"


class ListsByOwner(Lists):
    owner = public("7")

    def get_covers(self) -> list[str]:
        return [f"user.{self.owner}.todo.*", "demo.todo.*", "demo.todo.*"]

    @public
    def choose(self, owner: str) -> None:
        self.owner = owner


# A61
def test_a_list_covers_its_items_and_does_not_listen_to_them() -> None:
    request = request_for()
    found = roots(page('{% component "tests.Lists" %}', request))
    assert json.loads(found[0]["data-sse-groups"]) == ["demo.todo"]
    assert json.loads(found[0]["data-sse-covers"]) == ["demo.todo.*"]
    assert json.loads(found[1]["data-sse-groups"]) == ["demo.todo.0"]
    assert "data-sse-covers" not in found[1]
    assert page_of(request).groups == {
        "demo.todo", "demo.todo.*", "demo.todo.0", "demo.todo.1"
    }  # fmt: skip


def test_what_is_covered_may_depend_on_the_component() -> None:
    found = component("tests.ListsByOwner")
    assert json.loads(found["data-sse-covers"]) == ["user.7.todo.*", "demo.todo.*"]


# A61
def test_a_list_of_a_thousand_items_is_two_names(client: Client) -> None:
    request = request_for()
    html = page('{% component "tests.Lists" 1000 %}', request)
    assert len(roots(html)) == 1001
    text = page_of(request).grant()
    assert runtime.grants().read(text).groups == ("demo.todo", "demo.todo.*")
    assert len(text) < 250
    state = roots(html)[0]["data-sse-state"]
    answer = call(client, "tests.Lists", state=state)
    assert len(roots(answer.html)) == 1001
    assert len(answer.json["grant"]) < 250


# A27
@pytest.mark.parametrize(
    "pattern",
    [
        HOSTILE,
        "demo.todo",
        "demo.todo.7",
        "*",
        "demo.*.todo",
        "demo.**",
        "session",
        "user",
        "session.*",
        "presence.*",
        "auth.user.*",
        "auth.user.8.*",
        5,
    ],
)
def test_what_is_no_pattern_or_is_reserved_covers_nothing(
    monkeypatch: pytest.MonkeyPatch, pattern: object
) -> None:
    monkeypatch.setattr(Lists, "covers", [pattern])
    with pytest.raises(InvalidGroup, match=r"tests\.Lists can't cover"):
        component("tests.Lists", request_for(user=User(pk=7)))


def _authorize(user: object, group: str, rendered: bool) -> bool:
    return rendered and "secret" not in group


# A56
@pytest.mark.parametrize(
    "body", [{"args": ["secret"]}, {"props": {"owner": "8"}, "args": ["9"]}]
)
def test_a_pattern_made_of_a_pages_value_is_asked_for_by_name(
    client: Client, settings: Settings, body: dict[str, Any]
) -> None:
    settings.SSE_COMPONENTS = {"AUTHORIZE": _authorize}
    answer = call(client, "tests.ListsByOwner", "choose", **body)
    groups = runtime.grants().read(answer.json["grant"]).groups
    assert groups == ("demo.todo", "demo.todo.*")


# Whose choice a group is


class Room(ReactiveComponent):
    room = public("lobby")
    chosen = "lobby"
    _hidden = "lobby"
    template = "<p>{{ room }}</p>"

    def get_subscription(self) -> str | list[str]:
        return f"chat.{self.room}"

    @public
    def nothing(self) -> None: ...

    @public
    def choose(self, room: str) -> None:
        self.chosen = self._hidden = room

    @public.watch("room")
    def copy(self) -> None:
        self.chosen = self.props["room"]

    @public
    def copy_again(self) -> None:
        self.copied = self.chosen

    @public
    def go_on(self) -> None:
        self.chosen = "next"


class RoomOfProps(Room):
    def get_subscription(self) -> str:
        return f"chat.{self.props['room']}"


class RoomLoaded(Room):
    def load(self) -> None:
        self.group = f"chat.{self.room}"

    def get_subscription(self) -> str:
        return self.group


class RoomReplaced(Room):
    def load(self) -> None:
        self.room = self.room.strip()


class RoomRemembered(Room):
    template = "<p>{{ component.group }}</p>"

    @cached_property
    def group(self) -> str:
        return f"chat.{self.room}"

    def get_subscription(self) -> str:
        return self.group


class RoomChosen(Room):
    def get_subscription(self) -> str:
        return f"chat.{getattr(self, 'copied', self.chosen)}"


class RoomHidden(Room):
    def get_subscription(self) -> str:
        return f"chat.{self._hidden}"


class RoomAdded(Room):
    rooms: list[str] = public([])

    def get_subscription(self) -> list[str]:
        return [f"chat.{room}" for room in self.rooms]

    @public
    def add(self, room: str) -> None:
        self.rooms.append(room)


class RoomOfOwner(Room):
    def load(self) -> None:
        self.room = "lobby"


class RoomSet(Room):
    def load(self) -> None:
        self.subscription = f"chat.{self.room}"

    def get_subscription(self) -> Any:
        return super(Room, self).get_subscription()


class RoomSetPlainly(ReactiveComponent):
    room = public("lobby")
    template = "<p></p>"

    def load(self) -> None:
        self.subscription = f"chat.{self.room}"


class Given(ReactiveComponent):
    """Is given its room by what it stands in."""

    template = "<b></b>"

    def load(self, room: str, *more: object, by: str = "lobby") -> None:
        self.room = room if by == "lobby" else by

    def get_subscription(self) -> str | list[str]:
        return f"chat.{self.room}"

    @public
    def keep(self) -> None:
        self.kept = self.room


class GivesOn(ReactiveComponent):
    template = '{% load sse_components %}<div>{% component "tests.Given" room %}</div>'

    def load(self, room: str) -> None:
        self.room = room


class GivesIn(GivesOn):
    template = (
        "{% load sse_components %}<div>{% with r=told.room %}"
        '{% component "tests.Given" r %}{% endwith %}</div>'
    )

    def load(self, room: str) -> None:
        self.told = {"room": room}


class GivesChosen(Room):
    template = (
        "{% load sse_components %}<div>{% with r=chosen %}"
        '{% component "tests.Given" r %}{% endwith %}</div>'
    )
    subscription = "chat.parent"

    def get_subscription(self) -> str:
        return "chat.parent"


class GivesLoud(GivesChosen):
    def load(self) -> None:
        self.chosen = self.room.upper()


class Gives(RoomLoaded):
    """A parent that isn't asked what it gives."""

    rooms: list[str] = public([])
    subscription = "chat.parent"

    def load(self) -> None:
        super().load()
        self.all = ["a", "b", "secret"] if self.room == "secret" else ["a"]

    def get_subscription(self) -> str:
        return "chat.parent"


SECRET: dict[str, Any] = {"props": {"room": "secret"}}
ADDED: dict[str, Any] = {"args": ["secret"]}


@pytest.fixture
def asks(settings: Settings) -> None:
    settings.SSE_COMPONENTS = {"AUTHORIZE": lambda user, group, rendered: True}


def _with_file(settings: Settings, name: str, template: str) -> None:
    """Have a template file beside those of the project."""
    loaders = [
        (
            "django.template.loaders.locmem.Loader",
            {name: "{% load sse_components %}" + template},
        ),
        "django.template.loaders.app_directories.Loader",
    ]
    (engine,) = settings.TEMPLATES
    options = {**engine.get("OPTIONS", {}), "loaders": loaders}
    settings.TEMPLATES = [{**engine, "APP_DIRS": False, "OPTIONS": options}]


def asked(answer: Answer) -> set[str]:
    return set(runtime.grants().read(answer.json["grant"]).asked)


# A56
@pytest.mark.usefixtures("asks")
@pytest.mark.parametrize(
    ("name", "method", "body"),
    [
        ("Room", "_refresh", SECRET),
        ("Room", "nothing", SECRET),
        ("RoomOfProps", "_refresh", SECRET),
        ("RoomOfProps", "nothing", SECRET),
        ("RoomLoaded", "_refresh", SECRET),
        ("RoomLoaded", "_refresh", SECRET | {"pushed": ["room"]}),
        ("RoomLoaded", "nothing", SECRET),
        ("RoomReplaced", "_refresh", SECRET),
        ("RoomRemembered", "_refresh", SECRET),
        ("RoomRemembered", "nothing", SECRET),
        ("RoomChosen", "choose", ADDED),
        ("RoomChosen", "copy", SECRET),
        ("RoomHidden", "choose", ADDED),
        ("RoomAdded", "add", ADDED),
        ("RoomAdded", "_refresh", {"props": {"rooms": ["secret"]}}),
        ("RoomOfOwner", "_refresh", SECRET | {"pushed": ["room"]}),
        ("RoomSet", "_refresh", SECRET),
        ("RoomSetPlainly", "_refresh", SECRET),
    ],
)
def test_a_group_that_the_browser_has_chosen_is_asked_for_however_it_came_about(
    client: Client, name: str, method: str, body: dict[str, Any]
) -> None:
    assert asked(call(client, f"tests.{name}", method, **body)) == {"chat.secret"}


# A56
@pytest.mark.usefixtures("asks")
def test_what_the_browser_has_chosen_stays_its_choice_while_it_is_kept(
    client: Client,
) -> None:
    answer = call(client, "tests.RoomChosen", "choose", args=["secret"])
    for method in ("_refresh", "nothing", "copy_again", "_refresh"):
        state = root(answer.html)["data-sse-state"]
        answer = call(client, "tests.RoomChosen", method, state=state)
        assert asked(answer) == {"chat.secret"}


@pytest.mark.usefixtures("asks")
@pytest.mark.parametrize(
    ("name", "method", "body"),
    [
        ("Room", "_refresh", {"props": {"room": "lobby"}}),
        ("RoomLoaded", "nothing", {"props": {"room": "lobby"}}),
        ("RoomOfOwner", "nothing", SECRET),
        ("RoomChosen", "nothing", SECRET),
        ("RoomChosen", "go_on", {}),
        ("RoomChosen", "go_on", SECRET),
        ("Gives", "_refresh", SECRET),
    ],
)
def test_a_group_that_the_server_would_choose_itself_is_rendered(
    client: Client, name: str, method: str, body: dict[str, Any]
) -> None:
    assert asked(call(client, f"tests.{name}", method, **body)) == set()


class RowOf(ReactiveComponent):
    """Its title is the visitor's, its group the row's."""

    title = public("")
    loads = 0
    template = "<p>{{ title }}</p>"

    def load(self, row: BreakingNews) -> None:
        RowOf.loads += 1
        self.row, self.title = row, row.title

    def get_subscription(self) -> str:
        return f"news.{self.row.pk}"

    @public.watch("title")
    def rename(self, title: str) -> None:
        self.row.title = title


@pytest.mark.django_db
@pytest.mark.usefixtures("asks")
@pytest.mark.parametrize("method", ["_refresh", "rename"])
def test_the_group_of_a_row_is_rendered_whatever_is_typed_into_it(
    client: Client, method: str
) -> None:
    row = BreakingNews.objects.create(title="a")
    state = root(page('{% component "tests.RowOf" row %}', row=row))["data-sse-state"]
    body: dict[str, Any] = {"args": ["b"]} if method == "rename" else {}
    body["props"] = {"title": "b"}
    answer = call(client, "tests.RowOf", method, state=state, **body)
    assert runtime.grants().read(answer.json["grant"]).groups == (f"news.{row.pk}",)
    assert asked(answer) == set()


class LoadsOnce(ReactiveComponent):
    text = public("")
    loads: list[str] = []
    template = "<p x-text='text'></p>"

    def load(self) -> None:
        self.loads.append("")

    def get_subscription(self) -> str | Sequence[str] | None:
        return "news.once"


class LoadsByText(LoadsOnce):
    def load(self) -> None:
        self.loads.append(self.text)


class LoadsOver(LoadsOnce):
    template = "<p>{{ text }}</p>"

    def load(self) -> None:
        self.text = "the server's"
        self.loads.append(self.text)


class LoadsPlainly(LoadsByText):
    subscription = "news.once"
    covers = "news.once.*"
    get_subscription = ReactiveComponent.get_subscription


@pytest.mark.parametrize(
    ("name", "loads"),
    [
        ("LoadsOnce", [""]),
        ("LoadsOver", ["the server's"]),
        ("LoadsPlainly", ["b"]),
        ("LoadsByText", ["b", ""]),
    ],
)
def test_only_what_reads_a_value_of_the_browsers_and_computes_its_groups_loads_twice(
    client: Client, monkeypatch: pytest.MonkeyPatch, name: str, loads: list[str]
) -> None:
    state = component(f"tests.{name}")["data-sse-state"]
    monkeypatch.setattr(LoadsOnce, "loads", [])
    call(client, f"tests.{name}", state=state, props={"text": "b"})
    assert LoadsOnce.loads == loads


class LoadsMore(LoadsByText):
    """What it keeps, it changes when it loads."""

    def __init__(self, request: HttpRequest, page: str) -> None:
        super().__init__(request, page)
        self.texts: list[str] = []

    def load(self) -> None:
        self.texts.append(self.text)


def test_what_is_kept_is_not_changed_by_loading_twice(client: Client) -> None:
    state = component("tests.LoadsMore")["data-sse-state"]
    answer = call(client, "tests.LoadsMore", state=state, props={"text": "b"})
    found = read(root(answer.html)["data-sse-state"], "tests.LoadsMore")
    assert found.attributes == {"texts": ["", "b"]}


class LoadsFor(ReactiveComponent):
    """Can't be loaded without what its page has."""

    number = public("7")
    template = "<p></p>"

    def load(self) -> None:
        if self.request.method == "POST" and self.number == "7":
            raise ValueError
        self.room = f"chat.{self.number}"

    def get_subscription(self) -> str:
        return self.room


# A56
@pytest.mark.usefixtures("asks")
def test_what_cannot_be_loaded_without_the_browser_has_chosen_nothing(
    client: Client,
) -> None:
    answer = call(client, "tests.LoadsFor", props={"number": "8"})
    assert asked(answer) == {"chat.8"}


# Arguments


GIVEN = "{% load sse_components %}<div>{{ room }}"


# A56
@pytest.mark.usefixtures("asks")
@pytest.mark.parametrize(
    "template",
    [
        '{% component "tests.Given" room %}',
        '{% component "tests.Given" room=room %}',
        '{% component "tests.Given" "x" by=room %}',
        '{% component "tests.Given" component.room %}',
        '{% component "tests.Given" component.props.room %}',
        '{% component "tests.Given" ""|add:room %}',
        '{% component "tests.Given" "x" subscribe=group %}',
        '{% component "tests.Given" "x" subscribe="chat."|add:room %}',
        '{% component "tests.GivesOn" room %}',
        '{% component "tests.Given" room as one %}{{ one }}',
        '{% with r=room %}{% component "tests.Given" r %}{% endwith %}',
        '{% with r=room %}{% component "tests.Given" ""|add:r %}{% endwith %}',
        '{% with g=group %}{% component "tests.Given" "x" subscribe=g %}{% endwith %}',
        '{% with g="chat."|add:room %}{% component "tests.Given" "x" subscribe=g %}'
        "{% endwith %}",
        '{% with r=room %}{% component "tests.Given" "x" by=r %}{% endwith %}',
        '{% component "tests.GivesIn" room %}',
        '{% component "tests.GivesIn" room=room %}',
        '{% firstof room as r %}{% component "tests.Given" r %}',
        '{% for r in rooms %}{% component "tests.Given" r key=r %}{% endfor %}',
        '{% include "given.html" with room=room only %}',
        '{% with x=room %}{% include "given.html" with room=x %}{% endwith %}',
    ],
)
def test_an_argument_that_the_browser_has_chosen_chooses_no_group(
    client: Client, monkeypatch: pytest.MonkeyPatch, settings: Settings, template: str
) -> None:
    _with_file(settings, "given.html", '{% component "tests.Given" room %}')
    monkeypatch.setattr(Gives, "template", f"{GIVEN}{template}</div>")
    props = {"room": "secret", "rooms": ["secret"]}
    answer = call(client, "tests.Gives", props=props)
    assert "chat.secret" in answer.html
    assert asked(answer) == {"chat.secret"}
    alone = roots(answer.html)[-1]
    name, state = alone["data-sse-component"], alone["data-sse-state"]
    again = call(client, name, state=state)
    assert asked(again) == {"chat.secret"}


# A56
@pytest.mark.usefixtures("asks")
@pytest.mark.parametrize(
    ("name", "method", "body", "group"),
    [
        ("GivesChosen", "choose", ADDED, "chat.secret"),
        ("GivesLoud", "_refresh", SECRET, "chat.SECRET"),
        ("GivesLoud", "nothing", SECRET, "chat.SECRET"),
    ],
)
def test_a_text_made_of_the_browsers_chooses_no_group_either(
    client: Client, name: str, method: str, body: dict[str, Any], group: str
) -> None:
    assert asked(call(client, f"tests.{name}", method, **body)) == {group}


# A56
@pytest.mark.usefixtures("asks")
def test_what_is_kept_of_an_argument_is_the_browsers_too(
    client: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    template = GIVEN + '{% component "tests.Keeps" room %}</div>'
    monkeypatch.setattr(Gives, "template", template)
    answer = call(client, "tests.Gives", **SECRET)
    for method in ("keep", "_refresh"):
        state = roots(answer.html)[-1]["data-sse-state"]
        answer = call(client, "tests.Keeps", method, state=state)
        assert asked(answer) == {"chat.secret"}


class Keeps(Given):
    kept = "lobby"

    def get_subscription(self) -> list[str]:
        return [f"chat.{self.kept}", f"chat.{self.room}"]


@pytest.mark.django_db
@pytest.mark.usefixtures("asks")
@pytest.mark.parametrize(
    "template",
    [
        '{% component "tests.Given" "secret" %}',
        '{% for r in all %}{% component "tests.Given" r key=r %}{% endfor %}',
        '{% component "tests.Subscribing" "x" subscribe="chat.secret" %}',
        '{% component "tests.Given" "x" room %}',
        '{% component "tests.Listed" room %}',
        '{% component "tests.RowOf" rows.0 %}',
        '{% with r=rows.0 %}{% component "tests.RowOf" r %}{% endwith %}',
        '{% for r in rows %}{% component "tests.RowOf" r %}{% endfor %}',
        '{% for r in rows %}{% component "tests.Given" r.pk key=r.pk %}{% endfor %}',
    ],
)
def test_an_argument_that_the_server_has_chosen_does(
    client: Client, monkeypatch: pytest.MonkeyPatch, template: str
) -> None:
    BreakingNews.objects.create(pk=1, title="lobby")
    BreakingNews.objects.create(pk=2, title="secret")
    rows = property(lambda self: BreakingNews.objects.filter(title=self.room))
    monkeypatch.setattr(Gives, "rows", rows, raising=False)
    monkeypatch.setattr(Gives, "template", f"{GIVEN}{template}</div>")
    answer = call(client, "tests.Gives", **SECRET)
    assert len(roots(answer.html)) > 1
    assert asked(answer) == set()


class Listed(ReactiveComponent):
    subscription = "chat.list"
    covers = "chat.list.*"
    template = "<b></b>"

    def load(self, query: str) -> None: ...


# A56
@pytest.mark.usefixtures("asks")
def test_what_is_rendered_again_by_the_servers_choice_is_rendered(
    client: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    template = GIVEN + '{% component "tests.Given" room %}</div>'
    monkeypatch.setattr(Gives, "template", template)
    answer = call(client, "tests.Gives", **SECRET)
    state = roots(answer.html)[0]["data-sse-state"]
    assert asked(call(client, "tests.Gives", state=state)) == set()


def test_a_pattern_that_authorize_refuses_is_not_granted(settings: Settings) -> None:
    settings.SSE_COMPONENTS = {
        "AUTHORIZE": lambda user, group, rendered: not group.endswith("*")
    }
    request = request_for()
    page('{% component "tests.Lists" %}', request)
    assert runtime.grants().read(page_of(request).grant()).groups == (
        "demo.todo", "demo.todo.0", "demo.todo.1"
    )  # fmt: skip


@pytest.mark.alone
def test_many_items_take_no_longer_each_than_few() -> None:
    def took(count: int) -> float:
        request = request_for()
        start = time.process_time()
        page('{% component "tests.Lists" count %}', request, count=count)
        page_of(request).grant()
        return time.process_time() - start

    took(10)
    few = min(took(250) for _ in range(3))
    many = min(took(2000) for _ in range(3))
    assert many < 2 * 8 * few
