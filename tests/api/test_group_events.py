from __future__ import annotations

import json
import secrets
from collections.abc import AsyncIterator, Sequence
from typing import Any

import pytest
from pytest_django import Settings

from api.past import ENOUGH, EVENTS_PER_READ
from api.schemas import EventsOut
from sse_components import ComponentDispatcher, runtime, wire
from sse_components.asgi import Application
from sse_components.brokers.base import Resumption
from sse_components.brokers.memory import MemoryBroker
from sse_components.hub import Hub
from tests.api.clients import KEYED, System
from tests.api.conftest import Limit
from tests.api.test_groups import INVALID_GROUPS
from tests.brokers.conftest import draft, publish
from tests.communicator import request
from tests.redis_servers import RedisServer

ADDRESS = "/groups/news.updates/events"


@pytest.fixture
async def two(system: System, settings: Settings) -> AsyncIterator[None]:
    """Only the last two events of a group are remembered."""
    settings.SSE_COMPONENTS = {"HISTORY_SIZE": 2}
    await runtime.start()
    yield
    await runtime.stop()


async def published(*numbers: int, group: str = "news.updates") -> list[str]:
    """Publish an event for each number; return their ids."""
    return [
        str((await ComponentDispatcher.data_changed(group, {"number": n})).position)
        for n in numbers
    ]


def ids(answer: dict[str, Any]) -> list[str]:
    return [event["id"] for event in answer["events"]]


# A73
async def test_events_are_read_to_the_letter_as_they_are_on_a_stream(
    system: System, app: Application
) -> None:
    texts = ["Grüße 日本 🎉", '\\ " / \n \u2028 \x7f </script>']
    numbers = [10**30, 2**53 + 1, 1.0, 0.1, 1e300, -0.0, None, True]
    async with request(app, "/sse/groups/chat.a", KEYED) as stream:
        await stream.until("keep-alive")
        await ComponentDispatcher.data_changed("chat.a", {"x": texts, "y": numbers})
        await ComponentDispatcher.notify("chat.a", "an event", sender="tab.1")
        await ComponentDispatcher.publish("chat.a", "stock", [1, {"z": 1, "a": 2}])
        heard = [await stream.next() for _ in range(3)]
    answer = await system.request("GET", "/groups/chat.a/events")
    lines = [dict(event.fields)["data"] for event in heard]
    assert answer.text == (
        f'{{"events":[{",".join(lines)}],"reset":false,'
        f'"last_id":"{answer.body["last_id"]}","more":false}}'
    )
    assert [event["type"] for event in answer.body["events"]] == [
        "component.data_changed",
        "notify",
        "stock",
    ]
    assert list(answer.body["events"][0]) == [
        "id",
        "type",
        "group",
        "payload",
        "sender",
        "ts",
    ]


async def test_a_payload_is_given_as_it_was_written(system: System, hub: Hub) -> None:
    payload = b'{"b":1.10,"a":1E5,"a":100000000000000000000000000}'
    await runtime.broker().apublish([draft("news.updates", payload)])
    answer = await system.request("GET", ADDRESS)
    assert b'"payload":' + payload + b"," in answer.text.encode()


async def test_without_an_id_all_that_is_remembered_is_read(
    system: System, hub: Hub
) -> None:
    given = await published(1, 2, 3)
    await published(4, group="news.other")
    answer = await system.get(ADDRESS)
    assert ids(answer) == given
    assert (answer["reset"], answer["more"]) == (False, False)
    assert (
        wire.parse_position(answer["last_id"]).seq >= wire.parse_position(given[-1]).seq
    )


async def test_a_group_without_events_says_where_to_go_on(
    system: System, hub: Hub
) -> None:
    empty = await system.get(ADDRESS)
    assert empty == {
        "events": [],
        "reset": False,
        "last_id": empty["last_id"],
        "more": False,
    }
    given = await published(1)
    answer = await system.get(f"{ADDRESS}?after={empty['last_id']}")
    assert ids(answer) == given


async def test_after_an_id_only_what_came_later_is_read(
    system: System, hub: Hub
) -> None:
    first, *rest = await published(1, 2, 3)
    answer = await system.get(f"{ADDRESS}?after={first}")
    assert ids(answer) == rest
    assert answer["reset"] is False
    answer = await system.get(f"{ADDRESS}?after={answer['last_id']}")
    assert (answer["events"], answer["reset"]) == ([], False)


@pytest.mark.parametrize("limit", [1, 2, 3, 249, 250, 251, 1000])
async def test_pages_follow_each_other_and_the_last_says_so(
    system: System, hub: Hub, limit: int
) -> None:
    positions = await publish(runtime.broker(), *["news.updates", "news.other"] * 250)
    rest = [str(position) for position in positions[::2]]
    after = ""
    for _ in range(min(len(rest), 5)):
        answer = await system.get(f"{ADDRESS}?limit={limit}{after}")
        assert ids(answer) == rest[:limit]
        rest = rest[limit:]
        assert answer["more"] == bool(rest)
        if not rest:
            break
        assert answer["last_id"] == answer["events"][-1]["id"]
        after = f"&after={answer['last_id']}"


async def test_a_page_has_a_hundred_events_unless_asked_for_more(
    system: System, hub: Hub
) -> None:
    positions = await publish(runtime.broker(), *["news.updates"] * 150)
    answer = await system.get(ADDRESS)
    assert ids(answer) == [str(position) for position in positions[:100]]
    assert answer["more"] is True


async def test_a_stream_that_begins_with_the_last_id_goes_on_with_no_gap(
    system: System, app: Application
) -> None:
    await published(1, group="chat.a")
    answer = await system.get("/groups/chat.a/events")
    later = await published(2, 3, group="chat.a")
    target = f"/sse/groups/chat.a?last_event_id={answer['last_id']}"
    async with request(app, target, KEYED) as stream:
        events = (await stream.until("keep-alive"))[1:-1]
    assert [event.id for event in events] == later


async def test_what_is_no_longer_remembered_is_a_reset_from_which_it_goes_on(
    system: System, two: None
) -> None:
    first, *_ = await published(1, 2, 3, 4)
    answer = await system.get(f"{ADDRESS}?after={first}")
    assert answer == {
        "events": [],
        "reset": True,
        "last_id": answer["last_id"],
        "more": False,
    }
    later = await published(5)
    answer = await system.get(f"{ADDRESS}?after={answer['last_id']}")
    assert (ids(answer), answer["reset"]) == (later, False)


async def test_without_an_id_what_was_forgotten_is_no_reset(
    system: System, two: None
) -> None:
    given = await published(1, 2, 3, 4)
    answer = await system.get(ADDRESS)
    assert (ids(answer), answer["reset"]) == (given[-2:], False)


@pytest.mark.parametrize(
    "after", ["0:0", "other:1763799845130001", "{epoch}:0", "{epoch}:8999999999999999"]
)
async def test_an_id_that_can_not_be_compared_is_a_reset(
    system: System, hub: Hub, after: str
) -> None:
    await published(1)
    epoch = (await runtime.broker().position()).epoch
    answer = await system.get(f"{ADDRESS}?after={after.format(epoch=epoch)}")
    assert (answer["events"], answer["reset"], answer["more"]) == ([], True, False)
    answer = await system.get(f"{ADDRESS}?after={answer['last_id']}")
    assert (answer["events"], answer["reset"]) == ([], False)


class Forgetful(MemoryBroker):
    """Has forgotten by the next call what followed the last one."""

    async def history(self, group: str, limit: int) -> Resumption:
        page = await super().history(group, limit)
        await publish(self, *[group] * 2 * EVENTS_PER_READ)
        return page


async def test_what_is_forgotten_while_it_is_read_is_a_reset_of_the_next_answer(
    system: System,
) -> None:
    broker = Forgetful(history_size=2 * EVENTS_PER_READ)
    with runtime.publishing_to(broker):
        positions = await publish(broker, *["news.updates"] * 2 * EVENTS_PER_READ)
        answer = await system.get(f"{ADDRESS}?limit=1000")
        assert ids(answer) == [str(one) for one in positions[:EVENTS_PER_READ]]
        assert (answer["reset"], answer["more"]) == (False, True)
        answer = await system.get(f"{ADDRESS}?after={answer['last_id']}")
        assert answer["reset"] is True


async def test_an_answer_ends_when_it_is_large(system: System, hub: Hub) -> None:
    payload = wire.dumps({"text": 15_000 * "x"})
    assert EVENTS_PER_READ * len(payload) > ENOUGH
    drafts = [draft("news.updates", payload) for _ in range(EVENTS_PER_READ + 50)]
    await runtime.broker().apublish(drafts)
    answer = await system.get(f"{ADDRESS}?limit=1000")
    assert (len(answer["events"]), answer["more"]) == (EVENTS_PER_READ, True)
    answer = await system.get(f"{ADDRESS}?limit=1000&after={answer['last_id']}")
    assert (len(answer["events"]), answer["more"]) == (50, False)


@pytest.mark.parametrize(
    ("query", "pointer"),
    [
        ("after=", "/after"),
        ("after=7", "/after"),
        ("after=a%3A-1", "/after"),
        ("after=a%3A01", "/after"),
        ("after=12345678%3Aa-1", "/after"),
        ("after=a%3A1%0A", "/after"),
        ("after=%C3%BC%3A1", "/after"),
        (f"after=a:{2**53}", "/after"),
        (f"after={17 * 'a'}:1", "/after"),
        (f"after=a:{2000 * '1'}", "/after"),
        ("limit=0", "/limit"),
        ("limit=1001", "/limit"),
        ("limit=ten", "/limit"),
    ],
)
async def test_what_is_no_id_or_no_limit_is_refused_and_not_repeated(
    system: System, hub: Hub, query: str, pointer: str
) -> None:
    answer = await system.request("GET", f"{ADDRESS}?{query}")
    assert answer.pointers == [pointer]
    assert 17 * "a" not in answer.text


# A24
@pytest.mark.parametrize("group", INVALID_GROUPS)
async def test_a_pattern_or_an_invalid_name_has_no_events(
    system: System, hub: Hub, group: str
) -> None:
    answer = await system.request("GET", f"/groups/{group}/events")
    assert answer.pointers == ["/group"]


# A73
@pytest.mark.parametrize(
    ("patterns", "status"),
    [
        (["news.*"], 200),
        (["**"], 200),
        (["news.updates"], 200),
        (["shop.**", "news.*.updates"], 403),
    ],
)
async def test_a_key_reads_only_what_its_patterns_cover(
    system: System, hub: Hub, limit: Limit, patterns: Sequence[str], status: int
) -> None:
    await published(1)
    limit(*patterns)
    answer = await system.request("GET", ADDRESS)
    assert answer.status == status
    assert ("number" in answer.text) == (status == 200)


# A73
async def test_a_reserved_group_is_read_by_keys_that_name_it(
    system: System, hub: Hub, limit: Limit
) -> None:
    limit("**", "auth.**", "users")
    for group in ("broadcast", "auth.user.7", "presence.users"):
        (await system.request("GET", f"/groups/{group}/events")).problem(403)
    assert (await system.request("GET", "/groups/users/events")).status == 200


async def test_the_scope_read_is_needed(system: System, hub: Hub, limit: Limit) -> None:
    limit("**", scopes=frozenset({"publish", "subscribe", "manage"}))
    problem = (await system.request("GET", ADDRESS)).problem(403)
    assert "read" in problem["detail"]
    limit("**", scopes=frozenset({"read"}))
    assert (await system.request("GET", ADDRESS)).status == 200
    (await System({}).request("GET", ADDRESS)).problem(401)


# A38
async def test_where_there_are_no_streams_nothing_is_read(system: System) -> None:
    answer = await system.request("GET", ADDRESS)
    answer.problem(503)
    assert int(answer.headers["Retry-After"]) >= 1


async def test_redis_gives_the_same(
    system: System, settings: Settings, redis_server: RedisServer
) -> None:
    settings.SSE_COMPONENTS = {
        "BROKER_URL": redis_server.url,
        "KEY_PREFIX": secrets.token_hex(8),
        "HISTORY_SIZE": 3,
    }
    await runtime.start()
    try:
        first, *given = await published(1, 2, 3, 4)
        answer = await system.get(f"{ADDRESS}?limit=2")
        assert (ids(answer), answer["more"]) == (given[:2], True)
        answer = await system.get(f"{ADDRESS}?after={answer['last_id']}")
        assert (ids(answer), answer["more"]) == (given[2:], False)
        answer = await system.get(f"{ADDRESS}?after={answer['last_id']}")
        assert (ids(answer), answer["reset"]) == ([], False)
        assert ids(await system.get(f"{ADDRESS}?after={first}")) == given
        await published(5)
        answer = await system.get(f"{ADDRESS}?after={first}")
        assert (ids(answer), answer["reset"]) == ([], True)
        later = await published(6)
        answer = await system.get(f"{ADDRESS}?after={answer['last_id']}")
        assert (ids(answer), answer["reset"]) == (later, False)
    finally:
        await runtime.stop()


async def test_an_answer_is_as_the_document_says(system: System, hub: Hub) -> None:
    await published(1)
    await ComponentDispatcher.publish("news.updates", "stock", None, sender="tab.1")
    answer = await system.request("GET", ADDRESS)
    parsed = EventsOut.model_validate_json(answer.text)
    assert json.loads(parsed.model_dump_json()) == answer.body
