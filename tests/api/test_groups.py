from __future__ import annotations

import json
from typing import Any

import pytest

from tests.api.clients import System
from tests.api.conftest import Heard

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
