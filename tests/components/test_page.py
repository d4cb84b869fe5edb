from __future__ import annotations

import random
from collections.abc import AsyncIterator, Iterable
from uuid import uuid4

import pytest
from django.contrib.auth.models import AnonymousUser, User
from django.contrib.sessions.backends.base import SessionBase
from django.core.exceptions import ImproperlyConfigured
from django.test import Client
from pytest_django import Settings

from sse_components import ComponentDispatcher, runtime
from sse_components.components.page import MAX_GRANT, Left, Page, page_of
from sse_components.events import NOWHERE, Position, hashed
from sse_components.grants import COOKIE, Grant, fingerprint
from sse_components.hub import Hub
from sse_components.revocations import Whose
from tests.components.pages import request_for
from tests.streams.asking import here


@pytest.fixture
async def hub() -> AsyncIterator[Hub]:
    hub = await runtime.start()
    await hub.recalled()
    yield hub
    await runtime.stop()


@pytest.fixture
def session(db: None, client: Client) -> SessionBase:
    session = client.session
    session["cart"] = [1]
    session.save()
    return session


def granted(page: Page) -> Grant:
    return runtime.grants().read(page.grant())


def test_a_request_makes_one_page() -> None:
    request = request_for("/todo?tab=2")
    assert page_of(request) is page_of(request)
    assert page_of(request).path == "/todo?tab=2"
    assert page_of(request_for()) is not page_of(request)


def test_a_process_that_serves_no_streams_has_no_position() -> None:
    assert page_of(request_for()).position == NOWHERE
    assert str(NOWHERE) == "0:0"


# A58
async def test_the_position_of_a_page_is_from_before_what_comes_later(
    hub: Hub,
) -> None:
    page = page_of(request_for())
    published = await ComponentDispatcher.notify("news.a", "later")
    assert page.position.epoch == published.position.epoch
    assert page.position.seq < published.position.seq
    assert granted(page).whose.position == page.position


# Hub: hears that it may have missed revocations, while events go on coming.
# Page: begins at an event after them; what was revoked before would stand.
# Hub: learns what was revoked, which is before the page's position.
async def test_the_position_of_a_page_is_not_after_what_may_have_been_revoked(
    hub: Hub,
) -> None:
    known = hub.judged
    hub.doubt()
    await ComponentDispatcher.notify("news.a", "later")
    await hub._hearing.wait_until(here())
    assert hub.position != known
    assert page_of(request_for()).position == known


# A16
@pytest.mark.parametrize("user", [None, AnonymousUser()])
def test_a_page_of_nobody_has_a_grant_for_any_browser(
    user: AnonymousUser | None,
) -> None:
    request = request_for()
    if user is not None:
        request.user = user
    request.COOKIES[COOKIE] = "there already"
    page = page_of(request)
    page.groups = {"news.b", "news.a"}
    grant = granted(page)
    assert grant.groups == ("news.a", "news.b")
    assert grant.whose == Whose(grant.whose.position)
    assert not page.is_personal
    assert page.cookie is None


def test_a_page_of_a_user_has_a_grant_for_this_browser() -> None:
    page = page_of(request_for(user=User(pk=7)))
    grant = granted(page)
    assert grant.whose.user == "7"
    assert page.is_personal
    assert page.cookie
    assert grant.whose.browser == fingerprint(page.cookie)
    assert granted(page).whose.browser == grant.whose.browser


def test_a_browser_that_has_a_cookie_keeps_it() -> None:
    request = request_for(user=User(pk=7))
    request.COOKIES[COOKIE] = "from before"
    page = page_of(request)
    assert granted(page).whose.browser == fingerprint("from before")
    assert page.cookie is None


def test_an_empty_cookie_is_none() -> None:
    request = request_for(user=User(pk=7))
    request.COOKIES[COOKIE] = ""
    assert granted(page_of(request)).whose.browser != fingerprint("")


# A22
def test_the_grant_of_a_session_names_its_group_and_not_its_key(
    session: SessionBase,
) -> None:
    request = request_for()
    request.session = session
    page = page_of(request)
    assert page.is_personal
    grant = granted(page)
    assert session.session_key
    assert grant.whose.session == hashed(session.session_key)
    assert session.session_key not in str(grant)
    assert session.session_key not in page.grant()
    assert session.session_key not in repr(page.visitor)


def test_no_session_is_created_for_a_grant(db: None, client: Client) -> None:
    request = request_for()
    request.session = type(client.session)()
    assert granted(page_of(request)).whose.session is None
    assert request.session.session_key is None


def test_reserved_groups_are_not_granted_but_those_below_the_visitors_own() -> None:
    page = page_of(request_for(user=User(pk=7)))
    page.groups = {
        "broadcast", "users", "session.h-aaaaaaaaaaaaaaaaaaaaaa", "presence.users",
        "auth.user.7", "auth.user.7.notifications", "auth.user.8.notifications",
        "auth.user.71.notifications", "news.a",
    }  # fmt: skip
    assert granted(page).groups == ("auth.user.7.notifications", "news.a")


def test_a_position_is_what_it_says() -> None:
    page = Page(request_for(), "/", Position("abc", 5))
    assert granted(page).whose.position == Position("abc", 5)


# What the browser asked for


@pytest.mark.parametrize(
    ("added", "asked"),
    [
        ([("a", False)], ("a",)),
        ([("a", True)], ()),
        ([("a", False), ("a", True)], ()),
        ([("a", True), ("a", False)], ()),
        ([("a", False), ("b", True), ("a", False)], ("a",)),
    ],
)
def test_a_group_is_asked_for_unless_any_component_has_it_by_itself(
    added: list[tuple[str, bool]], asked: tuple[str, ...]
) -> None:
    page = page_of(request_for(user=User(pk=7)))
    for name, rendered in added:
        page.add([name], rendered=rendered)
    grant = granted(page)
    assert grant.asked == asked
    assert set(grant.groups) == {name for name, _ in added}


def test_a_grant_that_was_cut_tells_what_was_asked_for(settings: Settings) -> None:
    settings.DEBUG = False
    page = page_with([])
    page.add(MANY, rendered=False)
    grant = granted(page)
    assert grant.asked == grant.groups
    assert 100 < len(grant.groups) <= 200


# Leaving


# View: logs out; the session is flushed. View: logs out again, with nothing left.
def test_who_logs_out_twice_has_left_what_there_was_at_first(
    session: SessionBase,
) -> None:
    request = request_for()
    request.session = session
    request.COOKIES[COOKIE] = "of-this-browser"
    key = session.session_key
    page = page_of(request)
    page.log_out()
    session.flush()
    page.log_out()
    assert page.left == Left("of-this-browser", key)


def test_what_is_missing_at_first_is_taken_later(session: SessionBase) -> None:
    request = request_for()
    page = page_of(request)
    page.log_out()
    request.session = session
    page.log_out()
    assert page.left == Left(None, session.session_key)


# How large a grant may be


def page_with(names: Iterable[str]) -> Page:
    page = page_of(request_for(user=User(pk=7)))
    page.groups = set(names)
    return page


def test_two_hundred_groups_of_rows_take_less_than_three_kibibytes() -> None:
    keys = random.Random(1).sample(range(10**9), 200)
    page = page_with(f"shop.item.{key}" for key in keys)
    assert len(granted(page).groups) == 200
    assert len(page.grant()) < 3072


def test_a_hundred_groups_of_uuids_take_less_than_four_kibibytes() -> None:
    page = page_with(f"shop.item.{uuid4()}" for _ in range(100))
    assert len(granted(page).groups) == 100
    assert len(page.grant()) < 4096


MANY = [f"shop.item.{number}" for number in range(201)]
LONG = [f"shop.item.{uuid4()}" for _ in range(180)]


@pytest.mark.parametrize("names", [MANY, LONG])
def test_what_fits_into_no_grant_is_an_error_while_debugging(
    settings: Settings, names: list[str]
) -> None:
    settings.DEBUG = True
    with pytest.raises(ImproperlyConfigured, match=r'covers = "shop\.item\.\*"'):
        page_with(names).grant()


@pytest.mark.parametrize("names", [MANY, LONG])
def test_what_fits_into_no_grant_is_left_out_with_a_warning_otherwise(
    settings: Settings, names: list[str], caplog: pytest.LogCaptureFixture
) -> None:
    settings.DEBUG = False
    page = page_with([*names, "shop.list.*"])  # which covers none of them
    groups = granted(page).groups
    assert len(page.grant()) <= MAX_GRANT
    assert "shop.list.*" in groups
    assert 100 < len(groups) <= 200
    assert set(groups) < page.groups
    assert {record.levelname for record in caplog.records} == {"WARNING"}
    assert "shop.item" not in caplog.text.replace("shop.item.*", "")


# What a pattern stands for


# A61
@pytest.mark.parametrize(
    ("rendered", "asked", "names"),
    [
        (["a.*", "a.1", "a.2"], [], ("a.*",)),
        (["a.*"], ["a.1"], ("a.*",)),
        ([], ["a.*", "a.1"], ("a.*",)),
        # A renewal may lose what was asked for, and what was rendered stays.
        (["a.1"], ["a.*", "a.2"], ("a.*", "a.1")),
        (["a.*", "a.b.*", "a.b.1", "a", "b.1"], [], ("a", "a.*", "a.b.*", "b.1")),
        (["a.*", "a.b.*"], [], ("a.*", "a.b.*")),
    ],
)
def test_a_grant_leaves_out_what_a_pattern_of_its_standing_covers(
    rendered: list[str], asked: list[str], names: tuple[str, ...]
) -> None:
    page = page_of(request_for(user=User(pk=7)))
    page.add(asked, rendered=False)
    page.add(rendered, rendered=True)
    grant = granted(page)
    assert grant.groups == names
    assert set(grant.asked) == set(names) & set(asked)


def test_no_pattern_stands_for_what_is_reserved() -> None:
    page = page_of(request_for(user=User(pk=7)))
    page.add(["auth.user.7.*", "auth.user.7.notifications"], rendered=True)
    assert granted(page).groups == ("auth.user.7.*", "auth.user.7.notifications")


def test_a_pattern_may_stand_for_more_than_a_grant_has_room_for(
    settings: Settings,
) -> None:
    settings.DEBUG = True
    page = page_with([*MANY, *LONG, "shop.item.*"])
    assert granted(page).groups == ("shop.item.*",)
