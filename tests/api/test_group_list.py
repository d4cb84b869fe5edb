from __future__ import annotations

import asyncio
import secrets
from collections.abc import Iterable
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st
from pytest_django import Settings

from api.listing import NAMES_PER_READ, READS, page
from api.schemas import GroupsOut
from sse_components import runtime
from sse_components.asgi import Application
from sse_components.brokers.base import Audience
from sse_components.brokers.memory import MemoryBroker
from sse_components.groups import covers
from sse_components.hub import Hub
from tests.api.clients import KEYED, Person, System
from tests.api.conftest import Limit
from tests.brokers.conftest import Node
from tests.communicator import request
from tests.redis_servers import RedisServer

SESSION = f"session.h-{22 * 'A'}"
NAMES = [
    "auth.user.7",
    "auth.user.7.notes",
    "broadcast",
    "broadcast-x",
    "chat.*",
    "chat.a",
    "chat.a.x",
    "chat.b",
    "chat_a",
    "presence.users",
    SESSION,
    "shop.a",
    "shop.b.a",
    "users",
]


async def subscribed(names: Iterable[str]) -> None:
    """Have each name be heard by one connection of another process."""
    await Node(runtime.broker()).report({}, dict.fromkeys(names, 1))


async def listed(system: System, query: str = "") -> list[str]:
    """Return the names of all pages."""
    names: list[str] = []
    after: str | None = ""
    while after is not None:
        answer = await system.get(f"/groups?{query}&after={after}")
        names += [one["group"] for one in answer["groups"]]
        assert answer["next"] is None or names[-1] == answer["next"]
        after = answer["next"]
    return names


async def test_groups_and_patterns_are_listed_with_the_streams_that_have_them(
    system: System, app: Application, anna: Person, otto: Person
) -> None:
    room, all_rooms = "/sse/stream?group=chat.room.7", "/sse/stream?group=chat.*"
    assert await system.get("/groups?prefix=chat.") == {"groups": [], "next": None}
    async with (
        request(app, room, anna.headers),
        request(app, room, otto.headers),
        request(app, all_rooms, otto.headers),
        request(app, "/sse/groups/chat.room.7", KEYED),
    ):
        await system.until(
            "/groups?prefix=chat.",
            lambda answer: (
                answer
                == {
                    "groups": [
                        {"group": "chat.*", "subscribers": 1},
                        {"group": "chat.room.7", "subscribers": 3},
                    ],
                    "next": None,
                }
            ),
        )
        assert await listed(system) == ["chat.*", "chat.room.7"]
    await system.until("/groups", lambda answer: not answer["groups"])


async def test_they_are_listed_in_the_order_of_ascii(system: System, hub: Hub) -> None:
    names = ["a", "a-", "a.*", "a.1", "a.10", "a.2", "a0", "a_", "b"]
    await subscribed(reversed(names))
    assert await listed(system) == names


@pytest.mark.parametrize("limit", [1, 2, 3, 7, 8, 1000])
async def test_pages_are_full_and_follow_each_other(
    system: System, hub: Hub, limit: int
) -> None:
    names = [f"news.{letter}" for letter in "abcdefg"]
    await subscribed(names)
    after, rest = "", list(names)
    while rest:
        answer = await system.get(f"/groups?limit={limit}&after={after}")
        assert [one["group"] for one in answer["groups"]] == rest[:limit]
        rest = rest[limit:]
        assert (answer["next"] is None) == (not rest)
        after = answer["next"]


async def test_a_page_has_a_hundred_groups_unless_asked_for_more(
    system: System, hub: Hub
) -> None:
    await subscribed(f"news.{n:04}" for n in range(1001))
    answer = await system.get("/groups")
    assert (len(answer["groups"]), answer["next"]) == (100, "news.0099")
    answer = await system.get("/groups?limit=1000")
    assert (len(answer["groups"]), answer["next"]) == (1000, "news.0999")
    answer = await system.get("/groups?after=news.0999")
    assert answer == {
        "groups": [{"group": "news.1000", "subscribers": 1}],
        "next": None,
    }


@pytest.mark.parametrize(
    ("prefix", "names"),
    [
        ("chat", ["chat.*", "chat.a", "chat.a.x", "chat.b", "chat_a"]),
        ("chat.", ["chat.*", "chat.a", "chat.a.x", "chat.b"]),
        ("chat.a", ["chat.a", "chat.a.x"]),
        ("chat.a.", ["chat.a.x"]),
        ("c.", []),
        ("zoo", []),
    ],
)
async def test_a_prefix_is_of_the_text_of_a_name(
    system: System, hub: Hub, prefix: str, names: list[str]
) -> None:
    await subscribed(NAMES)
    assert await listed(system, f"prefix={prefix}&limit=2") == names


async def test_it_goes_on_after_a_name_that_nobody_hears_any_more(
    system: System, hub: Hub
) -> None:
    await subscribed(["news.a", "news.c"])
    answer = await system.get("/groups?after=news.b")
    assert [one["group"] for one in answer["groups"]] == ["news.c"]


# A73
@pytest.mark.parametrize("limit_of_page", [1, 2, 1000])
@pytest.mark.parametrize(
    ("patterns", "names"),
    [
        (
            ["**"],
            [
                "broadcast-x",
                "chat.*",
                "chat.a",
                "chat.a.x",
                "chat.b",
                "chat_a",
                "shop.a",
                "shop.b.a",
            ],
        ),
        (["chat.*"], ["chat.*", "chat.a", "chat.b"]),
        (["chat.**"], ["chat.*", "chat.a", "chat.a.x", "chat.b"]),
        (["shop.**", "chat.a"], ["chat.a", "shop.a", "shop.b.a"]),
        (["*.a"], ["chat.a", "shop.a"]),
        (["*.*.a", "presence.users"], ["presence.users", "shop.b.a"]),
        (["auth.**", "session.**", "presence.*", "users"], ["users"]),
        (
            ["auth.user.7.notes", "*.b", SESSION],
            ["auth.user.7.notes", "chat.b", SESSION],
        ),
        (["broadcast", "auth.user.7"], ["auth.user.7", "broadcast"]),
        (["nothing.**"], []),
    ],
)
async def test_a_key_sees_what_its_patterns_give_and_reserved_names_if_named_in_full(
    system: System,
    hub: Hub,
    limit: Limit,
    patterns: list[str],
    names: list[str],
    limit_of_page: int,
) -> None:
    await subscribed(NAMES)
    limit(*patterns)
    assert await listed(system, f"limit={limit_of_page}") == names
    found = [name for name in names if name.startswith("chat.")]
    assert await listed(system, f"prefix=chat.&limit={limit_of_page}") == found


SEGMENTS = st.sampled_from(
    ["a", "a-", "b", "auth", "user", "7", "session", "presence", "users", "users-"]
)
NAME = st.lists(SEGMENTS, min_size=1, max_size=4).map(".".join)
HEARD = st.one_of(NAME, NAME, NAME.map(lambda name: f"{name}.*"))
PATTERN = st.one_of(
    NAME,
    st.lists(st.one_of(SEGMENTS, st.just("*")), min_size=1, max_size=4).map(".".join),
    NAME.map(lambda name: f"{name}.**"),
    st.sampled_from(["**", "*.**"]),
)


@given(
    names=st.lists(HEARD, max_size=40, unique=True),
    patterns=st.lists(PATTERN, max_size=4),
    prefix=st.one_of(st.just(""), NAME, NAME.map(lambda name: f"{name}.")),
    size=st.integers(1, 5),
)
@hypothesis_settings(max_examples=150)
@example(["auth.user.7", "auth.user.8", "auth.user-.a"], ["**", "auth.user.8"], "", 1)
def test_all_pages_together_are_what_the_patterns_give_in_order(
    names: list[str], patterns: list[str], prefix: str, size: int
) -> None:
    found = asyncio.run(_all_pages(names, patterns, prefix, size))
    assert found == sorted(
        name for name in names if name.startswith(prefix) and covers(patterns, name)
    )


async def _all_pages(
    names: list[str], patterns: list[str], prefix: str, size: int
) -> list[str]:
    found: list[str] = []
    after: str | None = ""
    with runtime.publishing_to(MemoryBroker()):
        await Node(runtime.publisher()).report({}, dict.fromkeys(names, 1))
        while after is not None:
            some, after = await page(patterns, prefix, after, size)
            assert len(some) == size or after is None
            found += [one.name for one in some]
    return found


async def test_a_page_is_full_although_many_groups_are_none_of_the_keys(
    system: System, hub: Hub, limit: Limit
) -> None:
    others = [f"news.{n:05}.other" for n in range(3 * NAMES_PER_READ)]
    await subscribed(["news.a.local", *others, "news.z.local", "news.zz.local"])
    limit("news.*.local")
    answer = await system.get("/groups?limit=2")
    assert [one["group"] for one in answer["groups"]] == [
        "news.a.local",
        "news.z.local",
    ]
    assert answer["next"] == "news.z.local"


# A73
async def test_reserved_names_are_skipped_however_many_there_are(
    system: System, hub: Hub, limit: Limit
) -> None:
    users = [f"auth.user.{n}" for n in range((READS + 1) * NAMES_PER_READ)]
    await subscribed(["a", *users, "news.a", SESSION, "z"])
    limit("**", "auth.user.1")
    assert await listed(system, "limit=1") == ["a", "auth.user.1", "news.a", "z"]


# A73
async def test_where_a_request_ends_nothing_is_told_that_is_none_of_the_keys(
    system: System, hub: Hub, limit: Limit
) -> None:
    others = [f"news.b{n}.other" for n in range((READS + 1) * NAMES_PER_READ)]
    await subscribed(["news.a.local", *others, "news.c.local"])
    limit("news.*.local")
    answer = await system.get("/groups")
    assert answer == {
        "groups": [{"group": "news.a.local", "subscribers": 1}],
        "next": "news.a.local",
    }
    answer = await system.request("GET", "/groups?after=news.a.local")
    assert answer.pointers == ["/prefix"]
    assert "other" not in answer.text
    answer = await system.get("/groups?after=news.a.local&prefix=news.c")
    assert [one["group"] for one in answer["groups"]] == ["news.c.local"]


# A73
async def test_a_session_is_listed_by_its_hashed_name_to_keys_that_name_it(
    system: System, app: Application, anna: Person, limit: Limit
) -> None:
    key = anna.headers["Cookie"].partition("=")[2]
    async with request(app, "/sse/stream", anna.headers) as exchange:
        opened = await exchange.next()
        (session,) = (g for g in opened.data["groups"] if g.startswith("session."))
        limit(session)
        answer = await system.until("/groups", lambda answer: answer["groups"])
        assert [one["group"] for one in answer["groups"]] == [session]
        assert key not in str(answer)
        limit("**", "session.**")
        assert await listed(system) == []


async def test_the_scope_read_is_needed(system: System, hub: Hub, limit: Limit) -> None:
    limit("**", scopes=frozenset({"publish", "subscribe", "manage"}))
    problem = (await system.request("GET", "/groups")).problem(403)
    assert "read" in problem["detail"]
    limit("**", scopes=frozenset({"read"}))
    assert await system.get("/groups") == {"groups": [], "next": None}
    (await System({}).request("GET", "/groups")).problem(401)


# A24
@pytest.mark.parametrize(
    ("query", "pointer"),
    [
        ("prefix=a%20b", "/prefix"),
        ("prefix=%C3%BC", "/prefix"),
        ("prefix=a%0A", "/prefix"),
        ("prefix=a%00", "/prefix"),
        ("prefix=news.*", "/prefix"),
        (f"prefix={201 * 'x'}", "/prefix"),
        ("after=a%20b", "/after"),
        ("after=%FF", "/after"),
        ("after=a%0A", "/after"),
        (f"after={201 * 'x'}", "/after"),
        ("limit=0", "/limit"),
        ("limit=-1", "/limit"),
        ("limit=1001", "/limit"),
        ("limit=ten", "/limit"),
        ("limit=", "/limit"),
        ("limit=1.5", "/limit"),
        (f"limit={10**30}", "/limit"),
    ],
)
async def test_what_can_not_be_asked_for_is_refused(
    system: System, hub: Hub, query: str, pointer: str
) -> None:
    answer = await system.request("GET", f"/groups?{query}")
    assert answer.pointers == [pointer]


# A38
async def test_where_there_are_no_streams_no_group_is_known(system: System) -> None:
    answer = await system.request("GET", "/groups")
    answer.problem(503)
    assert int(answer.headers["Retry-After"]) >= 1


async def test_redis_lists_the_same(
    system: System, settings: Settings, redis_server: RedisServer, limit: Limit
) -> None:
    settings.SSE_COMPONENTS = {
        "BROKER_URL": redis_server.url,
        "KEY_PREFIX": secrets.token_hex(8),
    }
    await runtime.start()
    try:
        await subscribed(NAMES)
        for patterns, names in (
            (["chat.**"], ["chat.*", "chat.a", "chat.a.x", "chat.b"]),
            (["*.a", "users", SESSION], ["chat.a", SESSION, "shop.a", "users"]),
        ):
            limit(*patterns)
            for size in (1, 2, 1000):
                assert await listed(system, f"limit={size}") == names
                below = [name for name in names if name.startswith("chat.")]
                assert await listed(system, f"prefix=chat.&limit={size}") == below
    finally:
        await runtime.stop()


async def test_an_answer_is_as_the_document_says(system: System, hub: Hub) -> None:
    await subscribed(["news.a", "news.b"])
    answer: Any = await system.get("/groups?limit=1")
    assert GroupsOut.model_validate(answer).model_dump() == answer


@pytest.mark.parametrize("after", ["d", "chat/", "chb"])
async def test_behind_the_last_name_that_patterns_give_nothing_is_read(
    hub: Hub, monkeypatch: pytest.MonkeyPatch, after: str
) -> None:
    async def read(prefix: str, after: str, limit: int) -> list[Audience]:
        raise AssertionError(f"read after {after}")

    monkeypatch.setattr(runtime.broker(), "agroups", read)
    assert await page(["chat.*", "ch.a"], "", after, 10) == ([], None)
