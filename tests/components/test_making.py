from __future__ import annotations

from datetime import date
from enum import Enum
from functools import cached_property
from typing import Any

import pytest
from django.contrib.auth import login, logout
from django.contrib.auth.models import User
from django.http import HttpRequest
from django.test import Client
from pytest_django import Settings

from project.demo.models import BreakingNews
from sse_components import ReactiveComponent, public
from sse_components.components.state import State, read
from sse_components.testing import render_component
from tests.components.pages import (
    Answer,
    call,
    component,
    page,
    request_for,
    root,
    roots,
)

WIZARD = "tests.Wizard"


class Wizard(ReactiveComponent):
    """Goes on from step to step, which the page can't change."""

    title = public("")
    step = 1
    loaded = 0
    template = (
        "<p>{{ component.step }}|{{ loaded }}|{{ title }}|{{ component.seen }}</p>"
    )

    def __init__(self, request: HttpRequest, page: str) -> None:
        super().__init__(request, page)
        self.since = date(2026, 11, 22)
        self.seen_pages: list[str] = []
        self.service: object = object()

    def load(self) -> None:
        self.loaded = self.step * 10

    @cached_property
    def rows(self) -> object:
        return object()

    @property
    def seen(self) -> str:
        self.noticed = object()  # while the template is rendered
        return "seen"

    @public
    def go_on(self) -> object:
        self.step += 1
        self._private = object()
        return [self.step, self.loaded, self.since.year, self.rows and None]

    @public
    def set_loaded(self) -> None:
        self.loaded = 5

    @public
    def set(self, name: str, value: Any) -> None:
        setattr(self, name, value)

    @public
    def forget(self) -> None:
        del self.step

    @public
    def keep_something(self) -> None:
        self.form = object()

    @public
    def replace_service(self) -> None:
        self.service = object()

    @public
    def note_page(self) -> list[str]:
        self.seen_pages.append(self.page)
        return self.seen_pages

    @public(update=False)
    def look(self) -> object:
        return [self.step, getattr(self, "row", None) and str(self.row)]

    @public(update=False)
    def walk(self) -> None:
        self.step += 1

    @public(update=False)
    def overrule(self) -> None:
        self.loaded = 7

    @public
    def choose(self, pk: int) -> None:
        self.row = BreakingNews.objects.get(pk=pk)


def state_of(answer: Answer) -> str:
    return root(answer.html)["data-sse-state"]


def content(state: str) -> State:
    return read(state, WIZARD)


def test_what_a_method_sets_is_there_at_the_next_call(client: Client) -> None:
    state = component(WIZARD)["data-sse-state"]
    for step in (2, 3, 4):
        answer = call(client, WIZARD, "go_on", state=state)
        assert answer.json["result"][0] == step
        assert answer.html.endswith(f">{step}|{step * 10}||seen</p>")
        state = state_of(answer)
    refreshed = call(client, WIZARD, state=state)
    assert refreshed.html.endswith(">4|40||seen</p>")
    again = call(client, WIZARD, "go_on", state=state_of(refreshed))
    assert again.json["result"][0] == 5


def test_what_a_method_sets_that_renders_nothing_is_kept_too(client: Client) -> None:
    state = component(WIZARD)["data-sse-state"]
    for _ in range(2):
        answer = call(client, WIZARD, "walk", state=state)
        assert answer.json["html"] is None
        state = answer.json["state"]
    assert call(client, WIZARD, "look", state=state).json["result"][0] == 3


def test_what_load_has_set_is_not_kept_whoever_sets_it(client: Client) -> None:
    answer = call(client, WIZARD, "overrule")
    assert "loaded" not in content(answer.json["state"]).attributes


def test_load_sees_what_was_kept(client: Client) -> None:
    answer = call(client, WIZARD, "go_on")
    again = call(client, WIZARD, "go_on", state=state_of(answer))
    assert again.json["result"][:2] == [3, 20]


def test_what_is_set_when_it_is_made_is_kept_where_it_can_be(client: Client) -> None:
    state = component(WIZARD)["data-sse-state"]
    made = {"seen_pages": [], "since": date(2026, 11, 22)}
    assert content(state).attributes == made
    for number in (1, 2):
        answer = call(client, WIZARD, "note_page", state=state, page="/a")
        assert answer.json["result"] == number * ["/a"]
        state = state_of(answer)
    answer = call(client, WIZARD, "go_on", state=state)
    assert answer.json["result"][2] == 2026


def test_a_page_that_sets_nothing_keeps_nothing() -> None:
    state = component("tests.Loads")["data-sse-state"]
    assert read(state, "tests.Loads").attributes == {}


class Loads(ReactiveComponent):
    title = public("")
    template = "<p>{{ title }}{{ items }}</p>"

    def load(self) -> None:
        self.title = "loaded"
        self.items = [object()]


def test_what_load_sets_is_not_kept_whoever_else_sets_it(client: Client) -> None:
    answer = call(client, WIZARD, "set_loaded")
    assert "loaded" not in content(state_of(answer)).attributes
    assert answer.html.endswith(">1|10||seen</p>")


class Step(Enum):
    FIRST = "first"
    LAST = "last"


class Steps(ReactiveComponent):
    template = "<p>{{ step.name }}|{{ start.name }}</p>"

    def __init__(self, request: HttpRequest, page: str) -> None:
        super().__init__(request, page)
        self.step = Step.FIRST

    def load(self, start: Step) -> None:
        self.start = start

    @public
    def go_on(self) -> None:
        self.step = Step.LAST

    @public(update=False)
    def is_last(self) -> list[bool]:
        return [self.step is Step.LAST, self.start is Step.FIRST]


def test_an_enum_that_is_kept_or_given_is_the_same_at_the_next_call() -> None:
    steps = render_component(Steps, Step.FIRST)
    assert steps.text == "FIRST|FIRST"
    steps = steps.call("go_on").refresh()
    assert steps.text == "LAST|FIRST"
    assert steps.call("is_last").result == [True, True]


@pytest.mark.parametrize("name", ["_hidden", "title"])
def test_what_is_private_or_public_is_not_kept(client: Client, name: str) -> None:
    answer = call(client, WIZARD, "set", args=[name, "x"])
    assert set(content(state_of(answer)).attributes) == {"since", "seen_pages"}


def test_what_a_method_deletes_is_gone(client: Client) -> None:
    answer = call(client, WIZARD, "go_on")
    answer = call(client, WIZARD, "forget", state=state_of(answer))
    assert answer.html.endswith(">1|10||seen</p>")
    assert set(content(state_of(answer)).attributes) == {"since", "seen_pages"}


# A56
def test_a_page_cannot_say_what_was_kept(client: Client) -> None:
    props = {"step": 7, "since": "2000-01-01", "row": 1}
    answer = call(client, WIZARD, "go_on", props=props, pushed=list(props))
    assert answer.json["result"][0] == 2
    assert set(answer.json["props"]) == {"title"}


def test_what_cannot_be_kept_is_a_failure_that_the_log_names(
    client: Client, caplog: pytest.LogCaptureFixture
) -> None:
    for method, name in {
        "keep_something": "form",
        "replace_service": "service",
    }.items():
        answer = call(client, WIZARD, method)
        assert (answer.status, answer.code) == (500, "error")
        assert name not in answer.json["detail"]
        fault = f"tests.Wizard can't keep self.{name}: a value in it is of the type obj"
        assert fault in caplog.text


def test_what_cannot_be_kept_is_told_while_debugging(
    client: Client, settings: Settings
) -> None:
    settings.DEBUG = True
    answer = call(client, WIZARD, "keep_something")
    assert "self.form" in answer.json["detail"]


def test_a_method_that_does_not_render_keeps_nothing(client: Client) -> None:
    answer = call(client, WIZARD, "go_on")
    looked = call(client, WIZARD, "look", state=state_of(answer))
    assert looked.json["result"] == [2, None]
    assert looked.json["html"] is None


@pytest.mark.django_db
def test_a_model_that_is_kept_is_fetched_and_one_that_is_gone_is_not_there(
    client: Client,
) -> None:
    row = BreakingNews.objects.create(title="before")
    state = state_of(call(client, WIZARD, "choose", args=[row.pk]))
    BreakingNews.objects.update(title="after")
    looked = call(client, WIZARD, "look", state=state)
    assert looked.json["result"] == [1, "after"]
    row.delete()
    looked = call(client, WIZARD, "look", state=state)
    assert (looked.status, looked.json["result"]) == (200, [1, None])


# A20
# A82
@pytest.mark.django_db
def test_what_was_kept_for_one_user_is_none_of_anothers(client: Client) -> None:
    anna = User.objects.create_user("anna")
    client.force_login(anna)
    state = component(WIZARD, request_for(user=anna))["data-sse-state"]
    annas = state_of(call(client, WIZARD, "go_on", state=state))
    client.force_login(User.objects.create_user("bob"))
    for visitor in (client, Client()):
        refreshed = call(visitor, WIZARD, state=annas)
        assert refreshed.html.endswith(">1|10||seen</p>")
    client.force_login(anna)
    assert call(client, WIZARD, state=annas).html.endswith(">2|20||seen</p>")


@pytest.mark.django_db
def test_what_was_kept_for_nobody_stays_after_the_login(client: Client) -> None:
    nobodys = state_of(call(client, WIZARD, "go_on"))
    client.force_login(User.objects.create_user("anna"))
    assert call(client, WIZARD, state=nobodys).html.endswith(">2|20||seen</p>")


class Enters(ReactiveComponent):
    """Its visitor logs in and out in its methods."""

    secret = ""
    typed = public("")
    template = "<p>{{ secret }}|{{ request.user }}|{{ typed }}</p>"

    @public
    def enter(self, name: str) -> None:
        self.secret = f"for {name}"
        _enter(self.request, name)

    @public
    def leave(self) -> None:
        self.secret = "left"
        logout(self.request)

    @public(update=False)
    def enter_quietly(self, name: str) -> None:
        self.enter(name)
        self.typed = "by the method"
        self.client.dispatch("entered")

    @public(update=False)
    def leave_quietly(self) -> None:
        self.leave()

    @public
    def nothing(self) -> None: ...


def _enter(request: HttpRequest, name: str) -> None:
    user = User.objects.get(username=name)
    login(request, user, backend="django.contrib.auth.backends.ModelBackend")


def entered(answer: Answer) -> State:
    text = answer.json.get("state") or root(answer.html)["data-sse-state"]
    return read(text, "tests.Enters")


@pytest.fixture
def users(db: None) -> tuple[User, User]:
    return User.objects.create_user("anna"), User.objects.create_user("bob")


# A20
# A82
@pytest.mark.parametrize("method", ["enter", "enter_quietly"])
def test_what_is_kept_in_a_login_is_for_who_has_logged_in(
    client: Client, users: tuple[User, User], method: str
) -> None:
    anna, bob = users
    answer = call(client, "tests.Enters", method, args=["anna"])
    state = entered(answer)
    assert (state.user, state.attributes) == (str(anna.pk), {"secret": "for anna"})
    client.force_login(bob)
    answer = call(client, "tests.Enters", state=state.signed())
    assert answer.html.endswith(">|bob|</p>")


# A20
# A82
@pytest.mark.parametrize("quietly", ["", "_quietly"])
@pytest.mark.parametrize(
    ("method", "args", "name"),
    [("leave", [], "AnonymousUser"), ("enter", ["bob"], "bob")],
)
def test_nothing_is_kept_for_who_comes_next(
    client: Client,
    users: tuple[User, User],
    quietly: str,
    method: str,
    args: list[str],
    name: str,
) -> None:
    answer = call(client, "tests.Enters", "enter", args=["anna"])
    text = entered(answer).signed()
    answer = call(client, "tests.Enters", method + quietly, state=text, args=args)
    state = entered(answer)
    assert state.attributes == {}
    assert state.user == (str(users[1].pk) if name == "bob" else None)
    if not quietly:
        assert answer.html.endswith(f">|{name}|</p>")
    elif name == "bob":
        assert answer.json["props"] == {"typed": "by the method"}
        assert answer.json["client"] == [["dispatch", "entered", None]]
    again = call(client, "tests.Enters", "nothing", state=state.signed())
    assert again.status == 200


def test_each_of_several_keeps_its_own(client: Client) -> None:
    html = page(2 * '{% component "tests.Wizard" %}')
    one, other = (found["data-sse-state"] for found in roots(html))
    one = state_of(call(client, WIZARD, "go_on", state=one))
    assert call(client, WIZARD, "look", state=one).json["result"][0] == 2
    assert call(client, WIZARD, "look", state=other).json["result"][0] == 1
