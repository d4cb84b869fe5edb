from __future__ import annotations

import asyncio

import pytest

from tests.api.clients import System
from tests.api.conftest import Heard, Limit

ADDRESS = "/groups/news.updates/data-changed"
BOTH = {
    "events": [
        {"type": "component.data_changed", "group": "news.a"},
        {"type": "component.data_changed", "group": "news.b"},
    ]
}
BATCH = {
    "events": [
        {"type": "component.data_changed", "group": "news.updates", "data": {"a": 1}},
        {"type": "component.data_changed", "group": "a b"},
        {"type": "component.created", "groups": ["news.a", "news.b"]},
    ]
}


# A71
@pytest.mark.parametrize(
    ("operation", "body"),
    [
        ("data-changed", {"data": {"headline": "Hello"}}),
        ("notify", {"event_name": "tetra:alert"}),
        ("component-created", {"data": {"id": 7}}),
        ("component-removed", {"key": "7"}),
    ],
)
async def test_the_same_request_with_the_same_key_publishes_once(
    system: System, heard: Heard, operation: str, body: object
) -> None:
    address = f"/groups/news.updates/{operation}"
    first = await system.post(address, body, Idempotency_Key="order 42")
    second = await system.post(address, body, Idempotency_Key="order 42")
    assert first.body["duplicate"] is False
    assert second.body == {"id": first.id, "duplicate": True}
    assert [str(event.position) for event in await heard()] == [first.id]


# A71
async def test_the_same_request_at_the_same_moment_publishes_once(
    system: System, heard: Heard
) -> None:
    answers = await asyncio.gather(
        *(system.post(ADDRESS, {}, Idempotency_Key="a") for _ in range(10))
    )
    assert len({answer.id for answer in answers}) == 1
    assert [answer.body["duplicate"] for answer in answers].count(False) == 1
    assert len(await heard()) == 1


async def test_without_a_key_every_request_publishes(
    system: System, heard: Heard
) -> None:
    answers = [await system.post(ADDRESS, {}) for _ in range(2)]
    assert [answer.body["duplicate"] for answer in answers] == [False, False]
    assert len(await heard()) == 2


async def test_the_key_is_no_parameter_of_the_query(
    system: System, heard: Heard
) -> None:
    for _ in range(2):
        await system.post(f"{ADDRESS}?key=a&Idempotency-Key=a", {})
    assert len(await heard()) == 2


async def test_another_key_is_another_request(system: System, heard: Heard) -> None:
    for key in ("a", "b"):
        await system.post(ADDRESS, {}, Idempotency_Key=key)
    assert len(await heard()) == 2


async def test_the_same_key_with_another_body_is_refused(
    system: System, heard: Heard
) -> None:
    first = await system.post(ADDRESS, {"data": {"a": 1}}, Idempotency_Key="a")
    other = await system.post(ADDRESS, {"data": {"a": 2}}, Idempotency_Key="a")
    assert other.pointers == ["/Idempotency-Key"]
    again = await system.post(ADDRESS, {"data": {"a": 1}}, Idempotency_Key="a")
    assert again.body == {"id": first.id, "duplicate": True}
    assert len(await heard()) == 1


async def test_the_same_body_may_be_written_in_another_way(
    system: System, heard: Heard
) -> None:
    bodies = [
        b'{"data": {"a": 1, "b": "\\u00e9"}, "update": false}',
        '{"update":false,"data":{"b":"é","a":1}}'.encode(),
    ]
    answers = [await system.post(ADDRESS, b, Idempotency_Key="a") for b in bodies]
    assert [answer.body["duplicate"] for answer in answers] == [False, True]
    assert len(await heard()) == 1


@pytest.mark.parametrize(
    "other",
    ["/groups/news.sports/data-changed", "/groups/news.updates/component-created"],
)
async def test_the_same_key_at_another_address_is_another_request(
    system: System, heard: Heard, other: str
) -> None:
    body = {"data": {"a": 1}}
    first = await system.post(ADDRESS, body, Idempotency_Key="a")
    second = await system.post(other, body, Idempotency_Key="a")
    assert second.body["duplicate"] is False
    assert second.id != first.id
    assert len(await heard()) == 2


# A71
async def test_the_key_covers_a_whole_batch(system: System, heard: Heard) -> None:
    first = await system.post("/events", BATCH, Idempotency_Key="a")
    second = await system.post("/events", BATCH, Idempotency_Key="a")
    assert [result["duplicate"] for result in first.body["results"]] == 4 * [False]
    assert second.body["results"] == [
        {**result, "duplicate": not result["errors"]}
        for result in first.body["results"]
    ]
    assert len(await heard()) == 3


# A71
@pytest.mark.parametrize(
    ("operation", "body"),
    [
        ("data-changed", {"data": {"headline": "Hello"}}),
        ("notify", {"event_name": "tetra:alert"}),
    ],
)
async def test_the_same_request_to_a_user_with_the_same_key_publishes_once(
    system: System, heard: Heard, operation: str, body: dict[str, object]
) -> None:
    address = f"/users/7/{operation}"
    first = await system.post(address, body, Idempotency_Key="a")
    second = await system.post(address, body, Idempotency_Key="a")
    assert second.body == {"id": first.id, "duplicate": True}
    other = await system.post(address, body | {"sender": "a.b"}, Idempotency_Key="a")
    assert other.pointers == ["/Idempotency-Key"]
    await system.post(f"/users/8/{operation}", body, Idempotency_Key="a")
    events = await heard("auth.user.7", "auth.user.8")
    assert [event.group for event in events] == ["auth.user.7", "auth.user.8"]


# A71
async def test_the_key_covers_a_batch_to_users(system: System, heard: Heard) -> None:
    event = {"type": "component.created", "users": ["7", "8"]}
    first, second = [
        await system.post("/events", {"events": [event]}, Idempotency_Key="a")
        for _ in range(2)
    ]
    assert [one["duplicate"] for one in second.body["results"]] == [True, True]
    for one, again in zip(first.body["results"], second.body["results"], strict=True):
        assert again == one | {"duplicate": True}
    assert len(await heard("auth.user.7", "auth.user.8")) == 2


# A71
async def test_the_same_batch_at_the_same_moment_publishes_once(
    system: System, heard: Heard
) -> None:
    answers = await asyncio.gather(
        *(system.post("/events", BATCH, Idempotency_Key="a") for _ in range(10))
    )
    ids = {tuple(one["id"] for one in it.body["results"]) for it in answers}
    assert len(ids) == 1
    assert len(await heard()) == 3


async def test_the_same_key_with_another_batch_is_refused(
    system: System, heard: Heard
) -> None:
    await system.post("/events", BATCH, Idempotency_Key="a")
    fewer = {"events": BATCH["events"][:1]}
    answer = await system.post("/events", fewer, Idempotency_Key="a")
    assert answer.pointers == ["/Idempotency-Key"]
    assert len(await heard()) == 3


async def test_a_request_that_was_refused_leaves_the_key_unused(
    system: System, heard: Heard
) -> None:
    refused = await system.post(ADDRESS, {"data": 1}, Idempotency_Key="a")
    assert refused.pointers == ["/data"]
    answer = await system.post(ADDRESS, {"data": {"a": 1}}, Idempotency_Key="a")
    assert answer.body["duplicate"] is False
    assert len(await heard()) == 1


@pytest.mark.parametrize("key", ["", 129 * "x", "a\tb", "a\x7f", "é"])
async def test_a_key_is_up_to_128_printable_characters(
    system: System, heard: Heard, key: str
) -> None:
    answer = await system.post(ADDRESS, {}, Idempotency_Key=key)
    assert answer.pointers == ["/Idempotency-Key"]
    assert await heard() == []


@pytest.mark.parametrize("key", ["x", 128 * "~", " !\"'\\"])
async def test_every_printable_character_is_taken(
    system: System, heard: Heard, key: str
) -> None:
    for duplicate in (False, True):
        answer = await system.post(ADDRESS, {}, Idempotency_Key=key)
        assert answer.body["duplicate"] is duplicate
    assert len(await heard()) == 1


# A71
@pytest.mark.parametrize(
    ("before", "after"), [("news.b", "news.*"), ("news.*", "news.b")]
)
async def test_a_batch_that_is_repeated_with_other_rights_is_another_one(
    system: System, heard: Heard, limit: Limit, before: str, after: str
) -> None:
    limit(before)
    first = (await system.post("/events", BOTH, Idempotency_Key="a")).body["results"]
    limit(after)
    again = await system.post("/events", BOTH, Idempotency_Key="a")
    if again.status == 202:  # then each result is its own event's
        events = {str(event.position): event.group for event in await heard()}
        for result in again.body["results"]:
            assert result["errors"] or events[result["id"]] == result["group"]
        assert len(events) == len([one for one in first if one["id"]])
    else:
        assert again.pointers == ["/Idempotency-Key"]
