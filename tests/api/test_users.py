from __future__ import annotations

import asyncio
import re
from typing import Any

import pytest

from sse_components import ComponentDispatcher
from sse_components.asgi import Application
from tests.api.clients import KEYED, Answer, Person, System
from tests.api.conftest import Limit
from tests.clients import Received
from tests.communicator import Exchange, request

ONLINE = "/sse/groups/presence.users"
ROOM = "/sse/stream?group=chat.room.7"
MOMENT = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{6}Z")

INVALID_USERS: list[object] = [
    "",
    201 * "x",
    "a\nb",
    "a\0",
    "\x7f",
    "\x85",
    "\ud800",
    7,
    None,
    ["7"],
]


async def opened(exchange: Exchange) -> Exchange:
    assert exchange.status == 200
    assert (await exchange.next()).type == "stream-open"
    return exchange


async def told(watching: Exchange) -> Received:
    """Return the next that a stream is told of, which A53 gives 2 seconds."""
    async with asyncio.timeout(2):
        while (event := await watching.next()).type.startswith("keep-alive"):
            pass
    return event


def nothing(answer: Answer, status: int) -> None:
    assert (answer.status, answer.text) == (status, "")
    assert "Content-Type" not in answer.headers


# A53
async def test_a_user_is_online_from_the_first_tab_until_the_last_has_closed(
    system: System, app: Application, anna: Person
) -> None:
    address = f"/users/{anna.id}/status"
    offline = {"user": anna.id, "online": False, "connections": 0, "since": None}
    assert await system.get(address) == offline | {"last_seen": None}
    async with request(app, ONLINE, KEYED) as watching:
        await opened(watching)
        async with request(app, ROOM, anna.headers):
            event = await told(watching)
            assert event.type == "presence.online"
            assert event.data["payload"] == {"user": anna.id, "last_seen": None}
            status = await system.get(address)
            since = status.pop("since")
            assert MOMENT.fullmatch(since)
            assert since <= event.data["ts"]
            online = {"user": anna.id, "online": True, "last_seen": None}
            assert status == online | {"connections": 1}
            async with request(app, ROOM, anna.headers):
                await system.until(address, lambda status: status["connections"] == 2)
            status = await system.until(address, lambda it: it["connections"] == 1)
            assert status == online | {"connections": 1, "since": since}
        event = await told(watching)
        assert event.type == "presence.offline"
        last_seen = event.data["payload"]["last_seen"]
        assert since < last_seen < event.data["ts"]
        assert await system.get(address) == offline | {"last_seen": last_seen}


# A53
async def test_statuses_come_in_the_order_asked_for_and_strangers_are_offline(
    system: System, app: Application, anna: Person, otto: Person
) -> None:
    users = [otto.id, "nobody", anna.id, "日本 / ?", otto.id, 200 * "x"]
    async with request(app, ROOM, anna.headers), request(app, ROOM, otto.headers):
        for person in (anna, otto):
            await system.until(f"/users/{person.id}/status", lambda it: it["online"])
        answer = (await system.post("/users/status", {"users": users})).body
    assert [status["user"] for status in answer["statuses"]] == users
    online = [status["user"] for status in answer["statuses"] if status["online"]]
    assert online == [otto.id, anna.id, otto.id]
    assert answer["statuses"][0] == answer["statuses"][4]


# A53
async def test_a_stream_from_the_last_id_of_statuses_hears_who_came_and_went(
    system: System, app: Application, anna: Person
) -> None:
    users = {"users": [anna.id]}
    before = (await system.post("/users/status", users)).body
    assert before["statuses"][0]["online"] is False
    async with request(app, ROOM, anna.headers):
        address = f"/users/{anna.id}/status"
        await system.until(address, lambda status: status["online"])
        during = (await system.post("/users/status", users)).body
    await system.until(address, lambda status: not status["online"])
    after = (await system.post("/users/status", users)).body
    heard = {}
    for answer in (before, during, after):
        last_id = answer["last_id"]
        headers = KEYED | {"Last-Event-ID": last_id}
        async with request(app, ONLINE, headers) as watching:
            events = (await watching.until("keep-alive"))[1:-1]
            heard[last_id] = [event.type for event in events]
            assert {event.data["payload"]["user"] for event in events} <= {anna.id}
    assert heard == {
        before["last_id"]: ["presence.online", "presence.offline"],
        during["last_id"]: ["presence.offline"],
        after["last_id"]: [],
    }


@pytest.mark.parametrize(
    ("operation", "body", "type", "payload"),
    [
        (
            "data-changed",
            {"data": {"unread": 3}},
            "component.data_changed",
            {"data": {"unread": 3}, "update": False},
        ),
        (
            "notify",
            {"event_name": "export.ready", "data": {"rows": 4711}},
            "notify",
            {"event_name": "export.ready", "data": {"rows": 4711}},
        ),
    ],
)
async def test_one_user_is_told_in_every_tab_and_nobody_else(
    system: System,
    app: Application,
    anna: Person,
    otto: Person,
    operation: str,
    body: dict[str, Any],
    type: str,
    payload: dict[str, Any],
) -> None:
    async with (
        request(app, ROOM, anna.headers) as first,
        request(app, "/sse/stream", anna.headers) as second,
        request(app, ROOM, otto.headers) as other,
    ):
        for exchange in (first, second, other):
            await exchange.until("keep-alive")
        answer = await system.post(
            f"/users/00{anna.id}/{operation}", body | {"sender": "tab.1"}
        )
        assert answer.body == {"id": answer.id, "duplicate": False}
        for exchange in (first, second):
            event = (await exchange.until(type))[-1]
            assert event.data["group"] == f"auth.user.{anna.id}"
            assert event.data["payload"] == payload
            assert (event.id, event.data["sender"]) == (answer.id, "tab.1")
        last = await ComponentDispatcher.notify("chat.room.7", "last")
        received = await other.until("notify")
        assert received[-1].id == str(last.position)
        assert type not in [event.type for event in received[:-1]]


@pytest.mark.parametrize(
    ("operation", "body"),
    [("notify", {"event_name": "hello"}), ("data-changed", {})],
)
async def test_a_user_whom_nobody_knows_hears_nothing_which_is_no_error(
    system: System, app: Application, operation: str, body: dict[str, Any]
) -> None:
    answer = await system.post(f"/users/{10**12}/{operation}", body)
    assert answer.id


@pytest.mark.parametrize(
    ("operation", "body"),
    [("notify", {"event_name": "hello"}), ("data-changed", {})],
)
@pytest.mark.parametrize("user", ["nobody", "7.5", "%20", "7%0A", 201 * "7"])
async def test_to_what_can_not_be_a_user_nothing_is_published(
    system: System, app: Application, operation: str, body: dict[str, Any], user: str
) -> None:
    answer = await system.post(f"/users/{user}/{operation}", body)
    assert answer.pointers == ["/user"]


@pytest.mark.parametrize(
    ("operation", "body", "place"),
    [
        ("notify", {}, "/event_name"),
        ("notify", {"event_name": "a\nb"}, "/event_name"),
        ("notify", {"event_name": "a", "data": []}, "/data"),
        ("data-changed", {"update": 1}, "/update"),
        ("data-changed", {"sender": "?"}, "/sender"),
        ("data-changed", {"group": "news.a"}, "/group"),
    ],
)
async def test_what_can_not_be_told_to_a_user_is_refused(
    system: System,
    app: Application,
    operation: str,
    body: dict[str, Any],
    place: str,
) -> None:
    assert (await system.post(f"/users/7/{operation}", body)).pointers == [place]


# A73
@pytest.mark.parametrize(
    ("operation", "body"),
    [("notify", {"event_name": "hello"}), ("data-changed", {})],
)
async def test_users_are_told_by_keys_for_everything_and_those_that_name_their_group(
    system: System,
    app: Application,
    limit: Limit,
    operation: str,
    body: dict[str, Any],
) -> None:
    address = f"/users/7/{operation}"
    for pattern, status in (
        ("**", 202),
        ("auth.user.7", 202),
        ("auth.user.8", 403),
        ("auth.user.*", 403),
        ("auth.**", 403),
    ):
        limit(pattern)
        assert (await system.post(address, body)).status == status
    limit("**", scopes=frozenset({"read", "subscribe", "manage"}))
    assert "publish" in (await system.post(address, body)).problem(403)["detail"]
    limit("**", scopes=frozenset({"publish"}))
    assert (await system.post(address, body)).status == 202


# A38
@pytest.mark.parametrize(
    ("operation", "body"),
    [("notify", {"event_name": "hello"}), ("data-changed", {})],
)
async def test_where_there_are_no_streams_no_user_is_told(
    system: System, operation: str, body: dict[str, Any]
) -> None:
    answer = await system.post(f"/users/7/{operation}", body)
    answer.problem(503)
    assert int(answer.headers["Retry-After"]) >= 1


# A23
async def test_a_user_who_is_disconnected_has_no_stream_left_and_may_come_back(
    system: System, app: Application, anna: Person, otto: Person
) -> None:
    async with (
        request(app, ROOM, anna.headers) as first,
        request(app, ROOM, anna.headers) as second,
        request(app, ROOM, otto.headers) as other,
    ):
        for exchange in (first, second, other):
            await exchange.until("keep-alive")
        nothing(await system.post(f"/users/{anna.id}/disconnect", b""), 202)
        for exchange in (first, second):
            event = (await exchange.rest())[-1]
            assert (event.type, event.data["condition"]) == ("stream-error", "revoked")
        published = await ComponentDispatcher.notify("chat.room.7", "hello")
        heard = (await other.until("notify"))[-1]
        assert heard.id == str(published.position)
    async with request(app, ROOM, anna.headers) as again:
        await opened(again)


# A23
async def test_a_user_is_found_by_any_form_of_the_primary_key(
    system: System, app: Application, anna: Person
) -> None:
    written = f"00{anna.id}"
    async with request(app, ROOM, anna.headers) as exchange:
        await exchange.until("keep-alive")
        address = f"/users/{written}/status"
        status = await system.until(address, lambda status: status["online"])
        assert status["user"] == written
        users = {"users": [written, anna.id, "nobody"]}
        statuses = (await system.post("/users/status", users)).body["statuses"]
        assert [one["user"] for one in statuses] == users["users"]
        assert [one["online"] for one in statuses] == [True, True, False]
        address = f"/users/{written}/groups/chat.room.7"
        nothing(await system.request("DELETE", address), 204)
        assert (await exchange.rest())[-1].data["reason"] == "regrant"
    async with request(app, ROOM, anna.headers) as exchange:
        await exchange.until("keep-alive")
        nothing(await system.post(f"/users/{written}/disconnect", b""), 202)
        assert (await exchange.rest())[-1].data["condition"] == "revoked"


@pytest.mark.parametrize(
    ("method", "address"),
    [("POST", "/users/{}/disconnect"), ("DELETE", "/users/{}/groups/chat.room.7")],
)
@pytest.mark.parametrize("user", ["nobody", "7.5", "%20", "1e3"])
async def test_from_what_can_not_be_a_user_nothing_is_taken(
    system: System, app: Application, method: str, address: str, user: str
) -> None:
    answer = await system.request(method, address.format(user))
    assert answer.pointers == ["/user"]


# A23
@pytest.mark.parametrize("pattern", ["chat.room.7", "chat.**", "chat.*.7", "**"])
async def test_a_group_that_is_revoked_has_the_stream_come_back_without_it(
    system: System, app: Application, anna: Person, pattern: str
) -> None:
    body = {"groups": ["chat.room.7", "chat.news"], "user": anna.id}
    grant = (await system.post("/grants", body)).body["grant"]
    target = f"/sse/stream?grant={grant}"
    async with request(app, target) as exchange:
        await exchange.until("keep-alive")
        address = f"/users/{anna.id}/groups/{pattern}"
        nothing(await system.request("DELETE", address), 204)
        event = (await exchange.rest())[-1]
        assert (event.type, event.data["reason"]) == ("stream-close", "regrant")
    async with request(app, target) as exchange:
        assert "chat.room.7" in (await exchange.next()).data["denied"]


async def test_of_another_user_nothing_is_revoked(
    system: System, app: Application, anna: Person
) -> None:
    async with request(app, ROOM, anna.headers) as exchange:
        await exchange.until("keep-alive")
        for address in ("/users/0/disconnect", f"/users/{anna.id}0/disconnect"):
            nothing(await system.post(address, b""), 202)
        address = f"/users/{anna.id}/groups/chat.room.70"
        nothing(await system.request("DELETE", address), 204)
        published = await ComponentDispatcher.notify("chat.room.7", "hello")
        assert (await exchange.until("notify"))[-1].id == str(published.position)


@pytest.mark.parametrize("user", INVALID_USERS)
async def test_a_user_is_a_text_of_1_to_200_characters_without_control_characters(
    system: System, app: Application, user: object
) -> None:
    answer = await system.post("/users/status", {"users": ["7", user, "8"]})
    assert answer.pointers == ["/users/1"]


@pytest.mark.parametrize(
    ("body", "places"),
    [
        ({}, ["/users"]),
        ({"users": []}, ["/users"]),
        ({"users": "7"}, ["/users"]),
        ({"users": ["7"] * 1001}, ["/users"]),
        ({"users": ["7"], "more": 1}, ["/more"]),
        ({"users": ["7"], "sender": "a.b"}, ["/sender"]),
        (["7"], [""]),
    ],
)
async def test_a_body_that_asks_for_no_users_is_refused(
    system: System, app: Application, body: object, places: list[str]
) -> None:
    assert (await system.post("/users/status", body)).pointers == places


async def test_a_thousand_users_are_asked_for_at_once(
    system: System, app: Application
) -> None:
    users = [str(number) for number in range(1000)]
    answer = await system.post("/users/status", {"users": users})
    assert [status["user"] for status in answer.body["statuses"]] == users


@pytest.mark.parametrize(
    ("method", "address"),
    [
        ("GET", "/users/{}/status"),
        ("POST", "/users/{}/disconnect"),
        ("DELETE", "/users/{}/groups/chat.room.7"),
    ],
)
@pytest.mark.parametrize("user", ["a%0Ab", "a%00", "%7F", 201 * "x"])
async def test_an_address_of_no_valid_user_is_refused(
    system: System, app: Application, method: str, address: str, user: str
) -> None:
    answer = await system.request(method, address.format(user))
    assert answer.pointers == ["/user"]


# A24
@pytest.mark.parametrize(
    "pattern", ["a%20b", "chat..a", "ch*t", "**.a", "%C3%BC", "session.the-raw-key"]
)
async def test_what_is_no_pattern_can_not_be_revoked(
    system: System, app: Application, pattern: str
) -> None:
    answer = await system.request("DELETE", f"/users/7/groups/{pattern}")
    assert answer.pointers == ["/group"]


# A53, A73
@pytest.mark.parametrize(
    ("patterns", "status"),
    [
        (["presence.users"], 200),
        (["**"], 403),
        (["presence.*", "presence.**", "users"], 403),
        (["chat.**"], 403),
    ],
)
async def test_who_is_online_is_for_keys_that_name_the_group_of_it_in_full(
    system: System, app: Application, limit: Limit, patterns: list[str], status: int
) -> None:
    limit(*patterns)
    answers: list[Any] = [
        await system.request("GET", "/users/7/status"),
        await system.post("/users/status", {"users": ["7"]}),
    ]
    assert [answer.status for answer in answers] == [status, status]
    async with request(app, ONLINE, KEYED) as watching:
        event = await watching.next()
        assert event.type == ("stream-open" if status == 200 else "stream-error")
