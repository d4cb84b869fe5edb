from __future__ import annotations

import json
from collections.abc import AsyncIterator, Iterator
from datetime import UTC, datetime
from typing import Any

import pytest
from asgiref.sync import sync_to_async
from django.contrib.auth.models import User
from django.core import signing
from django.core.cache import cache
from django.core.exceptions import PermissionDenied, ValidationError
from django.db import connection
from django.http import Http404
from django.test import Client
from django.utils import timezone
from django.utils.translation import get_language, gettext, override
from pytest_django import Settings

from project.demo.models import BreakingNews
from sse_components import ComponentDispatcher, ReactiveComponent, public, runtime
from sse_components.components.state import SALT
from sse_components.events import Event, Position
from sse_components.grants import COOKIE
from sse_components.hub import Hub
from tests.components.pages import (
    Answer,
    call,
    component,
    page,
    request_for,
    root,
    roots,
)

SECRET = "the text of an exception"
DATABASE = pytest.mark.django_db


@pytest.fixture(autouse=True)
def _nothing_is_remembered() -> Iterator[None]:
    yield
    cache.clear()


@pytest.fixture
async def hub() -> AsyncIterator[Hub]:
    hub = await runtime.start()
    await hub.recalled()
    yield hub
    await runtime.stop()


@pytest.fixture
def user(db: None, client: Client) -> User:
    """Who is logged in."""
    user = User.objects.create_user("anna")
    client.force_login(user)
    return user


def granted(answer: Answer) -> tuple[str, ...]:
    return runtime.grants().read(answer.json["grant"]).groups


class Ticker(ReactiveComponent):
    """Loads one of what there is, like the brief's."""

    headline = public("")
    subscription = "news.updates"
    template = "<p>{{ headline }}</p>"

    def load(self, title: str = "from load()") -> None:
        self.headline = title


class Counter(ReactiveComponent):
    """Of its properties `load` sets one."""

    loaded = public("default")
    written = public("default")
    edited = public("default")
    count = public(0)
    subscription = "news.counter"
    template = "<p>{{ loaded }}|{{ written }}|{{ edited }}|{{ count }}</p>"
    _methods = "private"
    secret = "private"

    def load(self) -> None:
        self.loaded = "from load()"

    @public
    def write(self, *values: str) -> str:
        self.written = "by the method"
        return f"{self.loaded}|{self.written}|{self.edited}|{values}"

    @public
    def write_loaded(self) -> None:
        self.loaded = "by the method"

    @public
    def nothing(self) -> None: ...

    @public(update=False)
    def quiet(self, by: int = 1) -> int:
        self.count += by
        return self.count

    @public
    def act(self) -> None:
        self.client.dispatch("saved", {"id": 7})
        self.client.update(count=5)
        self.client.redirect("/next")

    @public
    def remove(self) -> None:
        self.client.remove()

    @public
    def needs(self, one: object, two: object = None) -> None: ...

    def private(self) -> None: ...


COUNTER = "tests.Counter"
PROPS = {"loaded": "page", "written": "page", "edited": "page", "count": 3}


# Refreshing


# A31
def test_a_refresh_renders_anew(client: Client) -> None:
    answer = call(client, "tests.Ticker")
    assert answer.status == 200
    assert list(answer.json) == [
        "html", "props", "result", "client", "grant", "position"
    ]  # fmt: skip
    found = root(answer.html)
    assert answer.html.endswith(">from load()</p>")
    assert found["data-sse-component"] == "tests.Ticker"
    assert answer.json["props"] == {"headline": "from load()"}
    assert answer.json["result"] is None
    assert answer.json["client"] == []
    assert answer.json["position"] == "0:0"
    assert granted(answer) == ("news.updates",)


# A30
# A31
def test_a_pushed_value_is_laid_over_what_load_sets_for_one_render(
    client: Client,
) -> None:
    state = component("tests.Ticker")["data-sse-state"]
    props = {"headline": "Hello"}
    answer = call(client, "tests.Ticker", state=state, props=props, pushed=["headline"])
    assert answer.html.endswith(">Hello</p>")
    assert answer.json["props"] == props
    again = call(client, "tests.Ticker", state=root(answer.html)["data-sse-state"])
    assert again.html.endswith(">from load()</p>")


def test_what_was_not_pushed_is_laid_only_over_what_load_does_not_set(
    client: Client,
) -> None:
    answer = call(client, COUNTER, props=PROPS, pushed=["written"])
    assert answer.html.endswith(">from load()|page|page|3</p>")


@pytest.mark.parametrize("pushed", [["__proto__", "_methods", "secret", 5, None], []])
def test_a_name_that_was_pushed_without_a_value_is_ignored(
    client: Client, pushed: list[Any]
) -> None:
    answer = call(client, COUNTER, pushed=["loaded", *pushed])
    assert answer.html.endswith(">from load()|default|default|0</p>")


# A30
# A56
@pytest.mark.parametrize(
    "props",
    [
        {"_methods": "x", "__proto__": {"headline": "x"}, "__class__": "x"},
        {"secret": "x", "subscription": "news.other", "template": "<b></b>"},
        {"request": "x", "page": "/x", "watch": "x", "client": "x", "load": "x"},
        {"public_methods": "x", "write": "x", "unknown": "x", "": "x", "a.b": "x"},
    ],
)
def test_what_is_not_a_public_property_is_ignored(
    client: Client, props: dict[str, Any]
) -> None:
    answer = call(client, COUNTER, "write", props=props, pushed=list(props))
    assert answer.status == 200
    assert answer.html.endswith(">from load()|by the method|default|0</p>")
    assert list(answer.json["props"]) == ["loaded", "written", "edited", "count"]
    assert granted(answer) == ("news.counter",)


# A30
def test_values_of_another_type_are_refused_by_name(client: Client) -> None:
    props = {"count": "many", "edited": 5, "written": "right"}
    for method in ("_refresh", "write"):
        answer = call(client, COUNTER, method, props=props)
        assert answer.status == 422
        assert answer.code == "props"
        assert [error["pointer"] for error in answer.json["errors"]] == [
            "/props/edited", "/props/count"
        ]  # fmt: skip
        assert all(error["message"] for error in answer.json["errors"])


# A58
async def test_an_answer_is_from_before_its_data_was_read(hub: Hub) -> None:
    before = hub.position
    state = component("tests.Publishes")["data-sse-state"]
    answer = await sync_to_async(call)(Client(), "tests.Publishes", state=state)
    position = answer.json["position"]
    assert position == str(before)
    assert root(answer.html)["data-sse-position"] == position
    events = await runtime.broker().resume(before, ["news.counter"], 10)
    assert [event.type for event in events.events] == ["notify"]


class Publishes(ReactiveComponent):
    """Something is published while it reads."""

    template = "<p></p>"

    def load(self) -> None:
        if self.request.method == "POST":
            ComponentDispatcher.sync.notify("news.counter", "meanwhile")


class OnPage(ReactiveComponent):
    template = (
        "{% load sse_components %}"
        '<div>{{ component.page }} {% component "tests.OnPageInside" %}</div>'
    )


class OnPageInside(ReactiveComponent):
    template = "<p>{{ component.page }}</p>"


# A81
def test_a_component_knows_its_page_also_while_it_is_refreshed(client: Client) -> None:
    html = page('{% component "tests.OnPage" %}', request_for("/todo?tab=2"))
    assert html.count("/todo?tab=2") == 2
    answer = call(client, "tests.OnPage", page="/todo?tab=3")
    assert answer.html.count("/todo?tab=3") == 2


@pytest.mark.parametrize(
    "given",
    ["https://evil.example/", "//evil.example", "/\\evil", "javascript:1", 5, "x"],
)
def test_a_page_elsewhere_is_none(client: Client, given: object) -> None:
    answer = call(client, "tests.OnPage", page=given)
    assert answer.html.count("/sse/components/tests.OnPage/_refresh") == 2


class Speaks(ReactiveComponent):
    template = "<p>{{ component.language }}|{{ component.yes }}</p>"

    def language(self) -> str:
        return str(get_language())

    def yes(self) -> str:
        return gettext("Yes")


# A81
def test_a_component_is_refreshed_in_the_language_of_its_page(client: Client) -> None:
    with override("de"):
        state = component("tests.Speaks")["data-sse-state"]
    answer = call(client, "tests.Speaks", state=state)
    assert answer.html.endswith(">de|Ja</p>")


class There(ReactiveComponent):
    """Tells where it is, and so does what is in it."""

    inner = False
    template = (
        "{% load sse_components tz %}<div>{{ component.page }}|{{ moment|date:'H:i' }}|"
        '{% now "T" %}|{{ component.yes }}'
        '{% if not inner %}{% component "tests.There" inner=True %}{% endif %}</div>'
    )

    def load(self, inner: bool = False) -> None:
        self.inner = inner
        self.moment = datetime(2026, 11, 22, 8, 0, tzinfo=UTC)

    def yes(self) -> str:
        return gettext("Yes")

    @public
    def nothing(self) -> None: ...


# A81
@pytest.mark.parametrize("method", ["_refresh", "nothing"])
def test_a_page_of_another_language_and_zone_is_refreshed_as_it_was(
    client: Client, method: str
) -> None:
    where = "/de/todo?page=2"
    with override("de"), timezone.override("Europe/Berlin"):
        html = page('{% component "tests.There" %}', request_for(where))
    shown = f"{where}|09:00|CET|Ja"
    assert html.count(shown) == 2
    for found in roots(html):
        state = found["data-sse-state"]
        for _ in range(2):
            with override("fr"), timezone.override("Asia/Tokyo"):
                answer = call(client, "tests.There", method, state=state, page=where)
            assert answer.html.count(shown) == len(roots(answer.html))
            state = roots(answer.html)[0]["data-sse-state"]


# Subscriptions


class Chosen(ReactiveComponent):
    category = public("sport")
    fixed = public("")
    template = "{% load sse_components %}<p>{{ category }}</p>"

    def load(self) -> None:
        self.fixed = "own"

    def get_subscription(self) -> list[str]:
        return [f"room.{self.category}", f"news.{self.fixed}"]

    @public
    def choose(self, category: str) -> None:
        self.category = category


def _authorize(user: object, group: str, rendered: bool) -> bool:
    return group == "room.open" and not rendered


def test_a_group_made_of_a_servers_value_is_granted(client: Client) -> None:
    assert granted(call(client, "tests.Chosen")) == ("news.own", "room.sport")
    props = {"fixed": "from the page"}  # which load() replaces
    answer = call(client, "tests.Chosen", props=props)
    assert granted(answer) == ("news.own", "room.sport")


# A56
@pytest.mark.parametrize(
    ("method", "body"),
    [
        ("_refresh", {"props": {"category": "secret"}}),
        ("_refresh", {"props": {"fixed": "secret"}, "pushed": ["fixed"]}),
        ("choose", {"args": ["secret"]}),
        ("choose", {"props": {"category": "secret"}, "args": ["secret"]}),
    ],
)
def test_a_group_made_of_a_pages_value_is_not_granted(
    client: Client, settings: Settings, method: str, body: dict[str, Any]
) -> None:
    settings.SSE_COMPONENTS = {"AUTHORIZE": _authorize}
    answer = call(client, "tests.Chosen", method, **body)
    assert answer.status == 200
    assert not [name for name in granted(answer) if "secret" in name]


def test_a_group_made_of_a_pages_value_is_granted_if_authorize_says_so(
    client: Client, settings: Settings
) -> None:
    settings.SSE_COMPONENTS = {
        "AUTHORIZE": _authorize, "PUBLIC_GROUPS": ["news.*"]
    }  # fmt: skip
    answer = call(client, "tests.Chosen", "choose", args=["open"])
    assert granted(answer) == ("news.own", "room.open")


# A56
@pytest.mark.parametrize(
    ("method", "body", "asked"),
    [
        ("_refresh", {}, ()),
        ("_refresh", {"props": {"category": "sport"}}, ()),
        ("_refresh", {"props": {"category": "open"}}, ("room.open",)),
        ("choose", {"args": ["open"]}, ("room.open",)),
    ],
)
def test_the_grant_tells_what_a_pages_value_has_asked_for(
    client: Client,
    settings: Settings,
    method: str,
    body: dict[str, Any],
    asked: tuple[str, ...],
) -> None:
    settings.SSE_COMPONENTS = {"PUBLIC_GROUPS": ["news.*", "room.*"]}
    answer = call(client, "tests.Chosen", method, **body)
    assert runtime.grants().read(answer.json["grant"]).asked == asked


class Parent(ReactiveComponent):
    subscription = "news.parent"
    template = (
        "{% load sse_components %}<ul>{% for n in '12' %}"
        '<li>{% component "tests.Child" n key=n %}</li>{% endfor %}</ul>'
    )


class Child(ReactiveComponent):
    template = "<p></p>"

    def load(self, number: str) -> None:
        self.number = number

    def get_subscription(self) -> str:
        return f"news.child.{self.number}"


# A14
def test_the_grant_of_an_answer_is_for_the_children_too(client: Client) -> None:
    answer = call(client, "tests.Parent")
    assert [one["data-sse-id"] for one in roots(answer.html)] == [
        "tests.Parent", "tests.Child:1", "tests.Child:2"
    ]  # fmt: skip
    assert granted(answer) == ("news.child.1", "news.child.2", "news.parent")


class Search(ReactiveComponent):
    """Loads what a property of its page says."""

    text = public("")
    template = "<p>{{ found|join:',' }}</p>"

    def load(self) -> None:
        self.found = [one for one in ("ab", "bc", "cd") if self.text in one]

    @public
    def nothing(self) -> None: ...

    @public
    def widen(self) -> None:
        self.text = ""

    @public(update=False)
    def seen(self) -> list[str]:
        return self.found


@pytest.mark.parametrize("pushed", [[], ["text"]])
@pytest.mark.parametrize("method", ["_refresh", "nothing"])
def test_load_sees_the_properties_of_its_page(
    client: Client, method: str, pushed: list[str]
) -> None:
    answer = call(client, "tests.Search", method, props={"text": "b"}, pushed=pushed)
    assert answer.html.endswith(">ab,bc</p>")


def test_a_method_sees_what_was_loaded_for_its_page(client: Client) -> None:
    answer = call(client, "tests.Search", "seen", props={"text": "b"})
    assert answer.json["result"] == ["ab", "bc"]


def test_after_a_method_load_sees_what_that_has_set(client: Client) -> None:
    answer = call(client, "tests.Search", "widen", props={"text": "b"})
    assert answer.html.endswith(">ab,bc,cd</p>")


# Methods


def test_a_method_sees_the_properties_of_its_page(client: Client) -> None:
    answer = call(client, COUNTER, "write", props=PROPS, args=["a", "b"])
    assert answer.json["result"] == "page|by the method|page|('a', 'b')"


def test_what_a_method_writes_and_what_the_page_edited_stay_and_load_wins_else(
    client: Client,
) -> None:
    answer = call(client, COUNTER, "write", props=PROPS)
    assert answer.html.endswith(">from load()|by the method|page|3</p>")
    assert answer.json["props"] == {
        "loaded": "from load()", "written": "by the method", "edited": "page",
        "count": 3,
    }  # fmt: skip
    assert granted(answer) == ("news.counter",)


def test_what_a_method_writes_stays_also_over_what_load_sets(client: Client) -> None:
    answer = call(client, COUNTER, "write_loaded", props=PROPS)
    assert answer.html.endswith(">by the method|page|page|3</p>")


def test_a_method_may_leave_the_html_as_it_is(client: Client) -> None:
    answer = call(client, COUNTER, "quiet", props={"count": 3}, args=[4])
    assert answer.json["html"] is None
    assert answer.json["grant"] is None
    assert answer.json["result"] == 7
    assert answer.json["props"]["count"] == 7


@pytest.mark.parametrize(
    ("method", "written"),
    [("write", ["written"]), ("quiet", ["count"]), ("write_loaded", ["loaded"])],
)
def test_an_answer_tells_what_the_method_has_set(
    client: Client, method: str, written: list[str]
) -> None:
    assert call(client, COUNTER, method, props=PROPS).json["written"] == written


@pytest.mark.parametrize("method", ["nothing", "act", "remove", "_refresh"])
def test_an_answer_tells_of_nothing_that_only_load_or_the_page_has_set(
    client: Client, method: str
) -> None:
    assert "written" not in call(client, COUNTER, method, props=PROPS).json


def test_a_method_says_what_is_to_be_done_in_the_page(client: Client) -> None:
    answer = call(client, COUNTER, "act")
    assert answer.json["client"] == [
        ["dispatch", "saved", {"id": 7}],
        ["update", {"count": 5}],
        ["redirect", "/next"],
    ]
    assert answer.html


def test_what_removes_itself_is_not_rendered(client: Client) -> None:
    answer = call(client, COUNTER, "remove")
    assert answer.json["client"] == [["remove"]]
    assert answer.json["html"] is None


@pytest.mark.parametrize("arguments", [[], [1, 2, 3]])
def test_another_number_of_arguments_is_refused(
    client: Client, arguments: list[int]
) -> None:
    answer = call(client, COUNTER, "needs", args=arguments)
    assert (answer.status, answer.code) == (422, "args")
    assert answer.json["errors"][0]["pointer"] == "/args"


class Row(ReactiveComponent):
    template = "<p>{{ title }}</p>"

    def load(self, row: BreakingNews) -> None:
        row.refresh_from_db()
        self.row, self.title = row, row.title

    @public
    def rename(self, title: str) -> int:
        self.row.title = title
        self.row.save()
        return self.row.pk

    @public
    def delete(self) -> None:
        self.row.delete()

    @public
    def look_elsewhere(self) -> None:
        BreakingNews.objects.get(pk=0)


def row_state(row: BreakingNews) -> str:
    return root(page('{% component "tests.Row" row %}', row=row))["data-sse-state"]


@DATABASE
def test_a_model_is_fetched_for_each_call(client: Client) -> None:
    row = BreakingNews.objects.create(title="before")
    state = row_state(row)
    BreakingNews.objects.update(title="meanwhile")
    assert call(client, "tests.Row", state=state).html.endswith(">meanwhile</p>")
    answer = call(client, "tests.Row", "rename", state=state, args=["after"])
    assert answer.json["result"] == row.pk
    assert answer.html.endswith(">after</p>")
    assert root(answer.html)["data-sse-id"] == f"tests.Row:{row.pk}"


# A55
@DATABASE
@pytest.mark.parametrize("method", ["_refresh", "rename"])
def test_what_is_gone_is_gone(client: Client, method: str) -> None:
    row = BreakingNews.objects.create(title="before")
    state = row_state(row)
    row.delete()
    answer = call(client, "tests.Row", method, state=state, args=["x"])
    assert (answer.status, answer.code) == (410, "gone")


@DATABASE
def test_what_deletes_its_row_is_gone(client: Client) -> None:
    row = BreakingNews.objects.create(title="before")
    answer = call(client, "tests.Row", "delete", state=row_state(row))
    assert (answer.status, answer.code) == (410, "gone")
    assert not BreakingNews.objects.exists()


@DATABASE
def test_what_a_method_does_not_find_does_not_remove_the_component(
    client: Client, caplog: pytest.LogCaptureFixture
) -> None:
    row = BreakingNews.objects.create(title="before")
    answer = call(client, "tests.Row", "look_elsewhere", state=row_state(row))
    assert (answer.status, answer.code) == (500, "error")
    assert "DoesNotExist" in caplog.text


# Senders


class Announces(ReactiveComponent):
    template = "<p></p>"

    @public
    def announce(self, sender: str | None = None) -> None:
        ComponentDispatcher.sync.notify("news.counter", "saved", sender=sender)


async def announced(cursor: Position) -> list[Event]:
    return list((await runtime.broker().resume(cursor, ["news.counter"], 10)).events)


# A49
@pytest.mark.parametrize(
    ("headers", "sender"),
    [
        ({"X-SSE-Tab": "tab1", "X-SSE-Request": "7"}, "tab1.7"),
        ({"X-SSE-Tab": "tab1"}, None),
        ({"X-SSE-Request": "7"}, None),
        ({"X-SSE-Tab": "a.b", "X-SSE-Request": "7"}, None),
        ({"X-SSE-Tab": 'x"}\r\nid: 1', "X-SSE-Request": "7"}, None),
        ({"X-SSE-Tab": 65 * "x", "X-SSE-Request": "7"}, None),
        ({"X-SSE-Tab": "ä", "X-SSE-Request": "7"}, None),
        ({"X-SSE-Tab": "", "X-SSE-Request": ""}, None),
    ],
)
async def test_what_a_call_publishes_says_which_tab_and_request_caused_it(
    hub: Hub, headers: dict[str, str], sender: str | None
) -> None:
    feed = await runtime.broker().feed()
    cursor = await feed.subscribe(["news.counter"])
    state = component("tests.Announces")["data-sse-state"]
    answer = await sync_to_async(call)(
        Client(), "tests.Announces", "announce", state=state, headers=headers
    )
    assert answer.status == 200
    await ComponentDispatcher.notify("news.counter", "by nobody")
    first, second = await announced(cursor)
    assert first.sender == sender
    assert second.sender is None


async def test_a_sender_that_is_given_wins(hub: Hub) -> None:
    feed = await runtime.broker().feed()
    cursor = await feed.subscribe(["news.counter"])
    state = component("tests.Announces")["data-sse-state"]
    headers = {"X-SSE-Tab": "tab1", "X-SSE-Request": "7"}
    await sync_to_async(call)(
        Client(), "tests.Announces", "announce", state=state, headers=headers,
        args=["other.1"],
    )  # fmt: skip
    (event,) = await announced(cursor)
    assert event.sender == "other.1"


def test_a_request_is_run_once(client: Client) -> None:
    def write(**others: str) -> Answer:
        headers = {"X-SSE-Tab": "tab1", "X-SSE-Request": "7"} | others
        return call(client, COUNTER, "write", state=state, headers=headers)

    state = component(COUNTER)["data-sse-state"]
    assert write().status == 200
    again = write()
    assert (again.status, again.code) == (409, "repeated")
    assert write(**{"X-SSE-Request": "8"}).status == 200
    assert write(**{"X-SSE-Tab": "tab2"}).status == 200


def test_a_refresh_may_be_repeated_and_so_may_what_names_no_request(
    client: Client,
) -> None:
    headers = {"X-SSE-Tab": "tab1", "X-SSE-Request": "7"}
    for _ in range(2):
        assert call(client, COUNTER, headers=headers).status == 200
        assert call(client, COUNTER, "write").status == 200


# Refusals


@pytest.mark.parametrize(
    ("name", "method", "code"),
    [
        ("tests.Missing", "_refresh", "component"),
        ("nothing", "_refresh", "component"),
        (COUNTER, "private", "method"),
        (COUNTER, "load", "method"),
        (COUNTER, "get_subscription", "method"),
        (COUNTER, "__init__", "method"),
        (COUNTER, "_methods", "method"),
        (COUNTER, "loaded", "method"),
        (COUNTER, "public_methods", "method"),
        (COUNTER, "Write", "method"),
    ],
)
def test_what_is_not_public_cannot_be_called(
    client: Client, name: str, method: str, code: str
) -> None:
    answer = call(client, name, method, state="x")
    assert (answer.status, answer.code) == (404, code)


@pytest.mark.parametrize("state", ["", "x", "a:b:c", 5, None, [], {"c": COUNTER}])
@pytest.mark.parametrize("method", ["_refresh", "write"])
def test_a_state_that_is_not_ours_is_refused(
    client: Client, state: object, method: str
) -> None:
    raw = json.dumps({"state": state}).encode()
    answer = call(client, COUNTER, method, state="", raw=raw)
    assert (answer.status, answer.code) == (400, "state")


# A56
@pytest.mark.parametrize("method", ["_refresh", "write"])
def test_a_state_of_another_release_is_refused(client: Client, method: str) -> None:
    members: dict[str, Any] = {
        "c": COUNTER,
        "k": None,
        "w": {},
        "s": None,
        "u": None,
        "l": None,
    }
    text = signing.dumps(members | {"a": []}, salt=SALT)
    answer = call(client, COUNTER, method, state=text)
    assert (answer.status, answer.code) == (400, "state")


def test_the_state_of_another_component_is_refused(client: Client) -> None:
    state = component("tests.Ticker")["data-sse-state"]
    answer = call(client, COUNTER, state=state)
    assert (answer.status, answer.code) == (400, "state")


@pytest.mark.parametrize(
    "raw",
    [
        b"",
        b"{",
        b"[]",
        b"null",
        b'"text"',
        b"\xff",
        b'{"state": "x"} x',
        b'{"state": NaN}',
        b'{"props": {"edited": 1e999}}',
        b'{"props": {"edited": "\\ud800"}}',
        b'{"props": []}',
        b'{"props": null}',
        b'{"args": {}}',
        b'{"args": "ab"}',
        b'{"pushed": "loaded"}',
        b'{"pushed": 5}',
        b'{"pushed": null}',
        10_000 * b"[",
    ],
)
def test_a_body_that_is_no_call_is_refused(client: Client, raw: bytes) -> None:
    answer = call(client, COUNTER, state="", raw=raw)
    assert (answer.status, answer.code) == (400, "body")


def test_a_body_over_what_django_takes_is_refused(
    client: Client, settings: Settings
) -> None:
    settings.DATA_UPLOAD_MAX_MEMORY_SIZE = 100
    answer = call(client, COUNTER, props={"edited": 100 * "x"})
    assert (answer.status, answer.code) == (413, "size")


@pytest.mark.parametrize("method", ["get", "put", "delete", "options"])
def test_a_call_is_a_post(client: Client, method: str) -> None:
    response = getattr(client, method)(f"/sse/components/{COUNTER}/write")
    assert response.status_code == 405
    assert response.headers["Allow"] == "POST"


# A20
# A56
def test_a_method_is_called_only_with_a_state_of_the_same_user(
    client: Client, user: User
) -> None:
    nobodys = component(COUNTER)["data-sse-state"]
    own = component(COUNTER, request_for(user=user))["data-sse-state"]
    other = component(COUNTER, request_for(user=User(pk=user.pk + 1)))["data-sse-state"]
    assert call(client, COUNTER, "write", state=own).status == 200
    answer = call(client, COUNTER, "write", state=other)
    assert (answer.status, answer.code) == (409, "state")
    answer = call(Client(), COUNTER, "write", state=own)
    assert (answer.status, answer.code) == (409, "state")
    # Nobody's has nothing in it that isn't everybody's.
    assert call(client, COUNTER, "write", state=nobodys).status == 200
    assert call(Client(), COUNTER, "write", state=nobodys).status == 200


# A82
def test_a_page_from_before_the_login_becomes_the_visitors_own(
    client: Client, user: User
) -> None:
    state = component(COUNTER)["data-sse-state"]
    answer = call(client, COUNTER, "write", state=state)
    own = root(answer.html)["data-sse-state"]
    assert call(client, COUNTER, "write", state=own).status == 200
    refused = call(Client(), COUNTER, "write", state=own)
    assert (refused.status, refused.code) == (409, "state")


# A82
def test_a_refresh_makes_another_users_state_the_visitors_own(
    client: Client, user: User
) -> None:
    answer = call(client, COUNTER)
    assert answer.status == 200
    state = root(answer.html)["data-sse-state"]
    assert call(client, COUNTER, "write", state=state).status == 200
    assert runtime.grants().read(answer.json["grant"]).whose.user == str(user.pk)


# A22
def test_an_answer_to_a_user_is_theirs_and_their_browsers(
    client: Client, user: User
) -> None:
    answer = call(client, "tests.Ticker")
    grant = runtime.grants().read(answer.json["grant"])
    assert grant.is_for(client.cookies[COOKIE].value)
    assert not grant.is_for("another")
    assert client.session.session_key
    assert client.session.session_key not in json.dumps(answer.json)


@DATABASE
def test_a_call_without_the_token_is_refused() -> None:
    client = Client(enforce_csrf_checks=True)
    answer = call(client, COUNTER, "write")
    assert (answer.status, answer.code) == (403, "csrf")
    client.cookies["csrftoken"] = token = 32 * "a"
    answer = call(client, COUNTER, "write", headers={"X-CSRFToken": 32 * "b"})
    assert (answer.status, answer.code) == (403, "csrf")
    answer = call(client, COUNTER, "write", headers={"X-CSRFToken": token})
    assert answer.status == 200


# A26
def test_a_call_from_another_origin_is_refused() -> None:
    client = Client(enforce_csrf_checks=True)
    client.cookies["csrftoken"] = token = 32 * "a"
    headers = {"X-CSRFToken": token, "Origin": "https://evil.example"}
    answer = call(client, COUNTER, "write", headers=headers)
    assert (answer.status, answer.code) == (403, "csrf")


def test_the_token_is_asked_for_in_a_project_that_does_without(
    settings: Settings,
) -> None:
    settings.MIDDLEWARE = [
        name for name in settings.MIDDLEWARE if "Csrf" not in name
    ]  # fmt: skip
    answer = call(Client(enforce_csrf_checks=True), COUNTER, "write")
    assert (answer.status, answer.code) == (403, "csrf")


class Fails(ReactiveComponent):
    kind = public("")
    template = "<p></p>"

    def load(self) -> None:
        if self.request.method == "POST":
            self.fail()

    def fail(self) -> None:
        error = {
            "denied": PermissionDenied, "missing": Http404, "bug": AttributeError
        }.get(self.request.headers.get("X-Fail", ""))  # fmt: skip
        if error:
            BreakingNews.objects.create(title="written before")
            raise error(SECRET)


def failing(client: Client, kind: str) -> Answer:
    return call(client, "tests.Fails", headers={"X-Fail": kind})


@DATABASE
@pytest.mark.parametrize(
    ("kind", "status", "code"),
    [("denied", 403, "forbidden"), ("missing", 410, "gone"), ("bug", 500, "error")],
)
def test_the_text_of_an_exception_stays_on_the_server(
    client: Client, caplog: pytest.LogCaptureFixture, kind: str, status: int, code: str
) -> None:
    answer = failing(client, kind)
    assert (answer.status, answer.code) == (status, code)
    assert SECRET not in json.dumps(answer.json)
    assert (SECRET in caplog.text) is (kind == "bug")


@DATABASE
def test_while_debugging_the_browser_is_told(
    client: Client, settings: Settings
) -> None:
    settings.DEBUG = True
    answer = failing(client, "bug")
    assert answer.status == 500
    assert SECRET in answer.json["detail"]


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize("kind", ["denied", "bug"])
def test_a_call_that_fails_leaves_nothing_of_its_transaction(
    client: Client, monkeypatch: pytest.MonkeyPatch, kind: str
) -> None:
    monkeypatch.setitem(connection.settings_dict, "ATOMIC_REQUESTS", True)
    assert failing(client, kind).status in (403, 500)
    assert not BreakingNews.objects.exists()


class Refuses(ReactiveComponent):
    template = "<p></p>"

    @public
    def find(self) -> None:
        BreakingNews.objects.create(title="of a method that wasn't done")
        raise Http404(SECRET)

    @public
    def check(self) -> None:
        BreakingNews.objects.create(title="of a method that wasn't done")
        raise ValidationError(["Too short.", "No."])


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize(
    ("method", "status", "code", "detail"),
    [
        ("find", 404, "not_found", "What it asks for is not there."),
        ("check", 422, "invalid", "Too short. No."),
    ],
)
def test_what_a_method_refuses_in_djangos_words_is_refused(
    client: Client,
    monkeypatch: pytest.MonkeyPatch,
    method: str,
    status: int,
    code: str,
    detail: str,
) -> None:
    monkeypatch.setitem(connection.settings_dict, "ATOMIC_REQUESTS", True)
    answer = call(client, "tests.Refuses", method)
    assert (answer.status, answer.code, answer.json["detail"]) == (status, code, detail)
    assert not BreakingNews.objects.exists()


def test_a_result_that_cannot_be_sent_is_a_failure(
    client: Client, caplog: pytest.LogCaptureFixture
) -> None:
    answer = call(client, "tests.Unsendable", "get")
    assert (answer.status, answer.code) == (500, "error")


class Unsendable(ReactiveComponent):
    template = "<p></p>"

    @public(update=False)
    def get(self) -> object:
        return object()
