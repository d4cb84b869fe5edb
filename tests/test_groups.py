from __future__ import annotations

import asyncio
import hashlib
import logging
import threading
from base64 import urlsafe_b64encode
from collections.abc import Callable
from typing import Any

import pytest
from django.contrib.auth.models import User
from hypothesis import given
from hypothesis import strategies as st
from pytest_django import Settings as DjangoSettings

from sse_components import groups
from sse_components.conf import Settings
from sse_components.events import check_group
from sse_components.groups import Integrator, Policy, Subject, Visitor

SESSION_KEY = "q3x8m1dkk2h0c7b5s9w4n6v2z1y0t8r7"
ANYBODY = Visitor()
USER = Visitor(User(pk=7), SESSION_KEY)


class Pool:
    """Runs at once, and records what."""

    def __init__(self) -> None:
        self.ran: list[Callable[..., Any]] = []

    async def run(self, function: Callable[..., Any], *args: Any) -> Any:
        self.ran.append(function)
        return function(*args)


class Authorize:
    """Gives an answer, and records the questions."""

    def __init__(self, answer: object) -> None:
        self._answer = answer
        self.asked: list[tuple[object, str, bool]] = []

    def __call__(self, user: object, group: str, rendered: bool) -> object:
        self.asked.append((user, group, rendered))
        return self._answer


def session_of(key: str) -> str:
    digest = urlsafe_b64encode(hashlib.sha256(key.encode()).digest())
    return "session.h-" + digest[:22].decode()


def policy(*public: str, authorize: Callable[..., Any] | None = None) -> Policy:
    return Policy(Settings(public_groups=public, authorize=authorize), Pool().run)


async def allowed(policy: Policy, subject: Subject, names: str) -> str:
    granted, denied = await policy.allowed(subject, names.split())
    assert sorted([*granted, *denied]) == sorted(names.split())
    return " ".join(granted)


# A15
def test_a_user_is_in_four_groups_without_asking() -> None:
    assert groups.automatic(USER) == [
        "broadcast",
        "users",
        "auth.user.7",
        session_of(SESSION_KEY),
    ]


# A15
def test_the_user_s_group_is_named_after_the_user_model(
    settings: DjangoSettings,
) -> None:
    settings.AUTH_USER_MODEL = "demo.BreakingNews"  # any other model than Django's
    assert groups.user_group(7) == "demo.breakingnews.7"
    assert groups.is_reserved("demo.breakingnews.7")
    assert not groups.is_reserved("auth.user.7")


def test_a_user_s_key_that_is_no_segment_stands_as_its_hash() -> None:
    digest = urlsafe_b64encode(hashlib.sha256(b"ann@example.com").digest())
    name = groups.user_group("ann@example.com")
    assert name == "auth.user.h-" + digest[:22].decode()


# A16
def test_a_visitor_without_a_user_is_in_its_session_s_group_if_it_has_one() -> None:
    assert groups.automatic(ANYBODY) == ["broadcast"]
    visitor = Visitor(session_key=SESSION_KEY)
    assert groups.automatic(visitor) == ["broadcast", session_of(SESSION_KEY)]


# A22
def test_a_session_s_key_can_be_read_nowhere() -> None:
    assert SESSION_KEY not in repr(USER)
    assert SESSION_KEY not in str(groups.automatic(USER))
    assert SESSION_KEY not in groups.wire_name(f"session.{SESSION_KEY}")


# A22
def test_a_session_s_group_gets_its_name_on_the_wire() -> None:
    named = groups.wire_name(f"session.{SESSION_KEY}")
    assert named == groups.session_group(SESSION_KEY) == session_of(SESSION_KEY)
    assert groups.wire_name(named) == named
    assert check_group(named) == named


@pytest.mark.parametrize(
    "name", ["news.updates", "session", "sessions.abc", "my.session.abc", "broadcast"]
)
def test_other_groups_keep_their_names_on_the_wire(name: str) -> None:
    assert groups.wire_name(name) == name


@pytest.mark.parametrize(
    "name",
    [
        "broadcast",
        "users",
        "session",
        "session.h-abc",
        "session.*",
        "presence.users",
        "presence.*",
        "auth.user.7",
        "auth.user.7.notifications",
        "auth.user.*",
        "users.of.mine",
        "console.tail",
        "console.user.*",
    ],
)
def test_reserved_names(name: str) -> None:
    assert groups.is_reserved(name)


@pytest.mark.parametrize(
    "name",
    ["broadcasts", "user", "sessions.a", "auth.users.7", "auth.user", "a.users"],
)
def test_names_that_only_look_reserved(name: str) -> None:
    assert not groups.is_reserved(name)


CONSOLE = "console.tail console.user.7 console.user.* console.control"


@pytest.mark.parametrize(
    ("rights", "expected"),
    [
        ({"is_staff": True}, CONSOLE),
        ({"is_superuser": True}, ""),
        ({"is_staff": True, "is_active": False}, ""),
        ({}, ""),
    ],
)
async def test_staff_alone_hears_the_console(
    rights: dict[str, bool], expected: str
) -> None:
    visitor = Visitor(User(pk=1, **rights))
    everything = policy("**", "console.*", authorize=Authorize(True))
    assert await allowed(everything, visitor, CONSOLE) == expected
    assert await allowed(everything, Visitor(), CONSOLE) == ""
    key = Integrator("k", ("**", "console.*"))
    assert await allowed(everything, key, CONSOLE) == ""


def test_patterns_cover_what_they_match() -> None:
    assert groups.covers(["shop.*", "news.**"], "news.local.today")
    assert groups.covers(["news.*"], "news.*")
    assert not groups.covers(["shop.*", "news.*"], "news.local.today")
    assert not groups.covers([], "news.local")


reserved = st.sampled_from(
    ["broadcast", "users", "session", "presence", "console"]
) | st.builds(
    "{}.{}".format,
    st.sampled_from(["session", "presence", "auth.user", "auth.user.7"]),
    st.sampled_from(["7", "users", "h-47DEQpj8HBSa-_TImW-5JC", "notifications"]),
)
starred = st.lists(
    st.sampled_from(["*", "auth", "user", "users", "presence", "session", "7"]),
    max_size=3,
).flatmap(
    lambda head: st.sampled_from(["*", "**"]).map(lambda last: ".".join([*head, last]))
)


@given(starred, reserved)
def test_no_pattern_covers_a_reserved_name(pattern: str, name: str) -> None:
    assert not groups.covers([pattern], name)
    assert groups.covers([pattern, name], name)


# A16, A17, A18
async def test_anybody_may_have_public_groups_by_name_and_no_others() -> None:
    asked = "news.updates demo.todo.7 broadcast users news.* auth.user.7 session.h-a"
    granted = await allowed(policy("news.*"), ANYBODY, asked)
    assert granted == "news.updates broadcast news.*"


# A16
async def test_a_visitor_s_own_session_may_be_asked_for_by_name() -> None:
    mine, other = session_of("mine"), session_of("other")
    visitor = Visitor(session_key="mine")
    assert await allowed(policy(), visitor, f"{mine} {other} session.mine") == mine


# A19, A21
async def test_a_user_may_have_what_is_its_own_and_no_one_else_s() -> None:
    asked = (
        "users auth.user.7 auth.user.7.notifications auth.user.7.* auth.user.70 "
        "auth.user.8 auth.user.8.notifications auth.user.* auth.user.70.notifications "
        "auth.user session.* presence.users"
    )
    granted = await allowed(policy("**"), USER, asked)
    # "auth.user" is the name of an ordinary group, which "**" makes public
    assert granted == (
        "users auth.user.7 auth.user.7.notifications auth.user.7.* auth.user"
    )


# A24
@pytest.mark.parametrize(
    "name", ["", "a b", "ü", "news.updates\n", "x" * 201, "**", "*", "news.**", "a..b"]
)
async def test_what_is_no_name_is_denied_and_the_others_go_on(name: str) -> None:
    authorize = Authorize(True)
    permissive = policy("**", authorize=authorize)
    answer = await permissive.allowed(USER, ["news.a", name, "news.b"])
    assert answer == (["news.a", "news.b"], [name])
    integrator = Integrator("stock", ("**",))
    assert await permissive.allowed(integrator, [name]) == ([], [name])
    assert authorize.asked == []


async def test_the_answers_keep_the_order_of_the_question() -> None:
    asked = ["news.c", "demo.b", "news.a", "demo.a"]
    answer = await policy("news.*").allowed(ANYBODY, asked)
    assert answer == (["news.c", "news.a"], ["demo.b", "demo.a"])


async def test_the_project_s_function_is_asked_for_what_is_nobody_s_yet() -> None:
    authorize, pool = Authorize(True), Pool()
    settings = Settings(public_groups=("news.*",), authorize=authorize)
    asking = Policy(settings, pool.run)
    asked = "news.updates users auth.user.7 demo.todo.* demo.todo.7"
    assert await allowed(asking, USER, asked) == asked
    assert authorize.asked == [
        (USER.user, "demo.todo.*", False),
        (USER.user, "demo.todo.7", False),
    ]
    assert pool.ran == [authorize, authorize]


# A21
async def test_the_project_s_function_cannot_give_reserved_names_away() -> None:
    authorize = Authorize(True)
    asked = "users auth.user.8 auth.user.8.notifications session.h-a presence.users"
    assert await allowed(policy(authorize=authorize), ANYBODY, asked) == ""
    assert authorize.asked == []


# A18, A19
@pytest.mark.parametrize("answer", [None, False, 0, 1, "yes"])
async def test_any_answer_but_true_is_a_no(answer: object) -> None:
    deciding = policy(authorize=Authorize(answer))
    assert await allowed(deciding, USER, "demo.todo.7") == ""


async def test_the_project_s_function_may_be_a_coroutine() -> None:
    async def authorize(user: object, group: str, rendered: bool) -> bool | None:
        return group == "demo.todo.7" and user is USER.user and not rendered

    pool = Pool()
    deciding = Policy(Settings(authorize=authorize), pool.run)
    assert await allowed(deciding, USER, "demo.todo.7 demo.todo.8") == "demo.todo.7"
    assert pool.ran == []


async def test_a_project_s_function_that_fails_says_no_and_is_logged(
    caplog: pytest.LogCaptureFixture,
) -> None:
    def authorize(user: object, group: str, rendered: bool) -> bool:
        raise LookupError(group)

    with caplog.at_level(logging.ERROR, "sse_components.groups"):
        deciding = policy("news.*", authorize=authorize)
        assert await allowed(deciding, USER, "demo.todo.7 news.a") == "news.a"
    (record,) = caplog.records
    assert record.exc_info
    assert record.exc_info[0] is LookupError


# A73
async def test_an_integrator_may_have_what_its_key_names_and_nothing_else() -> None:
    integrator = Integrator("stock", ("shop.**", "presence.users", "auth.user.7"))
    deciding = policy("news.*", authorize=Authorize(True))
    asked = "shop.stock shop.* news.updates broadcast presence.users auth.user.7"
    granted = await allowed(deciding, integrator, f"{asked} users auth.user.8")
    assert granted == "shop.stock shop.* presence.users auth.user.7"


def test_who_is_public_needs_nobody_looked_up() -> None:
    deciding = policy("news.*", authorize=Authorize(True))
    assert deciding.is_public("news.updates")
    assert deciding.is_public("broadcast")
    assert not deciding.is_public("demo.todo.7")
    assert not deciding.is_public("users")
    assert not deciding.is_public("news.updates\n")


async def test_a_key_is_known_by_whoever_registered_for_it() -> None:
    calls: list[str] = []
    integrator = Integrator("stock", ("shop.*",))

    async def authenticator(key: str) -> Integrator | None:
        calls.append(key)
        return integrator if key == "key-of-test-groups" else None

    groups.register_authenticator(authenticator)
    groups.register_authenticator(authenticator)
    assert await groups.authenticate("key-of-test-groups") is integrator
    assert await groups.authenticate("key-of-nobody") is None
    assert calls == ["key-of-test-groups", "key-of-nobody"]


# What was rendered


@pytest.mark.parametrize(
    ("answer", "granted"), [(None, True), (True, True), (False, False), (0, False)]
)
async def test_what_was_rendered_is_granted_unless_the_project_says_no(
    answer: object, granted: bool
) -> None:
    authorize = Authorize(answer)
    deciding = policy(authorize=authorize)
    expected = (["demo.todo.7"], []) if granted else ([], ["demo.todo.7"])
    assert await deciding.allowed(USER, ["demo.todo.7"], rendered=True) == expected
    assert deciding.allowed_here(USER, ["demo.todo.7"], rendered=True) == expected
    assert authorize.asked == [(USER.user, "demo.todo.7", True)] * 2


def test_without_the_projects_function_what_was_rendered_is_granted() -> None:
    names = ["demo.todo.7", "auth.user.8", "näws"]
    answer = policy().allowed_here(ANYBODY, names, rendered=True)
    assert answer == (["demo.todo.7"], ["auth.user.8", "näws"])
    assert policy().allowed_here(ANYBODY, ["demo.todo.7"]) == ([], ["demo.todo.7"])


def test_in_a_request_the_project_is_asked_in_the_requests_thread() -> None:
    threads: list[int] = []

    def authorize(user: object, group: str, rendered: bool) -> None:
        threads.append(threading.get_ident())

    pool = Pool()
    Policy(Settings(authorize=authorize), pool.run).allowed_here(USER, ["a.b"])
    assert threads == [threading.get_ident()]
    assert pool.ran == []


async def authorize_later(user: object, group: str, rendered: bool) -> bool:
    await asyncio.sleep(0)
    if group == "demo.todo.9":
        raise LookupError(group)
    return group == "demo.todo.7"


class Later:
    """A callable that isn't a coroutine function, but returns a coroutine."""

    def __call__(self, user: object, group: str, rendered: bool) -> Any:
        return authorize_later(user, group, rendered)


@pytest.mark.parametrize("authorize", [authorize_later, Later()])
async def test_a_coroutine_is_waited_for_in_a_thread_and_on_a_loop(
    authorize: Callable[..., Any], caplog: pytest.LogCaptureFixture
) -> None:
    deciding = policy(authorize=authorize)
    names = ["demo.todo.7", "demo.todo.8", "demo.todo.9"]
    expected = (names[:1], names[1:])
    assert deciding.allowed_here(USER, names) == expected
    assert await asyncio.to_thread(deciding.allowed_here, USER, names) == expected
    assert await deciding.allowed(USER, names) == expected
    assert len(caplog.records) == 3
