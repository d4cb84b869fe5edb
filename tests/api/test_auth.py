from __future__ import annotations

import pytest
from pytest_django import Settings

from sse_components.groups import authenticate
from tests.api.clients import KEY, System
from tests.api.conftest import Heard

pytestmark = pytest.mark.django_db(transaction=True)

ADDRESSES = ["/groups/news.updates/component-removed", "/events"]


@pytest.mark.parametrize(
    "headers",
    [
        {"Authorization": f"Bearer {KEY}"},
        {"Authorization": f"bearer  {KEY}"},
        {"X-API-Key": KEY},
        {"X-API-Key": KEY, "Authorization": "Basic Og=="},
        {"X-API-Key": KEY, "Authorization": "Bearer of another gate"},
    ],
)
async def test_a_key_is_taken_from_either_header(
    system: System, heard: Heard, headers: dict[str, str]
) -> None:
    answer = await System(headers).post(ADDRESSES[0], {})
    assert [str(event.position) for event in await heard()] == [answer.id]


# A37, A73
@pytest.mark.parametrize("address", ADDRESSES)
@pytest.mark.parametrize(
    "headers",
    [
        {},
        {"Authorization": ""},
        {"Authorization": "Bearer"},
        {"Authorization": "Bearer "},
        {"Authorization": KEY},
        {"Authorization": f"Basic {KEY}"},
        {"Authorization": f"Bearer {KEY}x"},
        {"Authorization": f"Bearer {KEY[:-1]}"},
        {"Authorization": f"Bearer {KEY[:-1]}x"},
        {"Authorization": f"Bearer {KEY.upper()}"},
        {"Authorization": "Bearer \xff"},
        {"X-API-Key": ""},
        {"X-API-Key": f"{KEY[:-1]}x"},
        {"X-API-Key": f"Bearer {KEY}"},
        {"Cookie": f"X-API-Key={KEY}"},
    ],
)
async def test_without_the_key_nothing_is_published(
    system: System, heard: Heard, address: str, headers: dict[str, str]
) -> None:
    answer = await System(headers).post(address, {"events": []})
    answer.problem(401)
    assert answer.headers["WWW-Authenticate"] == "Bearer"
    assert KEY not in answer.text
    assert await heard() == []


async def test_the_key_is_not_taken_from_the_query(system: System) -> None:
    for name in ("X-API-Key", "key", "Authorization"):
        answer = await System({}).post(f"{ADDRESSES[0]}?{name}={KEY}", {})
        answer.problem(401)


async def test_the_key_is_asked_for_before_the_body_is_read(system: System) -> None:
    answer = await System({}).post("/groups/not%20a%20group/notify", b"not JSON")
    answer.problem(401)


@pytest.mark.parametrize("key", ["", "demo-key", "None"])
async def test_without_a_key_in_the_settings_none_is_right(
    system: System, settings: Settings, key: str
) -> None:
    settings.SSE_API_KEY = ""
    for headers in ({"Authorization": f"Bearer {key}"}, {"X-API-Key": key}):
        (await System(headers).post(ADDRESSES[0], {})).problem(401)


async def test_a_key_of_any_characters_is_compared(
    system: System, heard: Heard, settings: Settings
) -> None:
    settings.SSE_API_KEY = "clé"
    (await System({"X-API-Key": "cle"}).post(ADDRESSES[0], {})).problem(401)
    assert await heard() == []


async def test_streams_take_the_same_key(system: System) -> None:
    integrator = await authenticate(KEY)
    assert integrator
    assert integrator.patterns == ("**", "presence.users")
    assert integrator.scopes == {"publish", "read", "subscribe", "manage"}
    assert await authenticate(f"{KEY}x") is None
