from __future__ import annotations

import asyncio
import hashlib
import time
from collections.abc import AsyncIterator
from datetime import UTC, datetime
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest
from django.contrib.auth.models import User
from django.test import AsyncClient
from pytest_django import Settings

from sse_components import ComponentDispatcher, runtime
from sse_components.asgi import Application
from sse_components.events import NOWHERE
from sse_components.hub import Hub
from tests.api.clients import JSON, KEYED, Person, System, pointers
from tests.api.conftest import SETTINGS, Limit
from tests.communicator import Exchange, request

GROUPS = ["chat.room.7", "chat.news.today"]


async def granted(system: System, groups: list[str] = GROUPS, **more: Any) -> str:
    """Return the address of a stream, less the server's."""
    answer = await system.post("/grants", {"groups": groups} | more)
    assert answer.status == 201, answer.text
    prefix = "http://testserver/sse/stream?grant="
    url: str = answer.body["stream_url"]
    assert url.startswith(prefix)
    (grant,) = parse_qs(urlsplit(url).query)["grant"]
    assert grant == answer.body["grant"]
    return url.removeprefix("http://testserver")


async def condition(exchange: Exchange) -> str:
    (event,) = await exchange.rest()
    assert event.type == "stream-error"
    return str(event.data["condition"])


async def test_whoever_has_a_grant_hears_its_groups_and_no_others(
    system: System, app: Application
) -> None:
    async with request(app, await granted(system)) as exchange:
        opening = (await exchange.until("keep-alive"))[0]
        assert set(opening.data["groups"]) == set(GROUPS)
        assert opening.data["denied"] == []
        assert 590 <= opening.data["expires"] <= 600
        await ComponentDispatcher.notify("broadcast", "hello")
        await ComponentDispatcher.notify("chat.room.8", "hello")
        for group in ("chat.room.7", "chat.news.today"):
            published = await ComponentDispatcher.notify(group, "hello")
            assert (await exchange.next()).id == str(published.position)
        room = await system.until("/groups/chat.room.7", lambda it: it["subscribers"])
        assert (room["subscribers"], room["members"]) == (1, 0)
        online = await system.get("/groups/presence.users/members")
        assert online["members"] == []


async def test_a_grant_of_a_pattern_is_heard_and_leaves_presence_as_it_is(
    system: System, app: Application, anna: Person
) -> None:
    target = await granted(system, ["chat.room.7", "chat.news.*"], user=anna.id)
    async with request(app, target) as exchange:
        await exchange.until("keep-alive")
        published = await ComponentDispatcher.notify("chat.news.today", "hello")
        assert (await exchange.next()).id == str(published.position)
        await system.until("/groups/chat.room.7", lambda it: it["subscribers"])
        await system.until("/groups/chat.room.7", lambda it: it["members"])


async def test_a_grant_of_a_user_opens_a_stream_of_this_user(
    system: System, app: Application, anna: Person
) -> None:
    async with (
        request(app, "/sse/groups/presence.users", KEYED) as watching,
        request(app, await granted(system, user=anna.id)) as exchange,
    ):
        opening = (await exchange.until("keep-alive"))[0]
        automatic = ["broadcast", "users", f"auth.user.{anna.id}"]
        assert set(opening.data["groups"]) == {*automatic, *GROUPS}
        event = (await watching.until("presence.online"))[-1]
        assert event.data["payload"]["user"] == anna.id
        room = await system.get("/groups/chat.room.7/members")
        assert [member["user"] for member in room["members"]] == [anna.id]
        published = await ComponentDispatcher.notify("broadcast", "hello")
        heard = (await exchange.until("notify"))[-1]
        assert heard.id == str(published.position)


# A23
async def test_a_grant_of_a_user_who_is_disconnected_is_worth_nothing(
    system: System, app: Application, anna: Person
) -> None:
    target = await granted(system, user=anna.id)
    nobodys = await granted(system)
    await system.post(f"/users/{anna.id}/disconnect", b"")
    async with request(app, target) as exchange:
        assert await condition(exchange) == "grant_expired"
    for address in (await granted(system, user=anna.id), nobodys):
        async with request(app, address) as exchange:
            assert (await exchange.next()).type == "stream-open"


async def test_a_grant_that_has_expired_opens_no_stream(
    system: System, app: Application
) -> None:
    answer = (await system.post("/grants", {"groups": GROUPS, "ttl": 1})).body
    expires = datetime.fromisoformat(answer["expires_at"]).timestamp()
    await asyncio.sleep(expires - time.time())
    async with request(app, f"/sse/stream?grant={answer['grant']}") as exchange:
        assert await condition(exchange) == "grant_expired"


async def test_a_grant_with_another_letter_opens_no_stream(
    system: System, app: Application
) -> None:
    target = await granted(system)
    grant = target.partition("=")[2]
    for place in range(0, len(grant), 7):
        other = "A" if grant[place] != "A" else "B"
        forged = f"{grant[:place]}{other}{grant[place + 1 :]}"
        async with request(app, f"/sse/stream?grant={forged}") as exchange:
            assert await condition(exchange) == "grant_expired"


@pytest.mark.parametrize(("given", "seconds"), [({}, 600), ({"ttl": 86400}, 86400)])
async def test_a_grant_says_when_it_expires(
    system: System, app: Application, given: dict[str, int], seconds: int
) -> None:
    begun = int(time.time())
    answer = (await system.post("/grants", {"groups": GROUPS} | given)).body
    assert answer["expires_at"].endswith("Z")
    expires = datetime.fromisoformat(answer["expires_at"])
    assert expires.tzinfo == UTC
    assert begun <= expires.timestamp() - seconds <= time.time()


@pytest.fixture
async def _elsewhere(settings: Settings) -> AsyncIterator[None]:
    settings.SSE_COMPONENTS = SETTINGS | {"PREFIX": "/live/"}
    await runtime.start()
    yield
    await runtime.stop()


@pytest.mark.usefixtures("_elsewhere")
async def test_the_address_of_the_stream_is_where_the_request_came_to(
    system: System,
) -> None:
    client = AsyncClient(root_path="/app")
    response = await client.generic(
        "POST",
        "/app/api/v1/grants",
        b'{"groups": ["chat.a"]}',
        JSON,
        secure=True,
        headers=KEYED,
    )
    assert response.status_code == 201
    url = response.json()["stream_url"]
    assert url.startswith("https://testserver/app/live/stream?grant=")


# A73
async def test_groups_that_the_key_does_not_cover_are_named(
    system: System, app: Application, limit: Limit
) -> None:
    limit("chat.*", "shop.stock")
    groups = ["chat.a", "news.a", "chat.*", "shop.*", "chat.a.b", "shop.stock"]
    problem = (await system.post("/grants", {"groups": groups})).problem(403)
    assert pointers(problem["errors"]) == ["/groups/1", "/groups/3", "/groups/4"]


# A73
async def test_a_grant_of_a_user_needs_the_scope_to_manage(
    system: System, app: Application, limit: Limit, anna: Person
) -> None:
    limit("chat.**", scopes=frozenset({"subscribe"}))
    assert (await system.post("/grants", {"groups": ["chat.a"]})).status == 201
    for user in (anna.id, "nobody"):  # so that nobody finds out who there is
        answer = await system.post("/grants", {"groups": ["chat.a"], "user": user})
        assert "manage" in answer.problem(403)["detail"]


@pytest.mark.parametrize("user", ["nobody", "0", "-1", "1.5", 200 * "9", "é"])
async def test_a_grant_is_of_a_user_who_exists(
    system: System, app: Application, transactional_db: None, user: str
) -> None:
    answer = await system.post("/grants", {"groups": ["chat.a"], "user": user})
    assert answer.pointers == ["/user"]


async def test_a_grant_is_of_a_user_who_is_active(
    system: System, app: Application, anna: Person
) -> None:
    body = {"groups": ["chat.a"], "user": anna.id}
    await User.objects.filter(pk=anna.id).aupdate(is_active=False)
    assert (await system.post("/grants", body)).pointers == ["/user"]
    await User.objects.filter(pk=anna.id).aupdate(is_active=True)
    assert (await system.post("/grants", body)).status == 201


async def test_a_user_is_known_by_the_primary_key_as_it_is_written_elsewhere(
    system: System, app: Application, anna: Person
) -> None:
    async with request(app, await granted(system, user=f"0{anna.id}")) as exchange:
        opening = await exchange.next()
        assert f"auth.user.{anna.id}" in opening.data["groups"]
        await system.until(f"/users/{anna.id}/status", lambda it: it["online"])


@pytest.mark.parametrize(
    ("body", "places"),
    [
        ({}, ["/groups"]),
        ({"groups": []}, ["/groups"]),
        ({"groups": "chat.a"}, ["/groups"]),
        ({"groups": ["chat.a"] * 201}, ["/groups"]),
        ({"groups": ["chat.a", "a b", "chat.**"]}, ["/groups/1", "/groups/2"]),
        ({"groups": ["chat.a", 201 * "x"]}, ["/groups/1"]),
        ({"groups": ["chat.a"], "ttl": 0}, ["/ttl"]),
        ({"groups": ["chat.a"], "ttl": 86401}, ["/ttl"]),
        ({"groups": ["chat.a"], "ttl": "60"}, ["/ttl"]),
        ({"groups": ["chat.a"], "ttl": 1.5}, ["/ttl"]),
        ({"groups": ["chat.a"], "user": 7}, ["/user"]),
        ({"groups": ["chat.a"], "user": ""}, ["/user"]),
        ({"groups": ["chat.a"], "user": "a\0"}, ["/user"]),
        ({"groups": ["chat.a"], "bearer": False}, ["/bearer"]),
        ([], [""]),
    ],
)
async def test_a_body_that_is_no_request_for_a_grant_is_refused(
    system: System, app: Application, body: object, places: list[str]
) -> None:
    assert (await system.post("/grants", body)).pointers == places


# A21
@pytest.mark.parametrize(
    "group",
    [
        "broadcast",
        "users",
        "session",
        "session.the-raw-key",
        f"session.h-{22 * 'A'}",
        "session.*",
        "presence.users",
        "auth.user.7",
        "auth.user.7.notes",
        "auth.user.*",
    ],
)
async def test_a_reserved_group_is_granted_to_nobody(
    system: System, app: Application, limit: Limit, group: str
) -> None:
    limit("**", group)
    answer = await system.post("/grants", {"groups": ["chat.a", group]})
    assert answer.pointers == ["/groups/1"]


async def test_a_grant_that_fits_no_address_is_refused_with_advice(
    system: System, app: Application
) -> None:
    texts = [hashlib.sha512(bytes([number])).hexdigest() for number in range(100)]
    groups = [f"chat.{text}" for text in texts]
    answer = await system.post("/grants", {"groups": groups})
    assert answer.pointers == ["/groups"]
    assert "attern" in answer.text
    assert len(await granted(system, groups[:50])) < 6100


async def test_as_many_groups_as_a_stream_carries_are_granted(
    system: System, app: Application
) -> None:
    groups = [f"chat.{number}" for number in range(200)]
    async with request(app, await granted(system, groups)) as exchange:
        opening = await exchange.next()
        assert set(opening.data["groups"]) == set(groups)


@pytest.fixture
async def _away(settings: Settings, nowhere: str) -> AsyncIterator[None]:
    settings.SSE_COMPONENTS = {"BROKER_URL": nowhere}
    hub = await runtime.start()
    assert hub.position == NOWHERE
    yield
    await runtime.stop()


# A38
@pytest.mark.usefixtures("_away")
async def test_before_the_broker_was_there_nothing_is_granted(system: System) -> None:
    answer = await system.post("/grants", {"groups": ["chat.a"]})
    answer.problem(503)
    assert int(answer.headers["Retry-After"]) >= 1


async def test_a_host_that_is_not_ours_gets_no_address(
    system: System, settings: Settings, hub: Hub
) -> None:
    settings.MIDDLEWARE = []  # Django's would refuse it first
    answer = await system.post("/grants", {"groups": ["chat.a"]}, Host="evil.example")
    answer.problem(400)
    assert "evil" not in answer.text
