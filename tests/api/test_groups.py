from __future__ import annotations

import json
from operator import itemgetter
from typing import Any

import pytest

from sse_components.asgi import Application
from tests.api.clients import KEYED, Person, System
from tests.api.conftest import Heard
from tests.communicator import request

SMALLEST: dict[str, dict[str, Any]] = {
    "data-changed": {},
    "notify": {"event_name": "tetra:alert"},
    "component-created": {},
    "component-removed": {},
}
OPERATIONS = list(SMALLEST)

INVALID_GROUPS = [
    "news.%C3%BCpdates",
    "news.up%20dates",
    "news.updates%0A",
    "news.updates%00",
    "news..updates",
    ".news",
    "news.",
    "news.*",
    "**",
    "news." + 196 * "x",
    "session.the-raw-key",
]


@pytest.mark.parametrize(
    ("operation", "body", "type", "payload"),
    [
        (
            "data-changed",
            {"data": {"headline": "Grüße 🎉"}, "update": True},
            "component.data_changed",
            {"data": {"headline": "Grüße 🎉"}, "update": True},
        ),
        (
            "data-changed",
            {},
            "component.data_changed",
            {"data": {}, "update": False},
        ),
        (
            "notify",
            {"event_name": "tetra:alert", "data": {"text": "Tea"}},
            "notify",
            {"event_name": "tetra:alert", "data": {"text": "Tea"}},
        ),
        (
            "notify",
            {"event_name": "any name, with spaces"},
            "notify",
            {"event_name": "any name, with spaces", "data": {}},
        ),
        (
            "component-created",
            {"data": {"id": 7}, "component_id": "news.Item:7", "target_group": "a.b"},
            "component.created",
            {"data": {"id": 7}, "component_id": "news.Item:7", "target_group": "a.b"},
        ),
        (
            "component-created",
            {},
            "component.created",
            {"data": {}, "component_id": None, "target_group": None},
        ),
        (
            "component-removed",
            {"component_id": "news.Item:7", "key": "7", "target_group": "a.b"},
            "component.removed",
            {"component_id": "news.Item:7", "key": "7", "target_group": "a.b"},
        ),
        (
            "component-removed",
            {},
            "component.removed",
            {"component_id": None, "key": None, "target_group": None},
        ),
    ],
)
async def test_an_operation_publishes_its_event(
    system: System,
    heard: Heard,
    operation: str,
    body: dict[str, Any],
    type: str,
    payload: dict[str, Any],
) -> None:
    answer = await system.post(f"/groups/news.updates/{operation}", body)
    (event,) = await heard("news.updates")
    assert (event.type, event.group, event.sender) == (type, "news.updates", None)
    assert json.loads(event.payload) == payload
    # A37
    assert answer.body == {"id": str(event.position), "duplicate": False}


@pytest.mark.parametrize("operation", OPERATIONS)
async def test_the_event_says_who_caused_it(
    system: System, heard: Heard, operation: str
) -> None:
    body = SMALLEST[operation] | {"sender": "tab-1.request-2"}
    await system.post(f"/groups/news.updates/{operation}", body)
    assert [event.sender for event in await heard()] == ["tab-1.request-2"]


async def test_a_key_that_is_no_segment_of_a_name_travels_hashed(
    system: System, heard: Heard
) -> None:
    await system.post("/groups/news.updates/component-removed", {"key": "a b"})
    (event,) = await heard()
    # printf 'a b' | sha256sum | cut -d' ' -f1 | xxd -r -p | base64, and of it 22
    assert json.loads(event.payload)["key"] == "h-yGh6CKpdbtIEQyj6aml6uO"


async def test_events_keep_the_order_of_the_requests(
    system: System, heard: Heard
) -> None:
    ids = [
        (await system.post(f"/groups/news.updates/{operation}", body)).id
        for operation, body in SMALLEST.items()
    ]
    assert [str(event.position) for event in await heard()] == ids


async def test_a_group_hears_nothing_of_another(system: System, heard: Heard) -> None:
    await system.post("/groups/news.updates/data-changed", {})
    assert await heard("news.sports") == []


async def test_a_session_is_reached_by_its_hashed_name(
    system: System, heard: Heard
) -> None:
    name = "session.h-" + 22 * "A"
    await system.post(f"/groups/{name}/notify", {"event_name": "tetra:alert"})
    assert [event.group for event in await heard(name)] == [name]


# A24
@pytest.mark.parametrize("operation", OPERATIONS)
@pytest.mark.parametrize("group", INVALID_GROUPS)
async def test_a_group_of_no_valid_name_is_refused(
    system: System, heard: Heard, operation: str, group: str
) -> None:
    answer = await system.post(f"/groups/{group}/{operation}", SMALLEST[operation])
    assert answer.pointers == ["/group"]
    assert await heard() == []


# A24
@pytest.mark.parametrize("operation", OPERATIONS)
async def test_an_empty_group_is_no_address(
    system: System, heard: Heard, operation: str
) -> None:
    answer = await system.post(f"/groups//{operation}", SMALLEST[operation])
    answer.problem(404)
    assert await heard() == []


# A24
@pytest.mark.parametrize("operation", ["component-created", "component-removed"])
@pytest.mark.parametrize(
    "target", ["ü", "a b", "a\n", "", "a.*", 201 * "x", "session.raw", 7, ["a"]]
)
async def test_a_target_group_of_no_valid_name_is_refused(
    system: System, heard: Heard, operation: str, target: object
) -> None:
    body = {"target_group": target}
    answer = await system.post(f"/groups/news.updates/{operation}", body)
    assert answer.pointers == ["/target_group"]
    assert await heard() == []


async def test_the_longest_name_is_that_of_a_group(
    system: System, heard: Heard
) -> None:
    group = "news." + 195 * "x"
    await system.post(f"/groups/{group}/data-changed", {})
    assert [event.group for event in await heard()] == [group]


# A53
async def test_a_group_counts_its_connections_and_its_users(
    system: System, app: Application, anna: Person, otto: Person
) -> None:
    room = "/sse/stream?group=chat.room.7"
    address = "/groups/chat.room.7"
    empty = await system.get(address)
    assert empty == {
        "group": "chat.room.7",
        "subscribers": 0,
        "members": 0,
        "last_id": empty["last_id"],
    }
    async with (
        request(app, room, anna.headers),
        request(app, room, anna.headers),
        request(app, room, otto.headers),
        request(app, room),
        request(app, "/sse/stream?group=chat.other", otto.headers),
    ):
        counts = await system.until(address, lambda it: it["subscribers"] == 4)
        assert counts["members"] == 2
        found = await system.get(f"{address}/members")
        moments = [member.pop("since") for member in found["members"]]
        members = [
            {"user": anna.id, "connections": 2},
            {"user": otto.id, "connections": 1},
        ]
        assert found["members"] == sorted(members, key=itemgetter("user"))
        assert all(moment.endswith("Z") for moment in moments)
    await system.until(address, lambda it: it["subscribers"] == it["members"] == 0)


# A53
async def test_a_stream_from_the_last_id_of_members_hears_who_joined_and_left(
    system: System, app: Application, anna: Person
) -> None:
    address = "/groups/chat.room.7/members"
    before = await system.get(address)
    assert before["members"] == []
    async with request(app, "/sse/stream?group=chat.room.7", anna.headers):
        await system.until(address, lambda it: it["members"])
    await system.until(address, lambda it: not it["members"])
    headers = KEYED | {"Last-Event-ID": before["last_id"]}
    async with request(app, "/sse/groups/chat.room.7", headers) as watching:
        events = (await watching.until("keep-alive"))[1:-1]
    assert [(event.type, event.data["payload"]) for event in events] == [
        ("presence.join", {"user": anna.id}),
        ("presence.leave", {"user": anna.id}),
    ]


# A53
async def test_whom_a_group_is_not_told_of_is_not_in_it(
    system: System, app: Application, anna: Person
) -> None:
    limited = f"/sse/stream?group=auth.user.{anna.id}.notes"
    async with request(app, limited, anna.headers):
        address = f"/groups/auth.user.{anna.id}.notes"
        (await system.request("GET", address)).problem(403)
        await system.until(f"/users/{anna.id}/status", lambda it: it["online"])
        online = await system.get("/groups/presence.users/members")
        assert [member["user"] for member in online["members"]] == [anna.id]
        assert (await system.get("/groups/presence.users"))["members"] == 1


# A24
@pytest.mark.parametrize("group", INVALID_GROUPS)
async def test_a_group_of_no_valid_name_has_nobody_in_it(
    system: System, app: Application, group: str
) -> None:
    for address in (f"/groups/{group}", f"/groups/{group}/members"):
        assert (await system.request("GET", address)).pointers == ["/group"]
