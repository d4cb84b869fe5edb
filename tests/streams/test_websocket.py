"""What holds of a stream because it is a WebSocket: its groups change in between."""

from __future__ import annotations

import asyncio
import json
from typing import Any
from urllib.parse import quote

import pytest
from pytest_django import Settings

from sse_components import ComponentDispatcher, runtime
from sse_components.asgi import Application
from sse_components.channels import tag
from tests.clients import Received
from tests.communicator import Communicator, Connection, connect, request, scope
from tests.streams.asking import (
    ALIEN,
    BOUND,
    asking,
    bound,
    ended,
    grant,
    opened,
    position,
    with_grants,
)

KEY = {"X-API-Key": "test-key"}


async def published(*names: str) -> list[str]:
    """Publish an event to each group and return the ids."""
    events = [await ComponentDispatcher.notify(name, "hello") for name in names]
    return [str(event.position) for event in events]


async def complete(connection: Connection) -> list[Received]:
    """Return what comes up to a keep-alive, which must say that all came."""
    frames = await connection.until("keep-alive")
    assert frames[-1].id
    return frames


def statuses(frames: list[Received]) -> dict[str, str]:
    return {
        frame.data["group"]: frame.data["status"]
        for frame in frames
        if frame.type == "subscription.response"
    }


def ids(frames: list[Received]) -> list[str | None]:
    return [frame.id for frame in frames if frame.type == "notify"]


# Frames


async def test_a_message_is_the_data_of_a_frame(app: Application) -> None:
    async with (
        request(app, asking("news.updates")) as sse,
        connect(app, asking("news.updates")) as websocket,
    ):
        await sse.until("keep-alive")
        await complete(websocket)
        begun, heard = len(sse.body), len(websocket.body)
        await ComponentDispatcher.data_changed("news.updates", {"headline": "Ünï\n"})
        await sse.next()
        await websocket.next()
    data = sse.body[begun:].partition(b"data: ")[2]
    assert data == websocket.body[heard:] + b"\n\n"


async def test_other_addresses_take_no_websocket(app: Application) -> None:
    for path in ("/sse/stream", "/sse/groups/news.updates", "/sse/wsx", "/", "/ws"):
        messages = Communicator(app, scope(path) | {"type": "websocket"})
        await messages.say("websocket.connect")
        assert (await messages.hear())["type"] == "websocket.close"


# Origins


# A26
@pytest.mark.parametrize(
    "headers",
    [
        {"Origin": "https://evil.example"},
        {"Origin": "null"},
        {"Origin": "http://testserver:8001"},
        {"Origin": "http://testserver.evil.example"},
        {"Origin": "https://evil.example", **KEY},
        {"Origin": "", **KEY},
        {"Host": "evil.example", "Origin": "http://evil.example"},
        {"Host": "evil.example", **KEY},
    ],
)
async def test_a_page_of_another_site_is_refused(
    app: Application, headers: dict[str, str]
) -> None:
    async with connect(app, "/sse/stream", headers) as connection:
        assert connection.status == 403


# A26
async def test_who_says_no_origin_needs_an_api_key(app: Application) -> None:
    for headers, status in (({}, 403), ({"Cookie": "a=1"}, 403), (KEY, 200)):
        opening = scope("/sse/ws?group=news.updates", headers) | {"type": "websocket"}
        connection = Connection(app, opening)
        await connection.begin()
        assert connection.status == status
        await connection.leave()


async def test_an_allowed_origin_is_served(
    app: Application, settings: Settings
) -> None:
    settings.SSE_COMPONENTS = {"ALLOWED_ORIGINS": ["https://app.example"]}
    friend = {"Origin": "https://app.example"}
    async with connect(app, "/sse/stream", friend) as connection:
        await opened(connection)


# The end


async def test_the_close_code_says_what_to_do(
    app: Application, settings: Settings
) -> None:
    settings.SSE_COMPONENTS = {"MAX_STREAMS": 1, "MAX_GROUPS": 1}
    expired = with_grants(grant("room.a", seconds=-1))
    for target, type, code in (
        (expired, "stream-error", 4401),
        (with_grants(bound("room.a")), "stream-error", 4403),
        (asking("news.a", "news.b"), "stream-error", 4400),
        ("/sse/stream?" + 65537 * "x", "stream-error", 4400),
    ):
        async with connect(app, target) as connection:
            await ended(connection, type)
            assert connection.code == code
    async with connect(app, "/sse/stream") as first:
        await complete(first)
        async with connect(app, "/sse/stream") as second:
            assert (await ended(second, "stream-close"))["reason"] == "busy"
            assert second.code == 4029
        hub = await runtime.start()
        await hub.drain(0)
        (close,) = await first.rest()
        assert close.data["reason"] == "shutdown"
        assert close.data["retry"] >= 500
        assert first.code == 1012


async def test_a_connection_is_sent_away_in_time(
    app: Application, settings: Settings
) -> None:
    settings.SSE_COMPONENTS = {"ROTATE_SECONDS": 0.1, "KEEP_ALIVE_SECONDS": 0.2}
    async with connect(app, "/sse/stream") as connection:
        last = (await connection.rest())[-1]
        assert last.data["reason"] == "rotated"
        assert connection.code == 1012


async def test_a_client_that_has_gone_is_no_error(app: Application) -> None:
    async def receive() -> dict[str, Any]:
        return {"type": "websocket.connect"}

    async def send(message: dict[str, Any]) -> None:
        if message["type"] == "websocket.send":
            raise ConnectionResetError  # as ASGI 2.4 has it

    hub = await runtime.start()
    opening = scope("/sse/ws", {"Origin": "http://testserver"})
    await app(opening | {"type": "websocket"}, receive, send)
    assert hub.connections == 0


# Pings


async def test_a_pong_says_that_all_before_it_was_sent(app: Application) -> None:
    async with connect(app, asking("news.updates")) as connection:
        await complete(connection)
        (id,) = await published("news.updates")
        await connection.say(type="ping")
        event, pong = await connection.until("pong")
        assert event.id == id
        assert pong.data == {"type": "pong", "id": pong.id}
        assert (pong.id or "") >= id
        (later,) = await published("news.updates")
        assert (await connection.next()).id == later


# Subscribing


async def test_what_a_group_missed_comes_before_its_live_events(
    app: Application,
) -> None:
    async with connect(app, asking("news.a")) as connection:
        await complete(connection)
        here = await position()
        missed = await published("news.b", "news.b")
        await published("news.a")
        await connection.say(type="subscribe", groups=["news.b"], last_event_id=here)
        frames = await complete(connection)
        assert [frame.type for frame in frames] == [
            "notify", "subscription.response", "notify", "notify", "keep-alive"
        ]  # fmt: skip
        assert frames[1].data == {
            "type": "subscription.response",
            "group": "news.b",
            "status": "subscribed",
            "message": "",
        }
        assert ids(frames[2:]) == missed
        assert (frames[-1].id or "") >= (frames[0].id or "")
        live = await published("news.b", "news.a", "news.b")
        assert [(await connection.next()).id for _ in live] == live


async def test_without_a_cursor_a_group_is_heard_from_now_on(app: Application) -> None:
    async with connect(app, "/sse/stream") as connection:
        await complete(connection)
        await published("news.b")
        await connection.say(type="subscribe", groups=["news.b"])
        assert ids(await complete(connection)) == []
        (live,) = await published("news.b")
        assert (await connection.next()).id == live


async def test_a_grant_may_be_brought_later(app: Application) -> None:
    async with connect(app, with_grants(bound("room.a")), BOUND) as connection:
        await complete(connection)
        here = await position()
        missed = await published("room.b")
        await connection.say(
            type="subscribe",
            grants=[bound("room.b", "room.a")],
            groups=["news.a"],
            last_event_id=here,
        )
        frames = await complete(connection)
        assert statuses(frames) == {
            "room.a": "resubscribed",
            "room.b": "subscribed",
            "news.a": "subscribed",
        }
        assert ids(frames) == missed


# A20
async def test_a_grant_that_is_worth_nothing_is_an_error_and_the_stream_goes_on(
    app: Application, settings: Settings
) -> None:
    settings.SSE_COMPONENTS = {"GRANT_SECONDS": 0.001}
    expired = grant("room.b", user="7")
    settings.SSE_COMPONENTS = {}
    async with connect(app, with_grants(bound("room.a")), BOUND) as connection:
        await complete(connection)
        for text, condition in (
            (expired, "grant_expired"),
            ("garbage", "grant_expired"),
            (grant("room.b", user="7", browser="of-another"), "forbidden"),
            (bound("room.b", user="8"), "bad_request"),
            (grant("room.b"), "bad_request"),
        ):
            await connection.say(type="subscribe", grants=[text])
            error = await connection.next()
            assert error.type == "stream-error"
            assert error.data["condition"] == condition
            assert error.id is None  # which would stop who comes back with it
        await published("room.b")
        (id,) = await published("room.a")
        assert (await connection.next()).id == id


# A18
# A24
async def test_what_is_denied_is_an_error_and_the_others_go_on(
    app: Application, caplog: pytest.LogCaptureFixture
) -> None:
    names = ["secret.plans", "näws", "news\nb", "", "x" * 201, "users", "session.x"]
    async with connect(app, "/sse/stream") as connection:
        await complete(connection)
        await connection.say(type="subscribe", groups=[*names, "news.b", "news.b"])
        frames = await complete(connection)
        assert statuses(frames) == dict.fromkeys(names, "error") | {
            "news.b": "subscribed"
        }
        assert len({f.data["message"] for f in frames[:7]}) == 1
        (id,) = await published("news.b")
        assert (await connection.next()).id == id
    assert "Denied 7 of 8 groups" in caplog.text


# A25
async def test_no_more_groups_than_allowed_are_subscribed_to(
    app: Application, settings: Settings
) -> None:
    settings.SSE_COMPONENTS = {"PUBLIC_GROUPS": ["news.*"], "MAX_GROUPS": 3}
    async with connect(app, "/sse/stream") as connection:
        await complete(connection)
        await connection.say(type="subscribe", groups=["news.a", "news.b", "news.c"])
        assert statuses(await complete(connection)) == {
            "news.a": "subscribed",
            "news.b": "subscribed",
            "news.c": "error",
        }
        await connection.say(type="unsubscribe", groups=["news.a"])
        await connection.say(type="subscribe", groups=["news.c"])
        assert statuses(await complete(connection))["news.c"] == "subscribed"


async def test_a_group_goes_on_from_where_a_cursor_of_groups_says(
    app: Application,
) -> None:
    async with connect(app, asking("news.a")) as connection:
        await complete(connection)
        await position()
        ids = await published("news.b", "news.c", "news.b", "news.b", "news.c")
        had = {"news.b": ids[2], "news.c": ids[1]}
        cursor = ",".join(f"{tag(k)}:{id.replace(':', '-')}" for k, id in had.items())
        await connection.say(
            type="subscribe", groups=["news.b", "news.c"], last_event_id=cursor
        )
        frames = await complete(connection)
        events = [frame for frame in frames if frame.type == "notify"]
        assert [event.data["id"] for event in events] == ids[3:]


@pytest.mark.parametrize(
    "cursor", [ALIEN, "garbage", "0:0", "12345678:0badcafe-1", "12345678:0-1,"]
)
async def test_an_unusable_cursor_resets_the_new_groups_only(
    app: Application, cursor: str
) -> None:
    async with connect(app, asking("news.a")) as connection:
        await complete(connection)
        await published("news.b")
        await connection.say(
            type="subscribe", groups=["news.b", "news.c"], last_event_id=cursor
        )
        frames = await complete(connection)
        (reset,) = [frame for frame in frames if frame.type == "stream-reset"]
        assert reset.data["groups"] == ["news.b", "news.c"]
        assert reset.id is None
        assert ids(frames) == []
        live = await published("news.a", "news.b")
        assert [(await connection.next()).id for _ in live] == live


async def test_history_that_no_longer_reaches_back_resets_its_group(
    app: Application, settings: Settings
) -> None:
    settings.SSE_COMPONENTS = {"PUBLIC_GROUPS": ["news.*"], "HISTORY_SIZE": 2}
    async with connect(app, asking("news.a")) as connection:
        await complete(connection)
        here = await position()
        await published("news.b", "news.b", "news.b")
        missed = await published("news.c")
        await connection.say(
            type="subscribe", groups=["news.b", "news.c"], last_event_id=here
        )
        frames = await complete(connection)
        (reset,) = [frame for frame in frames if frame.type == "stream-reset"]
        assert reset.data["groups"] == ["news.b"]
        assert ids(frames) == missed


# A61
@pytest.mark.parametrize(
    ("first", "then"), [("news.*", "news.a"), ("news.a", "news.*")]
)
async def test_an_event_of_a_group_and_its_pattern_comes_once(
    app: Application, first: str, then: str
) -> None:
    here = await position()
    async with connect(app, asking("news.a", "news.*")) as other:
        await complete(other)  # so that the pattern is known to the broker
        async with connect(app, asking(first)) as connection:
            await complete(connection)
            since = await position()
            (before,) = await published("news.a")
            assert (await connection.next()).id == before
            await connection.say(type="subscribe", groups=[then], last_event_id=since)
            assert ids(await complete(connection)) == []
            live = await published("news.a", "news.a")
            assert [(await connection.next()).id for _ in live] == live
            await connection.say(type="ping")
            assert [f.type for f in await connection.until("pong")] == ["pong"]
    assert here < before


async def test_what_was_missed_before_the_pattern_was_heard_comes_all_the_same(
    app: Application,
) -> None:
    async with connect(app, asking("news.*")) as other:
        await complete(other)
        here = await position()
        missed = await published("news.a", "news.a")
        async with connect(app, asking("news.*")) as connection:
            await complete(connection)
            (known,) = await published("news.a")
            assert (await connection.next()).id == known
            await connection.say(
                type="subscribe", groups=["news.a"], last_event_id=here
            )
            assert ids(await complete(connection)) == missed


async def test_events_of_the_others_wait_for_a_replay_and_none_is_lost(
    app: Application,
) -> None:
    async with connect(app, asking("news.a")) as connection:
        await complete(connection)
        here = await position()
        missed = [(await published("news.b"))[0] for _ in range(500)]
        await connection.say(type="subscribe", groups=["news.b"], last_event_id=here)
        live = []
        for _ in range(100):
            live += await published("news.a", "news.b")
            await asyncio.sleep(0)
        got: list[str] = []
        while len(got) < 700:
            frame = await connection.next()
            if frame.type == "notify":
                got.append(frame.id or "")
        assert sorted(got) == [*missed, *live]
        seen = set(missed)
        assert [id for id in got if id in seen] == missed


# Unsubscribing


async def test_a_group_that_was_left_is_no_longer_sent(app: Application) -> None:
    async with connect(app, asking("news.a", "news.b")) as connection:
        await complete(connection)
        await connection.say(type="unsubscribe", groups=["news.a", "news.never"])
        assert statuses([await connection.next(), await connection.next()]) == {
            "news.a": "unsubscribed",
            "news.never": "unsubscribed",
        }
        _, id = await published("news.a", "news.b")
        assert (await connection.next()).id == id
        await connection.say(type="subscribe", groups=["news.a"])
        assert statuses(await complete(connection)) == {"news.a": "subscribed"}
        (id,) = await published("news.a")
        assert (await connection.next()).id == id


async def test_an_automatic_group_cannot_be_left(app: Application) -> None:
    async with connect(app, "/sse/stream") as connection:
        await complete(connection)
        await connection.say(type="unsubscribe", groups=["broadcast"])
        assert (await connection.next()).data["status"] == "error"
        (id,) = await published("broadcast")
        assert (await connection.next()).id == id


async def test_a_key_may_come_with_nothing_and_subscribe_then(app: Application) -> None:
    async with connect(app, "/sse/stream", KEY) as connection:
        assert (await opened(connection)).data["groups"] == []
        await connection.until("keep-alive")
        await connection.say(type="subscribe", groups=["secret.plans", "broadcast"])
        frames = await complete(connection)
        assert statuses(frames) == {"broadcast": "error", "secret.plans": "subscribed"}
        await connection.say(type="unsubscribe", groups=["secret.plans"])
        await connection.next()
        await connection.say(type="ping")
        assert (await connection.next()).type == "pong"


# Nonsense


# A66
@pytest.mark.parametrize(
    "text",
    [
        "",
        "garbage",
        "[]",
        "null",
        '"ping"',
        "{}",
        '{"type":"publish"}',
        '{"type":["ping"]}',
        '{"type":"subscribe","groups":"news.a"}',
        '{"type":"subscribe","groups":[7]}',
        '{"type":"subscribe","groups":["\\ud800"]}',
        '{"type":"subscribe","grants":{}}',
        '{"type":"subscribe","groups":["news.a"],"last_event_id":7}',
        '{"type":"unsubscribe","groups":null}',
        json.dumps({"type": "subscribe", "groups": [f"a.{n}" for n in range(201)]}),
        json.dumps({"type": "unsubscribe", "groups": [f"a.{n}" for n in range(201)]}),
        100_000 * "[",
        json.dumps({"type": "ping", "x": 65536 * "x"}),
    ],
)
async def test_nonsense_is_an_error_and_the_tenth_time_the_end(
    app: Application, text: str
) -> None:
    async with connect(app, asking("news.a")) as connection:
        await complete(connection)
        for number in range(1, 11):
            await connection.messages.say("websocket.receive", text=text)
            error = await connection.next()
            assert error.type == "stream-error"
            assert error.data["condition"] == "bad_request"
            assert error.id == (None if number < 10 else "error")
            if number == 9:
                (id,) = await published("news.a")
                assert (await connection.next()).id == id
        assert await connection.rest() == []
        assert connection.code == 4400


async def test_bytes_are_nonsense(app: Application) -> None:
    async with connect(app, "/sse/stream") as connection:
        await complete(connection)
        await connection.messages.say("websocket.receive", bytes=b'{"type":"ping"}')
        assert (await connection.next()).type == "stream-error"


async def test_the_cursor_in_the_query_is_a_streams(app: Application) -> None:
    here = await position()
    missed = await published("news.a", "news.a")
    target = f"{asking('news.a')}&last_event_id={quote(here)}"
    async with connect(app, target) as connection:
        assert ids(await complete(connection)) == missed
