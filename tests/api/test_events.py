from __future__ import annotations

import json
from typing import Any

import pytest
from pytest_django import Settings

from tests.api.clients import System, pointers
from tests.api.conftest import Heard, Limit

INVALID_EVENTS: list[tuple[object, str]] = [
    ("not an object", ""),
    (None, ""),
    ({}, "/type"),
    ({"group": "news.updates"}, "/type"),
    ({"type": "stock", "group": "news.updates"}, "/type"),
    ({"type": "stream-open", "group": "news.updates"}, "/type"),
    ({"type": "component.data_changed"}, ""),
    (
        {"type": "component.data_changed", "group": "news.a", "groups": ["news.b"]},
        "",
    ),
    ({"type": "component.data_changed", "group": None}, ""),
    ({"type": "component.data_changed", "group": ""}, "/group"),
    ({"type": "component.data_changed", "group": "news.*"}, "/group"),
    ({"type": "component.data_changed", "group": "news.ü"}, "/group"),
    ({"type": "component.data_changed", "group": "news.a\n"}, "/group"),
    ({"type": "component.data_changed", "group": "news a"}, "/group"),
    ({"type": "component.data_changed", "group": 201 * "x"}, "/group"),
    ({"type": "component.data_changed", "group": "session.raw"}, "/group"),
    ({"type": "component.data_changed", "groups": []}, "/groups"),
    ({"type": "component.data_changed", "group": "news.a", "user": "7"}, ""),
    ({"type": "component.data_changed", "groups": ["news.a"], "users": ["7"]}, ""),
    ({"type": "component.data_changed", "user": "7", "users": ["7"]}, ""),
    ({"type": "component.data_changed", "user": None}, ""),
    ({"type": "component.data_changed", "user": "nobody"}, "/user"),
    ({"type": "component.data_changed", "user": ""}, "/user"),
    ({"type": "component.data_changed", "user": 7}, "/user"),
    ({"type": "component.data_changed", "user": "7\n"}, "/user"),
    ({"type": "component.data_changed", "users": []}, "/users"),
    ({"type": "component.data_changed", "users": "7"}, "/users"),
    ({"type": "component.data_changed", "users": ["nobody", "8"]}, "/users/0"),
    ({"type": "component.data_changed", "users": ["7", "8.5"]}, "/users/1"),
    ({"type": "component.data_changed", "users": ["7", None]}, "/users/1"),
    ({"type": "component.data_changed", "groups": ["news.a", "b c"]}, "/groups/1"),
    ({"type": "component.data_changed", "group": "news.a", "data": []}, "/data"),
    ({"type": "component.data_changed", "group": "news.a", "update": 1}, "/update"),
    ({"type": "component.data_changed", "group": "news.a", "dta": {}}, "/dta"),
    ({"type": "component.data_changed", "group": "news.a", "sender": "?"}, "/sender"),
    (
        {"type": "component.data_changed", "group": "news.a", "data": {"a": "\ud800"}},
        "/data",
    ),
    (
        {
            "type": "component.data_changed",
            "group": "news.a",
            "data": {"a": 70_000 * "x"},
        },
        "/data",
    ),
    ({"type": "component.created", "group": "news.a", "key": "7"}, "/key"),
    (
        {"type": "component.created", "group": "news.a", "target_group": "b.*"},
        "/target_group",
    ),
    ({"type": "component.removed", "group": "news.a", "key": 7}, "/key"),
    ({"type": "component.removed", "group": "news.a", "data": {}}, "/data"),
    ({"type": "notify", "group": "news.a"}, "/event_name"),
    ({"type": "notify", "group": "news.a", "event_name": ""}, "/event_name"),
    ({"type": "notify", "group": "news.a", "event_name": "a\nb"}, "/event_name"),
]


def changed(number: int) -> dict[str, Any]:
    return {
        "type": "component.data_changed",
        "group": "news.updates",
        "data": {"number": number},
    }


async def results(system: System, *events: object) -> list[dict[str, Any]]:
    answer = await system.post("/events", {"events": events})
    assert answer.status == 202, answer.text
    returned: list[dict[str, Any]] = answer.body["results"]
    return returned


async def test_a_batch_publishes_every_operation_in_order(
    system: System, heard: Heard
) -> None:
    given = await results(
        system,
        {
            "type": "component.data_changed",
            "group": "news.updates",
            "data": {"headline": "Hello"},
            "sender": "tab.request",
        },
        {"type": "notify", "group": "news.sports", "event_name": "goal"},
        {"type": "component.created", "group": "news.updates", "target_group": "a.b"},
        {"type": "component.removed", "group": "news.updates", "key": "7"},
    )
    events = await heard()
    assert given == [
        {
            "index": index,
            "group": event.group,
            "id": str(event.position),
            "duplicate": False,
            "errors": [],
        }
        for index, event in enumerate(events)
    ]
    assert [
        (event.type, event.group, json.loads(event.payload), event.sender)
        for event in events
    ] == [
        (
            "component.data_changed",
            "news.updates",
            {"data": {"headline": "Hello"}, "update": False},
            "tab.request",
        ),
        ("notify", "news.sports", {"event_name": "goal", "data": {}}, None),
        (
            "component.created",
            "news.updates",
            {"data": {}, "component_id": None, "target_group": "a.b"},
            None,
        ),
        (
            "component.removed",
            "news.updates",
            {"component_id": None, "key": "7", "target_group": None},
            None,
        ),
    ]


# A72
async def test_of_a_thousand_events_with_three_invalid_the_others_are_published(
    system: System, heard: Heard
) -> None:
    events: list[dict[str, Any]] = [changed(number) for number in range(1000)]
    events[0]["group"] = "news.up dates"
    events[500]["data"] = "text"
    events[999]["type"] = "unheard-of"
    given = await results(system, *events)
    assert [result["index"] for result in given] == list(range(1000))
    invalid = {
        result["index"]: pointers(result["errors"])
        for result in given
        if result["errors"]
    }
    assert invalid == {
        0: ["/events/0/group"],
        500: ["/events/500/data"],
        999: ["/events/999/type"],
    }
    assert all(given[index]["id"] is None for index in invalid)
    published = await heard()
    assert [json.loads(event.payload)["data"]["number"] for event in published] == [
        number for number in range(1000) if number not in invalid
    ]
    assert [str(event.position) for event in published] == [
        result["id"] for result in given if not result["errors"]
    ]


# A24
@pytest.mark.parametrize(("event", "place"), INVALID_EVENTS)
async def test_an_invalid_event_fails_alone(
    system: System, heard: Heard, event: object, place: str
) -> None:
    before, failed, after = await results(system, changed(1), event, changed(3))
    assert pointers(failed["errors"]) == [f"/events/1{place}"]
    assert (failed["index"], failed["id"], failed["duplicate"]) == (1, None, False)
    published = [str(event.position) for event in await heard()]
    assert published == [before["id"], after["id"]]


async def test_one_event_can_have_several_errors(system: System, heard: Heard) -> None:
    event = {"type": "notify", "group": "a b", "data": 7}
    (result,) = await results(system, event)
    assert set(pointers(result["errors"])) == {
        "/events/0/group",
        "/events/0/event_name",
        "/events/0/data",
    }


async def test_a_batch_of_invalid_events_publishes_nothing(
    system: System, heard: Heard
) -> None:
    given = await results(system, {}, {})
    assert [bool(result["errors"]) for result in given] == [True, True]
    assert await heard() == []


async def test_groups_is_short_for_one_event_for_each_group(
    system: System, heard: Heard
) -> None:
    given = await results(
        system,
        {"type": "notify", "groups": ["news.a", "news.b"], "event_name": "first"},
        {"type": "notify", "group": "news.a", "event_name": "second"},
    )
    events = await heard()
    assert [
        (event.group, json.loads(event.payload)["event_name"]) for event in events
    ] == [("news.a", "first"), ("news.b", "first"), ("news.a", "second")]
    assert [(result["index"], result["group"], result["id"]) for result in given] == [
        (0, "news.a", str(events[0].position)),
        (0, "news.b", str(events[1].position)),
        (1, "news.a", str(events[2].position)),
    ]
    assert len({result["id"] for result in given}) == 3


async def test_an_event_to_a_user_goes_to_the_group_of_that_user(
    system: System, heard: Heard
) -> None:
    names = ["auth.user.7", "auth.user.8"]
    given = await results(
        system,
        {"type": "notify", "user": "7", "event_name": "first"},
        {"type": "component.data_changed", "users": ["8", "007"], "data": {"a": 1}},
        {"type": "component.created", "user": "8"},
        {"type": "component.removed", "user": "7", "key": "5"},
        {"type": "notify", "group": "auth.user.7", "event_name": "last"},
    )
    events = await heard(*names)
    assert [(event.type, event.group) for event in events] == [
        ("notify", "auth.user.7"),
        ("component.data_changed", "auth.user.8"),
        ("component.data_changed", "auth.user.7"),
        ("component.created", "auth.user.8"),
        ("component.removed", "auth.user.7"),
        ("notify", "auth.user.7"),
    ]
    assert [(one["index"], one["group"], one["id"]) for one in given] == [
        (index, event.group, str(event.position))
        for index, event in zip((0, 1, 1, 2, 3, 4), events, strict=True)
    ]


@pytest.mark.parametrize(
    ("key", "segment"),
    [
        ("abc", "abc"),
        # printf 'a b' | sha256sum | cut -d' ' -f1 | xxd -r -p | base64, and of it 22
        ("a b", "h-yGh6CKpdbtIEQyj6aml6uO"),
    ],
)
async def test_a_user_whose_key_is_no_segment_has_a_group_too(
    system: System, settings: Settings, heard: Heard, key: str, segment: str
) -> None:
    settings.AUTH_USER_MODEL = "sessions.Session"  # one whose primary key is a text
    event = {"type": "notify", "user": key, "event_name": "hello"}
    (result,) = await results(system, event)
    assert result["group"] == f"sessions.session.{segment}"
    assert [event.group for event in await heard(result["group"])] == [result["group"]]


# A73
async def test_a_key_publishes_to_users_if_it_is_for_everything_or_names_them(
    system: System, heard: Heard, limit: Limit
) -> None:
    events = [
        {"type": "notify", "user": "7", "event_name": "hello"},
        {"type": "notify", "user": "8", "event_name": "hello"},
        {"type": "notify", "users": ["7", "8", "9"], "event_name": "hello"},
        {"type": "notify", "users": ["7", "07"], "event_name": "hello"},
    ]
    limit("auth.**", "news.**")
    given = await results(system, *events)
    assert [pointers(one["errors"]) for one in given] == [
        ["/events/0/user"],
        ["/events/1/user"],
        ["/events/2/users/0", "/events/2/users/1", "/events/2/users/2"],
        ["/events/3/users/0", "/events/3/users/1"],
    ]
    assert await heard("auth.user.7", "auth.user.8") == []
    limit("auth.user.7")
    given = await results(system, *events)
    assert [pointers(one["errors"]) for one in given] == [
        [],
        ["/events/1/user"],
        ["/events/2/users/1", "/events/2/users/2"],
        [],
        [],
    ]
    assert len(await heard("auth.user.7", "auth.user.8")) == 3
    limit("**")
    given = await results(system, *events)
    assert [len(one["errors"]) for one in given] == [0] * 7


async def test_one_invalid_group_of_several_publishes_to_none(
    system: System, heard: Heard
) -> None:
    groups = ["news.a", "news.b", "news.*"]
    (result,) = await results(system, {"type": "component.created", "groups": groups})
    assert pointers(result["errors"]) == ["/events/0/groups/2"]
    assert await heard() == []


async def test_a_thousand_events_are_a_batch(system: System, heard: Heard) -> None:
    groups = [f"news.{number}" for number in range(998)]
    event = {"type": "component.created", "groups": groups}
    given = await results(system, changed(1), event, changed(2))
    assert len({result["id"] for result in given}) == 1000
    assert len(await heard()) == 1000


@pytest.mark.parametrize(
    "events",
    [
        [changed(1)] * 1001,
        [changed(1), {"type": "component.created", "groups": ["news.updates"] * 1000}],
        [{"type": "component.created", "groups": ["news.updates"] * 501}] * 2,
        [{}, {"type": "component.created", "groups": ["news.updates"] * 1000}],
        [changed(1), {"type": "component.created", "users": ["7"] * 1000}],
        [],
    ],
    ids=[
        "1001",
        "1001 with groups",
        "1002 with groups",
        "1001 with an error",
        "1001 with users",
        "none",
    ],
)
async def test_a_batch_has_one_to_a_thousand_events(
    system: System, heard: Heard, events: list[object]
) -> None:
    answer = await system.post("/events", {"events": events})
    assert answer.pointers == ["/events"]
    assert await heard() == []


@pytest.mark.parametrize(
    ("body", "pointers"),
    [
        ({}, ["/events"]),
        ({"events": {}}, ["/events"]),
        ({"events": None}, ["/events"]),
        ({"events": [changed(1)], "atomic": True}, ["/atomic"]),
        ([changed(1)], [""]),
    ],
)
async def test_a_body_that_is_no_batch_is_refused(
    system: System, heard: Heard, body: object, pointers: list[str]
) -> None:
    answer = await system.post("/events", body)
    assert answer.pointers == pointers
    assert await heard() == []
