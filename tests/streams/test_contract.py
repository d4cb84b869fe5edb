"""What holds of a stream over both transports."""

from __future__ import annotations

import asyncio
import logging
import threading
from collections.abc import Callable
from contextlib import AsyncExitStack
from typing import Any
from urllib.parse import quote

import pytest
from django.contrib.auth.models import AnonymousUser, User
from django.contrib.sessions.backends.base import SessionBase
from pytest_django import Settings

from sse_components import ComponentDispatcher, runtime
from sse_components.asgi import Application
from sse_components.channels import tag
from sse_components.grants import COOKIE, fingerprint
from sse_components.groups import session_group
from sse_components.wire import parse_position
from tests.communicator import Opener
from tests.streams.asking import (
    ALIEN,
    BOUND,
    COOKIE_VALUE,
    DATABASE,
    INVALID,
    asking,
    bound,
    cookie,
    ended,
    grant,
    opened,
    position,
    with_grants,
)

"""A cursor of an epoch that the broker doesn't know."""


# Frames


async def test_a_group_that_is_asked_for_twice_counts_once(
    app: Application, stream: Opener
) -> None:
    names = ["news.a", "broadcast", "news.a", "secret.a", "secret.a"]
    async with stream(app, asking(*names)) as exchange:
        data = (await opened(exchange)).data
    assert data["groups"] == ["broadcast", "news.a"]
    assert data["denied"] == ["secret.a"]


async def test_a_pattern_group_can_be_asked_for(
    app: Application, stream: Opener
) -> None:
    async with stream(app, asking("news.*")) as exchange:
        assert "news.*" in (await opened(exchange)).data["groups"]


async def test_a_client_that_leaves_is_forgotten(
    app: Application, stream: Opener
) -> None:
    hub = await runtime.start()
    async with stream(app, "/sse/stream") as exchange:
        await opened(exchange)
        assert hub.connections == 1
    assert hub.connections == 0


# Cursors


async def test_an_own_cursor_comes_back_and_what_was_missed_follows(
    app: Application,
    stream: Opener,
) -> None:
    async with stream(app, asking("news.updates")) as exchange:
        cursor = (await opened(exchange)).id
        assert cursor
    missed = [
        await ComponentDispatcher.notify("news.updates", f"n{number}")
        for number in range(3)
    ]
    async with stream(
        app, asking("news.updates"), {"Last-Event-ID": cursor}
    ) as exchange:
        events = await exchange.until("keep-alive")
    assert [event.type for event in events] == [
        "stream-open", "notify", "notify", "notify", "keep-alive"
    ]  # fmt: skip
    assert [event.id for event in events[:4]] == [
        cursor, *(str(published.position) for published in missed)
    ]  # fmt: skip


@pytest.mark.parametrize("parameter", ["lastEventId", "last_event_id"])
async def test_the_cursor_may_stand_in_the_query(
    app: Application, stream: Opener, parameter: str
) -> None:
    here = await position()
    async with stream(app, f"/sse/stream?{parameter}={quote(here)}") as exchange:
        assert (await opened(exchange)).id == here


@pytest.mark.parametrize("parameter", ["lastEventId", "last_event_id"])
async def test_the_header_wins_over_the_query(
    app: Application, stream: Opener, parameter: str
) -> None:
    here = await position()
    async with stream(
        app, f"/sse/stream?{parameter}={ALIEN}", {"Last-Event-ID": here}
    ) as exchange:
        assert (await opened(exchange)).id == here


async def test_an_empty_cursor_is_none(app: Application, stream: Opener) -> None:
    async with stream(
        app, "/sse/stream?lastEventId=", {"Last-Event-ID": ""}
    ) as exchange:
        events = await exchange.until("keep-alive")
    assert [event.type for event in events] == ["stream-open", "keep-alive"]
    assert events[0].id


@pytest.mark.parametrize(
    "cursor",
    [
        ALIEN,
        "garbage",
        "0:0",
        ":",
        "a:b",
        "abc:-1",
        "abc:01",
        "abc:9007199254740992",
        "abc:99999999999999999999999",
        "abcdefghijklmnopq:1",
        "Ünïcode:1",
        "' OR 1=1 --",
        "x" * 5000,
        "12345678:0badcafe-1,23456789:0badcafe-2",
        "12345678:0badcafe-1,23456789:1badcafe-2",
        "12345678:0badcafe-1,12345678:0badcafe-2",
        "12345678:0badcafe-1;",
    ],
)
async def test_an_unusable_cursor_resets_all_groups_from_the_brokers_position_on(
    app: Application, stream: Opener, cursor: str
) -> None:
    before = await position()
    async with stream(
        app, asking("news.updates"), {"Last-Event-ID": cursor}
    ) as exchange:
        first, reset, complete = await exchange.until("keep-alive")
        await ComponentDispatcher.notify("news.updates", "live")
        assert (await exchange.next()).type == "notify"
    assert first.type == "stream-open"
    assert first.id is None
    assert "id" not in first.data
    assert reset.type == "stream-reset"
    assert reset.data == {
        "type": "stream-reset",
        "id": reset.id,
        "groups": ["broadcast", "news.updates"],
        "channels": ["broadcast", "news.updates"],
    }
    assert before <= (reset.id or "") <= (complete.id or "")
    if cursor not in {":", "0:0"}:
        assert cursor.encode() not in exchange.body


async def test_a_cursor_from_the_future_is_unusable(
    app: Application, stream: Opener
) -> None:
    epoch, _, seq = (await position()).partition(":")
    async with stream(
        app, "/sse/stream", {"Last-Event-ID": f"{epoch}:{int(seq) + 10**9}"}
    ) as exchange:
        first, reset, _ = await exchange.until("keep-alive")
    assert first.id is None
    assert reset.type == "stream-reset"


async def test_a_client_of_a_grip_proxy_goes_on_here(
    app: Application, stream: Opener
) -> None:
    async with stream(app, asking("news.a", "news.b")) as exchange:
        await opened(exchange)
        names = ["broadcast", "news.a", "news.b", "news.a", "news.b", "news.a"]
        ids = [
            str((await ComponentDispatcher.notify(name, "n")).position)
            for name in names
        ]
    had = {"broadcast": ids[0], "news.a": ids[3], "news.b": ids[2]}
    cursor = ",".join(f"{tag(k)}:{id.replace(':', '-')}" for k, id in had.items())
    async with stream(
        app, asking("news.a", "news.b"), {"Last-Event-ID": cursor}
    ) as exchange:
        first, *missed, complete = await exchange.until("keep-alive")
    assert first.id == first.data["id"] == cursor
    assert [event.data["id"] for event in missed] == ids[4:]
    assert parse_position(complete.id or "").seq >= parse_position(ids[5]).seq


async def test_a_cursor_of_groups_may_stand_in_the_query(
    app: Application, stream: Opener
) -> None:
    here = (await position()).replace(":", "-")
    cursor = f"{tag('broadcast')}:{here},{tag('news.a')}:{here}"
    async with stream(app, f"/sse/stream?lastEventId={quote(cursor)}") as exchange:
        first, complete = await exchange.until("keep-alive")
    assert first.id == here.replace("-", ":")  # it is one place, after all
    assert complete.id


# Names


# A24
@pytest.mark.parametrize("name", INVALID)
async def test_an_invalid_name_is_denied_and_the_others_go_on(
    app: Application, stream: Opener, name: str
) -> None:
    async with stream(app, asking("news.updates", name)) as exchange:
        event = await opened(exchange)
        assert event.data["denied"] == [name]
        assert event.data["groups"] == ["broadcast", "news.updates"]
        await exchange.until("keep-alive")
        await ComponentDispatcher.notify("news.updates", "still-alive")
        assert (await exchange.next()).type == "notify"


# A24
@pytest.mark.parametrize("name", INVALID)
async def test_a_page_that_asks_for_nothing_but_an_invalid_name_hears_its_own_groups(
    app: Application, stream: Opener, name: str
) -> None:
    async with stream(app, asking(name)) as exchange:
        data = (await opened(exchange)).data
    assert data["groups"] == ["broadcast"]
    assert data["denied"] == [name]


# A24
async def test_a_name_in_bad_utf8_is_denied(app: Application, stream: Opener) -> None:
    async with stream(app, "/sse/stream?group=%ff%fe&group=news.updates") as exchange:
        assert (await opened(exchange)).data["denied"] == ["\ufffd\ufffd"]


# A18
async def test_a_denial_is_logged_without_the_names(
    app: Application, stream: Opener, caplog: pytest.LogCaptureFixture
) -> None:
    async with stream(app, asking("news.updates", "secret.plans")) as exchange:
        await opened(exchange)
    (record,) = [r for r in caplog.records if r.levelno == logging.WARNING]
    assert record.name == "sse_components.stream"
    assert record.getMessage() == "Denied 1 of 2 groups asked for"


# A25
async def test_more_groups_than_allowed_are_an_error(
    app: Application, stream: Opener, settings: Settings
) -> None:
    settings.SSE_COMPONENTS = {"PUBLIC_GROUPS": ["news.*"], "MAX_GROUPS": 3}
    async with stream(app, asking("news.1", "news.2", "news.3")) as exchange:
        await opened(exchange)
    async with stream(app, asking("news.1", "news.2", "news.3", "news.4")) as exchange:
        data = await ended(exchange, "stream-error")
    assert data["condition"] == "too_many_groups"
    assert "3" in data["text"]


async def test_a_query_of_64_kib_is_read_and_a_longer_one_is_an_error(
    app: Application,
    stream: Opener,
) -> None:
    target = asking("news.updates") + "&x="
    room = 64 * 1024 - len(target.partition("?")[2])
    async with stream(app, target + "x" * room) as exchange:
        await opened(exchange)
    async with stream(app, target + "x" * (room + 1)) as exchange:
        data = await ended(exchange, "stream-error")
    assert data["condition"] == "bad_request"


@DATABASE
async def test_no_more_streams_are_opened_however_many_ask_at_once(
    app: Application, stream: Opener, settings: Settings
) -> None:
    settings.SSE_COMPONENTS = {"MAX_STREAMS": 3}
    async with AsyncExitStack() as stack:
        # All of them wait for a session to be looked up at the same time.
        asked = [stream(app, "/sse/stream", cookie("x" * 32)) for _ in range(20)]
        exchanges = await asyncio.gather(*map(stack.enter_async_context, asked))
        firsts = await asyncio.gather(*(exchange.next() for exchange in exchanges))
    types = [first.type for first in firsts]
    assert types.count("stream-open") == 3
    assert types.count("stream-close") == 17


# A25
@DATABASE
async def test_a_user_with_too_many_streams_is_told_to_come_back_and_nobody_else(
    app: Application,
    stream: Opener,
    settings: Settings,
    session_key: str,
    other_session_key: str,
    caplog: pytest.LogCaptureFixture,
) -> None:
    settings.SSE_COMPONENTS = {"MAX_STREAMS_PER_USER": 2}
    async with AsyncExitStack() as stack:
        for key in [session_key, other_session_key] * 2:
            exchange = stream(app, "/sse/stream", cookie(key))
            await opened(await stack.enter_async_context(exchange))
        async with stream(app, "/sse/stream", cookie(session_key)) as third:
            data = await ended(third, "stream-close")
    assert data["reason"] == "busy"
    assert 500 <= data["retry"] <= 3000
    (record,) = [r for r in caplog.records if r.levelno == logging.WARNING]
    assert record.name == "sse_components.stream"
    assert record.args == (2,)


# A25
@DATABASE
async def test_a_user_who_has_closed_a_stream_may_open_another(
    app: Application, stream: Opener, settings: Settings, session_key: str
) -> None:
    settings.SSE_COMPONENTS = {"MAX_STREAMS_PER_USER": 2}
    async with stream(app, "/sse/stream", cookie(session_key)) as first:
        await opened(first)
        for _ in range(3):
            async with stream(app, "/sse/stream", cookie(session_key)) as second:
                await opened(second)


# A25
@DATABASE
async def test_streams_by_a_grant_and_by_a_session_count_for_the_same_user(
    app: Application, stream: Opener, settings: Settings, user: User, session_key: str
) -> None:
    settings.SSE_COMPONENTS = {"MAX_STREAMS_PER_USER": 1}
    granted = with_grants(grant("room.a", user=str(user.pk)))
    async with stream(app, "/sse/stream", cookie(session_key)) as by_session:
        await opened(by_session)
        async with stream(app, granted) as by_grant:
            assert (await ended(by_grant, "stream-close"))["reason"] == "busy"
    async with stream(app, granted) as by_grant:
        await opened(by_grant)
        async with stream(app, "/sse/stream", cookie(session_key)) as by_session:
            assert (await ended(by_session, "stream-close"))["reason"] == "busy"


# A25
@DATABASE
async def test_visitors_without_a_user_and_api_keys_have_as_many_as_there_are(
    app: Application, stream: Opener, settings: Settings, anonymous_key: str
) -> None:
    settings.SSE_COMPONENTS = {"MAX_STREAMS_PER_USER": 1}
    for headers in [cookie(anonymous_key), {"X-API-Key": "test-key"}]:
        async with AsyncExitStack() as stack:
            for _ in range(3):
                exchange = stream(app, asking("news.updates"), headers)
                await opened(await stack.enter_async_context(exchange))


async def test_a_stream_of_a_draining_process_is_told_to_come_back(
    app: Application,
    stream: Opener,
) -> None:
    hub = await runtime.start()
    await hub.drain(0)
    async with stream(app, "/sse/stream") as exchange:
        data = await ended(exchange, "stream-close")
    assert data["reason"] == "shutdown"


# Who asks


@pytest.mark.parametrize(
    "headers",
    [
        {"Authorization": "Bearer test-key"},
        {"Authorization": "bearer  test-key "},
        {"X-API-Key": "test-key"},
        {"X-API-Key": "test-key", "Authorization": "Basic YTpi"},
        {"X-API-Key": "test-key", "Authorization": "Bearer of-another-gate"},
    ],
)
async def test_an_api_key_opens_what_it_asks_for_and_nothing_else(
    app: Application, stream: Opener, headers: dict[str, str]
) -> None:
    async with stream(app, asking("secret.plans"), headers) as exchange:
        assert (await opened(exchange)).data["groups"] == ["secret.plans"]


async def test_an_api_key_of_all_groups_has_those_reserved_that_it_names(
    app: Application, stream: Opener
) -> None:
    names = ["broadcast", "users", "auth.user.7", "session.h-x", "presence.room.a"]
    asked = asking("secret.plans", *names, "presence.users")
    async with stream(app, asked, {"X-API-Key": "test-key"}) as exchange:
        data = (await opened(exchange)).data
        assert data["denied"] == names
        # It is named in full among what the key is for.
        assert data["groups"] == ["secret.plans", "presence.users"]


@pytest.mark.parametrize("key", ["test-kex", "test-ke", "test-key1", "ÿ", "x" * 5000])
async def test_a_wrong_api_key_is_forbidden(
    app: Application, stream: Opener, key: str
) -> None:
    async with stream(
        app, asking("news.updates"), {"Authorization": f"Bearer {key}"}
    ) as exchange:
        data = await ended(exchange, "stream-error")
    assert data["condition"] == "forbidden"
    assert key.encode() not in exchange.body


# A16
async def test_a_visitor_without_a_session_is_in_broadcast(
    app: Application, stream: Opener
) -> None:
    async with stream(app, "/sse/stream") as exchange:
        assert (await opened(exchange)).data["groups"] == ["broadcast"]


# A16
@DATABASE
async def test_an_anonymous_session_has_its_group(
    app: Application, stream: Opener, anonymous_key: str
) -> None:
    async with stream(app, "/sse/stream", cookie(anonymous_key)) as exchange:
        groups = (await opened(exchange)).data["groups"]
    assert groups == ["broadcast", session_group(anonymous_key)]


# A15
@DATABASE
async def test_a_user_is_in_the_automatic_groups(
    app: Application, stream: Opener, user: User, session_key: str
) -> None:
    own = session_group(session_key)
    async with stream(app, "/sse/stream", cookie(session_key)) as exchange:
        groups = (await opened(exchange)).data["groups"]
        assert groups == ["broadcast", "users", f"auth.user.{user.pk}", own]
        await exchange.until("keep-alive")
        for group in ["broadcast", "users", f"auth.user.{user.pk}"]:
            await ComponentDispatcher.notify(group, "hello")
            assert (await exchange.next()).data["group"] == group
        await ComponentDispatcher.notify(f"session.{session_key}", "hello")
        assert (await exchange.next()).data["group"] == own


@DATABASE
async def test_a_session_that_nobody_has_is_nobodys(
    app: Application, stream: Opener
) -> None:
    async with stream(app, "/sse/stream", cookie("x" * 32)) as exchange:
        assert (await opened(exchange)).data["groups"] == ["broadcast"]


# A22
@DATABASE
async def test_the_session_key_is_neither_sent_nor_logged(
    app: Application, stream: Opener, session_key: str, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    target = asking("news.updates", "secret.plans")
    async with stream(app, target, cookie(session_key)) as exchange:
        await exchange.until("keep-alive")
        await ComponentDispatcher.notify(f"session.{session_key}", "hello")
        await exchange.until("notify")
    assert session_key.encode() not in exchange.body
    assert caplog.text
    assert session_key not in caplog.text


# A21
@DATABASE
async def test_a_user_has_their_own_private_groups_and_nobody_elses(
    app: Application, stream: Opener, user: User, session_key: str
) -> None:
    mine = f"auth.user.{user.pk}.notifications"
    others = [
        f"auth.user.{user.pk + 1}.notifications",
        f"auth.user.{user.pk + 1}",
        f"auth.user.{user.pk}1.notifications",
        "auth.user.*",
        f"session.{session_key}",
    ]
    async with stream(app, asking(mine, *others), cookie(session_key)) as exchange:
        data = (await opened(exchange)).data
    assert mine in data["groups"]
    assert data["denied"] == others


class SessionStore(SessionBase):
    """Of a store that is away."""

    def load(self) -> dict[str, Any]:
        raise ConnectionError("The store of sessions is away")


async def test_a_session_that_cannot_be_looked_up_is_unavailable_for_now(
    app: Application,
    stream: Opener,
    settings: Settings,
    caplog: pytest.LogCaptureFixture,
) -> None:
    settings.SESSION_ENGINE = __name__
    async with stream(app, "/sse/stream", cookie("x" * 32)) as exchange:
        data = await ended(exchange, "stream-close")
    assert data["reason"] == "unavailable"
    assert data["retry"] >= 500
    assert "A session could not be looked up" in caplog.text
    assert "x" * 32 not in caplog.text.replace(__file__, "")


# AUTHORIZE


Question = tuple[Any, str, bool]


class Judge:
    """Records what it is asked, and where."""

    def __init__(self) -> None:
        self.questions: list[Question] = []
        self.threads: set[threading.Thread] = set()

    def answer(self, user: Any, group: str, rendered: bool) -> bool | None:
        self.questions.append((user, group, rendered))
        self.threads.add(threading.current_thread())
        return {"room.yes": True, "room.no": False}.get(group)

    async def aanswer(self, user: Any, group: str, rendered: bool) -> bool | None:
        return self.answer(user, group, rendered)


@pytest.mark.parametrize("way", ["answer", "aanswer"])
async def test_authorize_is_asked_about_names_and_none_is_no(
    app: Application, stream: Opener, settings: Settings, way: str
) -> None:
    judge = Judge()
    settings.SSE_COMPONENTS = {"AUTHORIZE": getattr(judge, way)}
    async with stream(
        app, asking("room.yes", "room.no", "room.other", "not a name", "users")
    ) as exchange:
        data = (await opened(exchange)).data
    assert data["groups"] == ["broadcast", "room.yes"]
    assert data["denied"] == ["room.no", "room.other", "not a name", "users"]
    assert judge.questions == [
        (AnonymousUser(), "room.yes", False),
        (AnonymousUser(), "room.no", False),
        (AnonymousUser(), "room.other", False),
    ]
    on_the_loop = threading.current_thread() in judge.threads
    assert on_the_loop is (way == "aanswer")


@DATABASE
async def test_authorize_is_told_the_user(
    app: Application, stream: Opener, settings: Settings, user: User, session_key: str
) -> None:
    judge = Judge()
    settings.SSE_COMPONENTS = {"AUTHORIZE": judge.answer}
    async with stream(app, asking("room.yes"), cookie(session_key)) as exchange:
        assert "room.yes" in (await opened(exchange)).data["groups"]
    assert judge.questions == [(user, "room.yes", False)]


def _raises(user: Any, group: str, rendered: bool) -> bool:
    raise LookupError("a bug in AUTHORIZE")


async def _araises(user: Any, group: str, rendered: bool) -> bool:
    raise LookupError("a bug in AUTHORIZE")


@pytest.mark.parametrize("authorize", [_raises, _araises])
async def test_an_authorize_that_raises_counts_as_a_no(
    app: Application,
    stream: Opener,
    settings: Settings,
    caplog: pytest.LogCaptureFixture,
    authorize: Callable[..., Any],
) -> None:
    settings.SSE_COMPONENTS = {"AUTHORIZE": authorize}
    async with stream(app, asking("room.yes")) as exchange:
        assert (await opened(exchange)).data["denied"] == ["room.yes"]
    assert "a bug in AUTHORIZE" in caplog.text
    assert "a bug in AUTHORIZE" not in exchange.body.decode()


@pytest.mark.parametrize("answer", [1, "yes", [True]])
async def test_only_true_is_a_yes_of_authorize(
    app: Application, stream: Opener, settings: Settings, answer: object
) -> None:
    settings.SSE_COMPONENTS = {"AUTHORIZE": lambda user, group, rendered: answer}
    async with stream(app, asking("room.yes")) as exchange:
        assert (await opened(exchange)).data["denied"] == ["room.yes"]


# Grants


# A16
# A17
async def test_a_grant_of_nobody_lets_hear_what_was_rendered(
    app: Application, stream: Opener
) -> None:
    async with stream(app, with_grants(grant("room.b", "room.a"))) as exchange:
        data = (await opened(exchange)).data
        assert data["groups"] == ["broadcast", "room.a", "room.b"]
        assert data["denied"] == []
        await exchange.until("keep-alive")
        published = await ComponentDispatcher.notify("room.b", "hello")
        assert (await exchange.next()).id == str(published.position)


async def test_a_grant_says_when_it_expires(app: Application, stream: Opener) -> None:
    async with stream(app, with_grants(grant("room.a"))) as exchange:
        assert 3590 <= (await opened(exchange)).data["expires"] <= 3600


async def test_of_several_grants_the_first_to_expire_counts(
    app: Application, stream: Opener
) -> None:
    grants = grant("room.a"), grant("room.b", seconds=100)
    async with stream(app, with_grants(*grants)) as exchange:
        data = (await opened(exchange)).data
    assert data["groups"] == ["broadcast", "room.a", "room.b"]
    assert 90 <= data["expires"] <= 100


# A15
# A63
async def test_the_automatic_groups_come_from_the_grant_and_no_database(
    app: Application,
    stream: Opener,
) -> None:
    # Without the mark for it, a look into the database fails.
    text = bound("room.a", session="h-" + 22 * "a")
    headers = {"Cookie": f"{COOKIE}={COOKIE_VALUE}; sessionid={32 * 'x'}"}
    async with stream(app, with_grants(text), headers) as exchange:
        assert (await opened(exchange)).data["groups"] == [
            "broadcast", "users", "auth.user.7", f"session.h-{22 * 'a'}", "room.a"
        ]  # fmt: skip


# A18
async def test_a_name_that_is_not_granted_is_denied_beside_a_grant(
    app: Application,
    stream: Opener,
) -> None:
    target = with_grants(grant("room.a"), groups=["room.b", "news.a", "room.a"])
    async with stream(app, target) as exchange:
        data = (await opened(exchange)).data
    assert data["groups"] == ["broadcast", "room.a", "news.a"]
    assert "room.b" in data["denied"]


# A20
@pytest.mark.parametrize(
    "headers",
    [
        {},
        {"Cookie": f"{COOKIE}=of-another"},
        {"Cookie": f"{COOKIE}="},
        {"Cookie": f"{COOKIE}={fingerprint(COOKIE_VALUE)}"},
        {"Cookie": f"other={COOKIE_VALUE}"},
    ],
)
@pytest.mark.parametrize("beside", [True, False])
async def test_a_bound_grant_is_worth_nothing_in_another_browser(
    app: Application, stream: Opener, headers: dict[str, str], beside: bool
) -> None:
    texts = [bound("room.a")]
    if beside:
        texts.append(grant("room.b", user="7"))
    async with stream(app, with_grants(*texts), headers) as exchange:
        data = await ended(exchange, "stream-error")
    assert data["condition"] == "forbidden"
    assert "room" not in str(data)


# A20
async def test_a_grant_that_has_expired_is_to_be_renewed(
    app: Application, stream: Opener, settings: Settings
) -> None:
    settings.SSE_COMPONENTS = {"GRANT_SECONDS": 0.001}
    text = grant("room.a")
    settings.SSE_COMPONENTS = {}
    for texts in ([text], [text, grant("room.b")]):
        async with stream(app, with_grants(*texts)) as exchange:
            data = await ended(exchange, "stream-error")
        assert data["condition"] == "grant_expired"


# A20
# A66
@pytest.mark.parametrize(
    "alter",
    [
        lambda text: "",
        lambda text: "garbage",
        lambda text: "\0",
        lambda text: "Ünïcode:1:2",
        lambda text: text + "x",
        lambda text: "x" + text,
        lambda text: text[:-1],
        lambda text: text.swapcase(),
        lambda text: 20_000 * "x",
    ],
)
async def test_a_grant_that_was_altered_opens_nothing(
    app: Application, stream: Opener, alter: Callable[[str], str]
) -> None:
    altered = alter(grant("room.a"))
    for texts in ([altered], [grant("room.b"), altered]):
        async with stream(app, with_grants(*texts)) as exchange:
            data = await ended(exchange, "stream-error")
        assert data["condition"] == "grant_expired"
        assert "room" not in str(data)


async def test_several_grants_of_a_user_are_heard_together(
    app: Application, stream: Opener
) -> None:
    target = with_grants(bound("room.a"), bound("room.b", "room.a"))
    async with stream(app, target, BOUND) as exchange:
        assert (await opened(exchange)).data["groups"] == [
            "broadcast", "users", "auth.user.7", "room.a", "room.b"
        ]  # fmt: skip


# A20
@pytest.mark.parametrize("other", ["8", None])
async def test_grants_of_several_users_are_a_bad_request(
    app: Application, stream: Opener, other: str | None
) -> None:
    target = with_grants(bound("room.a"), grant("room.b", user=other))
    async with stream(app, target, BOUND) as exchange:
        data = await ended(exchange, "stream-error")
    assert data["condition"] == "bad_request"


# A25
async def test_groups_that_are_granted_count(
    app: Application, stream: Opener, settings: Settings
) -> None:
    settings.SSE_COMPONENTS = {"MAX_GROUPS": 3, "PUBLIC_GROUPS": ["news.*"]}
    two = grant("room.a", "room.b")
    async with stream(app, with_grants(two, groups=["news.a", "room.a"])) as exchange:
        assert len((await opened(exchange)).data["groups"]) == 4  # with broadcast
    for texts, names in [
        ([two], ["news.a", "news.b"]),
        ([two, grant("room.c", "room.d")], []),
    ]:
        async with stream(app, with_grants(*texts, groups=names)) as exchange:
            data = await ended(exchange, "stream-error")
        assert data["condition"] == "too_many_groups"


# A80
async def test_a_grant_for_no_groups_opens_a_page_all_the_same(
    app: Application,
    stream: Opener,
) -> None:
    async with stream(app, with_grants(bound()), BOUND) as exchange:
        assert (await opened(exchange)).data["groups"] == [
            "broadcast", "users", "auth.user.7"
        ]  # fmt: skip
