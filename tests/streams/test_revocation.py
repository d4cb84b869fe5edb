"""What is revoked while a stream is open, or on its way."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any
from urllib.parse import quote

import pytest
from django.contrib.auth.models import User
from pytest_django import Settings

from sse_components import (
    ComponentDispatcher,
    adisconnect_user,
    admission,
    arevoke,
    runtime,
    sockets,
)
from sse_components.asgi import Application
from sse_components.events import Position, hashed
from sse_components.grants import COOKIE, fingerprint
from sse_components.groups import Subject
from sse_components.revocations import browser_subject, session_subject
from tests.clients import Received
from tests.communicator import Connection, Exchange, Opener, connect, request
from tests.streams.asking import (
    BOUND,
    COOKIE_VALUE,
    DATABASE,
    bound,
    cookie,
    ended,
    grant,
    here,
    opened,
    with_grants,
)

Revoke = Callable[[], Awaitable[Any]]


async def last(exchange: Exchange) -> Received:
    """Return the frame that ends a stream."""
    events = await exchange.rest()
    return events[-1]


async def complete(exchange: Exchange) -> Received:
    return (await exchange.until("keep-alive"))[0]


async def revoke_browser() -> None:
    subject = browser_subject(fingerprint(COOKIE_VALUE))
    await runtime.broker().arevoke(subject, "", 3600)


async def revoke_session() -> None:
    await runtime.broker().arevoke(session_subject("h-7"), "", 3600)


# A23
@pytest.mark.parametrize("revoke", [lambda: adisconnect_user(7), revoke_browser])
async def test_the_streams_of_who_is_gone_end_and_their_grants_open_no_other(
    app: Application, stream: Opener, revoke: Revoke
) -> None:
    target = with_grants(bound("room.a"))
    async with stream(app, target, BOUND) as exchange:
        await complete(exchange)
        await revoke()
        event = await last(exchange)
        assert (event.type, event.data["condition"]) == ("stream-error", "revoked")
        assert "7" not in event.data["text"]
        if isinstance(exchange, Connection):
            assert exchange.code == 4403
    async with stream(app, target, BOUND) as exchange:
        assert (await ended(exchange, "stream-error"))["condition"] == "grant_expired"
    # What is granted from now on is good.
    async with stream(app, with_grants(bound("room.a")), BOUND) as exchange:
        await opened(exchange)


# A23
async def test_a_session_that_ends_has_its_streams_come_back_for_new_grants(
    app: Application, stream: Opener
) -> None:
    target = with_grants(bound("room.a", session="h-7"))
    async with stream(app, target, BOUND) as exchange:
        await complete(exchange)
        await revoke_session()
        event = await last(exchange)
        assert (event.type, event.data["reason"]) == ("stream-close", "regrant")
        if isinstance(exchange, Connection):
            assert exchange.code == 4040
    async with stream(app, target, BOUND) as exchange:
        assert (await ended(exchange, "stream-error"))["condition"] == "grant_expired"


# A23
async def test_a_group_that_is_revoked_is_denied_when_the_stream_comes_back(
    app: Application, stream: Opener
) -> None:
    target = with_grants(bound("project.5.a", "room.a"))
    async with stream(app, target, BOUND) as exchange:
        await complete(exchange)
        await arevoke(7, "project.5.**")
        event = await last(exchange)
        assert (event.type, event.data["reason"]) == ("stream-close", "regrant")
    async with stream(app, target, BOUND) as exchange:
        data = (await opened(exchange)).data
        assert "room.a" in data["groups"]
        assert "project.5.a" not in data["groups"]
        assert data["denied"] == ["project.5.a"]
        await exchange.until("keep-alive")
        await ComponentDispatcher.notify("project.5.a", "secret")
        published = await ComponentDispatcher.notify("room.a", "hello")
        assert (await exchange.next()).id == str(published.position)
    # Who renders the group again grants it again.
    async with stream(app, with_grants(bound("project.5.a")), BOUND) as exchange:
        assert (await opened(exchange)).data["denied"] == []


# A61
async def test_a_pattern_that_covers_a_revoked_group_goes_with_it(
    app: Application, stream: Opener
) -> None:
    async with stream(app, with_grants(bound("project.*")), BOUND) as exchange:
        await complete(exchange)
        await arevoke(User(pk=7), "project.5")
        assert (await last(exchange)).data["reason"] == "regrant"


async def test_nothing_else_ends(app: Application, stream: Opener) -> None:
    target = with_grants(bound("room.a", session="h-8"))
    async with stream(app, target, BOUND) as exchange:
        await complete(exchange)
        await adisconnect_user(8)
        await arevoke(7, "project.5.**")
        await arevoke(8, "room.a")
        await revoke_session()
        await runtime.broker().arevoke(browser_subject("other"), "", 3600)
        published = await ComponentDispatcher.notify("room.a", "hello")
        assert (await exchange.next()).id == str(published.position)


@DATABASE
async def test_a_stream_without_a_grant_ends_too(
    app: Application, stream: Opener, user: User, session_key: str
) -> None:
    for revoke in (
        lambda: adisconnect_user(user),
        lambda: runtime.broker().arevoke(
            session_subject(hashed(session_key)), "", 3600
        ),
    ):
        async with stream(app, "/sse/stream", cookie(session_key)) as exchange:
            await complete(exchange)
            await revoke()
            assert (await last(exchange)).type in ("stream-error", "stream-close")


# The visitor is found, the revocation is heard, and only then the hub has the stream.
# A23
@DATABASE
@pytest.mark.parametrize(
    "revoke_from", [adisconnect_user, lambda user: arevoke(user, "room.a")]
)
async def test_what_is_revoked_while_the_policy_is_asked_is_not_missed(
    app: Application,
    stream: Opener,
    user: User,
    session_key: str,
    settings: Settings,
    revoke_from: Callable[[User], Awaitable[None]],
) -> None:
    asked, answer = asyncio.Event(), asyncio.Event()

    async def authorize(user: Any, group: str, rendered: bool) -> bool:
        asked.set()
        await answer.wait()
        return True

    settings.SSE_COMPONENTS = {"AUTHORIZE": authorize}
    await runtime.start()

    async def revoke() -> None:
        await asked.wait()
        await revoke_from(user)
        await heard_all()
        answer.set()

    revoking = asyncio.create_task(revoke())
    target = "/sse/stream?group=room.a"
    async with stream(app, target, cookie(session_key)) as exchange:
        data = await ended(exchange, "stream-close")
        assert data["reason"] == "regrant"
    await revoking


async def heard_all() -> None:
    """Return when the hub has heard what was published and revoked so far."""
    hub, position = runtime.hub(), here()
    assert hub
    await hub._hearing.wait_until(position)


def disconnecting(user: User) -> Callable[..., Awaitable[Subject]]:
    """Return what finds a visitor, who is disconnected just then."""
    find_subject = admission.find_subject

    async def find(*arguments: Any, **options: Any) -> Subject:
        subject = await find_subject(*arguments, **options)
        await adisconnect_user(user)
        await heard_all()
        return subject

    return find


# A group is on its way to a WebSocket, so the hub can't tell yet that it has it.
async def test_what_is_revoked_while_it_is_subscribed_to_is_not_missed(
    app: Application, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with connect(app, with_grants(bound("room.a")), BOUND) as connection:
        await complete(connection)
        hub = runtime.hub()
        assert hub
        add = hub._replay.add

        async def slow(*arguments: Any) -> None:
            await arevoke(7, "room.b")
            await heard_all()
            await add(*arguments)

        monkeypatch.setattr(hub._replay, "add", slow)
        await connection.say(type="subscribe", grants=[bound("room.b")])
        event = await last(connection)
        assert (event.type, event.data["reason"]) == ("stream-close", "regrant")
        assert connection.code == 4040


# The stream of an unbound grant is nobody's, and the hub can't tell yet whose it will
# be.
# A23
@DATABASE
async def test_who_is_disconnected_while_they_are_looked_up_gets_nothing(
    app: Application,
    monkeypatch: pytest.MonkeyPatch,
    user: User,
    session_key: str,
    settings: Settings,
) -> None:
    settings.SSE_COMPONENTS = {"AUTHORIZE": lambda user, group, rendered: True}
    target = with_grants(grant("room.a"))
    async with connect(app, target, cookie(session_key)) as connection:
        await complete(connection)
        monkeypatch.setattr(sockets, "find_subject", disconnecting(user))
        await connection.say(type="subscribe", groups=["room.b"])
        event = await last(connection)
        assert (event.type, event.data["reason"]) == ("stream-close", "regrant")


async def test_a_revoked_group_is_an_error_on_a_websocket(app: Application) -> None:
    old = bound("room.b", "room.c")
    async with connect(app, with_grants(bound("room.a")), BOUND) as connection:
        await complete(connection)
        await arevoke(7, "room.b")
        await heard_all()
        await connection.say(type="subscribe", grants=[old])
        frames = (await connection.until("keep-alive"))[:-1]
        said = {frame.data["group"]: frame.data["status"] for frame in frames}
        assert said == {"room.b": "error", "room.c": "subscribed"}


async def test_of_two_grants_the_newer_one_gives_a_group_back(
    app: Application, stream: Opener
) -> None:
    old = bound("room.a", "room.b")
    await runtime.start()
    await arevoke(7, "room.*")
    await heard_all()
    async with stream(app, with_grants(old, bound("room.b")), BOUND) as exchange:
        data = (await opened(exchange)).data
        assert data["groups"][-1] == "room.b"
        assert data["denied"] == ["room.a"]


@pytest.mark.parametrize("position", [Position("0", 0), Position("0badcafe", 2**52)])
async def test_a_grant_of_an_epoch_that_nobody_remembers_is_too_old(
    app: Application, stream: Opener, position: Position
) -> None:
    target = with_grants(grant("room.a", position=position))
    async with stream(app, target) as exchange:
        assert (await ended(exchange, "stream-error"))["condition"] == "grant_expired"


# Bearer grants


def bearer(*names: str, user: str | None = None) -> str:
    from sse_components.revocations import Whose

    text, _ = runtime.grants().issue(names, Whose(here(), user), bearer=True)
    return f"/sse/stream?grant={quote(text)}"


async def test_a_bearer_without_a_user_has_what_it_was_given(
    app: Application, stream: Opener
) -> None:
    async with stream(app, bearer("room.a")) as exchange:
        assert (await opened(exchange)).data["groups"] == ["room.a"]


async def test_a_bearer_with_a_user_hears_what_is_the_users(
    app: Application, stream: Opener
) -> None:
    async with stream(app, bearer("room.a", user="7")) as exchange:
        groups = (await opened(exchange)).data["groups"]
        assert groups == ["broadcast", "users", "auth.user.7", "room.a"]
        await exchange.until("keep-alive")
        await adisconnect_user("7")
        assert (await last(exchange)).data["condition"] == "revoked"


async def test_a_browsers_cookie_is_of_its_stream_without_a_session(
    app: Application,
) -> None:
    # So that a grant that comes later, in a WebSocket, can be revoked.
    headers = {"Cookie": f"{COOKIE}={COOKIE_VALUE}"}
    for open in (request, connect):
        async with open(app, "/sse/stream?group=news.a", headers) as exchange:
            await complete(exchange)
            await revoke_browser()
            assert (await last(exchange)).data["condition"] == "revoked"


# The feed was interrupted, and a revocation came meanwhile.
async def test_a_revocation_that_was_not_heard_is_found(
    app: Application, stream: Opener, monkeypatch: pytest.MonkeyPatch
) -> None:
    await runtime.start()
    hub = runtime.hub()
    assert hub
    old = with_grants(bound("room.a"))
    with monkeypatch.context() as deaf:
        deaf.setattr(hub, "revoke", lambda revocation: None)
        await adisconnect_user(7)
        await heard_all()
    new = with_grants(bound("room.b"))
    async with stream(app, old, BOUND) as older, stream(app, new, BOUND) as newer:
        await complete(older)
        await complete(newer)
        hub.recall()
        assert (await last(older)).data["condition"] == "revoked"
        published = await ComponentDispatcher.notify("room.b", "hello")
        assert (await newer.next()).id == str(published.position)


# Anybody has an unbound grant; what a session has by name besides is still its user's.
# A23
@DATABASE
async def test_what_is_had_by_name_beside_a_grant_is_revoked_with_its_user(
    app: Application,
    stream: Opener,
    user: User,
    session_key: str,
    settings: Settings,
) -> None:
    settings.SSE_COMPONENTS = {"AUTHORIZE": lambda user, group, rendered: True}
    ways: list[Revoke] = [
        lambda: adisconnect_user(user),
        lambda: arevoke(user, "room.b"),
    ]
    for revoke in ways:
        target = with_grants(grant("room.a"), groups=["room.b"])
        async with stream(app, target, cookie(session_key)) as exchange:
            data = (await complete(exchange)).data
            assert data["groups"] == ["broadcast", "room.a", "room.b"]
            await revoke()
            assert (await last(exchange)).type in ("stream-error", "stream-close")


# A23
@DATABASE
async def test_what_is_subscribed_to_by_name_later_is_revoked_with_its_user(
    app: Application, user: User, session_key: str, settings: Settings
) -> None:
    settings.SSE_COMPONENTS = {"AUTHORIZE": lambda user, group, rendered: True}
    target = with_grants(grant("room.a"))
    async with connect(app, target, cookie(session_key)) as connection:
        await complete(connection)
        await connection.say(type="subscribe", groups=["room.b"])
        await connection.until("keep-alive")
        await adisconnect_user(user)
        assert (await last(connection)).data["condition"] == "revoked"


# A23
async def test_a_stream_of_several_sessions_ends_with_any_of_them(
    app: Application, stream: Opener
) -> None:
    target = with_grants(bound("a", session="h-1"), bound("b", session="h-7"))
    async with stream(app, target, BOUND) as exchange:
        await complete(exchange)
        await revoke_session()
        assert (await last(exchange)).data["reason"] == "regrant"


# The visitor is found and then revoked; were the position taken only now, it would be
# from after that.
# A23
@DATABASE
async def test_who_is_disconnected_just_after_being_looked_up_gets_no_stream(
    app: Application,
    stream: Opener,
    user: User,
    session_key: str,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    await runtime.start()
    monkeypatch.setattr(admission, "find_subject", disconnecting(user))
    async with stream(app, "/sse/stream", cookie(session_key)) as exchange:
        assert (await ended(exchange, "stream-close"))["reason"] == "regrant"


# A23
@DATABASE
async def test_what_is_asked_for_by_name_is_decided_now_whatever_a_grant_has_lost(
    app: Application,
    stream: Opener,
    user: User,
    session_key: str,
    settings: Settings,
) -> None:
    settings.SSE_COMPONENTS = {"AUTHORIZE": lambda user, group, rendered: True}
    await runtime.start()
    target = with_grants(grant("room.a"), groups=["room.b"])
    await arevoke(user, "room.b")
    await heard_all()
    async with stream(app, target, cookie(session_key)) as exchange:
        data = (await opened(exchange)).data
        assert data["groups"] == ["broadcast", "room.a", "room.b"]
        assert data["denied"] == []


# A20, A23
async def test_of_two_grants_none_may_be_from_before_its_user_was_disconnected(
    app: Application, stream: Opener
) -> None:
    await runtime.start()
    old = bound("room.a")
    await adisconnect_user(7)
    await heard_all()
    async with stream(app, with_grants(bound("room.b"), old), BOUND) as exchange:
        assert (await ended(exchange, "stream-error"))["condition"] == "grant_expired"


async def test_a_stream_waits_until_it_is_known_what_was_revoked(
    app: Application, stream: Opener
) -> None:
    await runtime.start()
    hub = runtime.hub()
    assert hub
    await hub.recalled()
    hub.doubt()
    async with stream(app, with_grants(bound("room.a")), BOUND) as exchange:
        opening = asyncio.create_task(opened(exchange))
        await asyncio.sleep(0.1)
        assert not opening.done()
        hub.recall()
        assert "room.a" in (await opening).data["groups"]


async def test_subscribing_waits_until_it_is_known_what_was_revoked(
    app: Application,
) -> None:
    async with connect(app, with_grants(bound("room.a")), BOUND) as connection:
        await complete(connection)
        hub = runtime.hub()
        assert hub
        hub.doubt()
        await connection.say(type="subscribe", grants=[bound("room.b")])
        answer = asyncio.create_task(connection.next())
        await asyncio.sleep(0.1)
        assert not answer.done()
        hub.recall()
        assert (await answer).data["status"] == "subscribed"
