from __future__ import annotations

import json
import secrets
import time
from collections.abc import AsyncIterator
from typing import Any

import pytest
from asgiref.sync import sync_to_async
from django.contrib.auth.models import User
from django.test import AsyncClient, override_settings
from django.urls import include, path
from pytest_django import Settings

from sse_components import arevoke, runtime
from sse_components.events import Position, hashed
from sse_components.grants import COOKIE, Grant, fingerprint
from sse_components.hub import Hub
from sse_components.renewal import MAX_GRANT, MOST, RENEWED_SECONDS
from sse_components.revocations import Whose, browser_subject
from tests.streams.asking import here

pytestmark = [pytest.mark.urls(__name__), pytest.mark.django_db(transaction=True)]

urlpatterns = [path("", include("sse_components.urls"))]

BROWSER = "of-this-browser"


@pytest.fixture(autouse=True)
async def hub(settings: Settings) -> AsyncIterator[Hub]:
    # With the settings, which are put back after it has stopped: that forgets it.
    yield await started()
    await runtime.stop()


async def started() -> Hub:
    hub = await runtime.start()
    await hub.recalled()
    return hub


@pytest.fixture
async def user(async_client: AsyncClient) -> User:
    user = await sync_to_async(User.objects.create_user)("anna")
    await sync_to_async(async_client.force_login)(user)
    async_client.cookies[COOKIE] = BROWSER
    return user


def grant(*names: str, **more: Any) -> str:
    """Return a bound grant as a page's, unless it is said otherwise."""
    whose: dict[str, Any] = {"position": here(), "browser": fingerprint(BROWSER)}
    for name in ("position", "user", "browser", "session"):
        if name in more:
            whose[name] = more.pop(name)
    return runtime.grants().issue(names, Whose(**whose), **more)[0]


async def renew(client: AsyncClient, *grants: object) -> tuple[int, dict[str, Any]]:
    body = json.dumps({"grants": list(grants)})
    response = await client.post("/sse/grants", body, content_type="application/json")
    return response.status_code, response.json()


async def renewed(client: AsyncClient, *grants: str) -> Grant:
    status, answer = await renew(client, *grants)
    assert status == 200, answer
    return runtime.grants().read(answer["grant"])


async def narrowed(
    client: AsyncClient, grants: list[str], groups: object
) -> tuple[int, dict[str, Any]]:
    body = json.dumps({"grants": grants, "groups": groups})
    response = await client.post("/sse/grants", body, content_type="application/json")
    return response.status_code, response.json()


async def refused(client: AsyncClient, *grants: object) -> tuple[int, str]:
    status, answer = await renew(client, *grants)
    assert set(answer) == {"code", "detail"}
    return status, answer["code"]


async def test_a_grant_is_renewed_for_who_looks_at_the_page(
    async_client: AsyncClient, user: User
) -> None:
    issued = int(time.time()) - 3000
    old = grant("room.a", user=str(user.pk), issued=issued)
    before = here()
    status, answer = await renew(async_client, old)
    assert status == 200
    new = runtime.grants().read(answer["grant"])
    session = async_client.session.session_key
    assert session
    assert new.groups == ("room.a",)
    assert new.whose.user == str(user.pk)
    assert new.whose.browser == fingerprint(BROWSER)
    assert new.whose.session == hashed(session)
    assert new.whose.position.seq >= before.seq - 5_000_000
    assert new.issued == issued
    assert not new.bearer
    assert 3590 <= answer["expires"] <= 3600
    assert 0 <= time.time() + answer["expires"] - new.expires < 10
    assert answer["expires_at"].endswith("Z")


async def test_one_that_has_expired_is_renewed_too(
    async_client: AsyncClient, user: User
) -> None:
    old = grant("room.a", user=str(user.pk), seconds=-10)
    assert (await renewed(async_client, old)).groups == ("room.a",)


# A14
async def test_one_may_become_less_and_never_more(
    async_client: AsyncClient, user: User
) -> None:
    old = grant("room.a", "room.b", "hall.*", user=str(user.pk), asked=["room.b"])
    names = ["room.b", "hall.*", "room.c", "broadcast", f"auth.user.{user.pk}.x"]
    status, answer = await narrowed(async_client, [old], names)
    assert status == 200
    new = runtime.grants().read(answer["grant"])
    assert new.groups == ("hall.*",)  # what was asked for by name is decided anew
    status, answer = await narrowed(async_client, [answer["grant"]], ["room.a"])
    assert status == 200
    assert runtime.grants().read(answer["grant"]).groups == ()


@pytest.mark.parametrize("groups", ["room.a", {"room.a": 1}, [1], [None], 7])
async def test_names_that_are_none_are_refused(
    async_client: AsyncClient, user: User, groups: object
) -> None:
    old = grant("room.a", user=str(user.pk))
    status, answer = await narrowed(async_client, [old], groups)
    assert (status, answer["code"]) == (400, "body")


async def test_several_become_one(async_client: AsyncClient, user: User) -> None:
    issued = int(time.time()) - 100
    grants = [
        grant("room.a", "room.b", user=str(user.pk)),
        grant("room.b", "room.c", issued=issued),
    ]
    new = await renewed(async_client, *grants)
    assert new.groups == ("room.a", "room.b", "room.c")
    assert new.issued == issued


# A82
async def test_who_has_logged_in_since_gets_a_grant_of_the_user(
    async_client: AsyncClient, user: User
) -> None:
    anonymous = grant("room.a", session="h-before")
    new = await renewed(async_client, anonymous)
    assert new.whose.user == str(user.pk)
    assert new.whose.session != "h-before"


async def test_an_unbound_grant_stays_unbound(async_client: AsyncClient) -> None:
    new = await renewed(async_client, grant("news.a", browser=None))
    assert new.whose == Whose(new.whose.position)


async def test_a_bound_grant_stays_bound(async_client: AsyncClient) -> None:
    async_client.cookies[COOKIE] = BROWSER
    new = await renewed(async_client, grant("news.a"))
    assert new.whose == Whose(new.whose.position, browser=fingerprint(BROWSER))


# A20
async def test_nobody_renews_what_isnt_theirs(
    async_client: AsyncClient, user: User
) -> None:
    forbidden = 403, "forbidden"
    other = grant("room.a", user=str(user.pk + 1))
    assert await refused(async_client, other) == forbidden
    elsewhere = grant("room.a", browser=fingerprint("other"))
    assert await refused(async_client, elsewhere) == forbidden
    text = grant("room.a")
    assert await refused(async_client, text[:-1] + "A" + "B") == forbidden
    mine = grant("room.a", user=str(user.pk))
    assert await refused(async_client, mine, other) == forbidden
    assert await refused(async_client, grant("a", bearer=True)) == forbidden


# A23
async def test_who_has_lost_the_right_doesnt_renew(
    async_client: AsyncClient, user: User
) -> None:
    mine = grant("room.a", user=str(user.pk))
    await User.objects.filter(pk=user.pk).aupdate(is_active=False)
    assert await refused(async_client, mine) == (403, "forbidden")
    await User.objects.filter(pk=user.pk).aupdate(is_active=True)
    await renewed(async_client, mine)
    await async_client.session.aflush()
    assert await refused(async_client, mine) == (403, "forbidden")


# A23
@override_settings(
    AUTHENTICATION_BACKENDS=["django.contrib.auth.backends.AllowAllUsersModelBackend"]
)
async def test_who_is_not_active_renews_nothing_whatever_the_backend_says(
    async_client: AsyncClient, user: User
) -> None:
    await sync_to_async(async_client.force_login)(user)
    old = grant("room.a")
    await renewed(async_client, old)
    await User.objects.filter(pk=user.pk).aupdate(is_active=False)
    assert await refused(async_client, old) == (403, "forbidden")


# A23
async def test_the_grants_of_a_browser_that_was_logged_out_of_are_over(
    async_client: AsyncClient, user: User
) -> None:
    old = grant("room.a")
    subject = browser_subject(fingerprint(BROWSER))
    await runtime.broker().arevoke(subject, "", 3600)
    await heard()
    assert await refused(async_client, old) == (403, "grant_expired")
    await renewed(async_client, grant("room.a"))


async def heard() -> None:
    hub = runtime.hub()
    assert hub
    await hub._hearing.wait_until(here())


# A23
async def test_what_was_revoked_isnt_renewed(
    async_client: AsyncClient, user: User
) -> None:
    old = grant("room.a", "project.5.a", user=str(user.pk))
    await arevoke(user, "project.**")
    await heard()
    assert (await renewed(async_client, old)).groups == ("room.a",)


async def test_the_policy_has_the_last_word(
    async_client: AsyncClient, user: User, settings: Settings
) -> None:
    asked = []

    def authorize(user: User, group: str, rendered: bool) -> bool | None:
        asked.append((user.pk, group, rendered))
        return {"room.a": None, "room.b": False, "room.c": True}[group]

    await runtime.stop()
    settings.SSE_COMPONENTS = {"AUTHORIZE": authorize}
    await started()
    new = await renewed(async_client, grant("room.a", "room.b", "room.c"))
    assert new.groups == ("room.a", "room.c")
    assert asked == [(user.pk, name, True) for name in ("room.a", "room.b", "room.c")]


# Renewal: reads that they are a member. Elsewhere: removed, revoked. Renewal: grants.
# A23
async def test_what_is_revoked_while_it_is_decided_is_revoked_from_the_new_grant(
    async_client: AsyncClient, user: User, settings: Settings
) -> None:
    async def authorize(user: User, group: str, rendered: bool) -> bool:
        await arevoke(user, group)
        await heard()
        return True

    await runtime.stop()
    settings.SSE_COMPONENTS = {"AUTHORIZE": authorize}
    hub = await started()
    new = await renewed(async_client, grant("room.a", user=str(user.pk)))
    assert hub.revocations.among(new.whose, new.groups) == ["room.a"]


# A56
async def test_what_the_browser_asked_for_is_decided_as_asked_for_by_name(
    async_client: AsyncClient, user: User, settings: Settings
) -> None:
    decided = []

    def authorize(user: User, group: str, rendered: bool) -> bool | None:
        decided.append((group, rendered))
        return group == "room.asked" or None

    await runtime.stop()
    settings.SSE_COMPONENTS = {"AUTHORIZE": authorize}
    await started()
    names = ("room.asked", "room.both", "room.no", "room.ours")
    old = grant(*names, asked=("room.asked", "room.both", "room.no"))
    new = await renewed(async_client, old, grant("room.both", "room.ours"))
    assert new.groups == ("room.asked", "room.both", "room.ours")
    assert new.asked == ("room.asked",)
    assert sorted(decided) == [
        ("room.asked", False),
        ("room.both", True),
        ("room.no", False),
        ("room.ours", True),
    ]
    again = await renewed(async_client, grant(*new.groups, asked=new.asked))
    assert (again.groups, again.asked) == (new.groups, new.asked)


# A rendered group is revoked; its page asks for it by name, and is granted it.
async def test_what_was_revoked_as_rendered_isnt_rendered_because_another_asks(
    async_client: AsyncClient, user: User
) -> None:
    old = grant("project.5", user=str(user.pk))
    await arevoke(user, "project.**")
    await heard()
    new = grant("project.5", "room.a", asked=("project.5",), user=str(user.pk))
    assert (await renewed(async_client, old, new)).groups == ("room.a",)


@pytest.mark.parametrize("position", [Position("0", 0), Position("0badcafe", 2**52)])
async def test_what_was_granted_in_another_epoch_isnt_renewed(
    async_client: AsyncClient, user: User, position: Position
) -> None:
    old = grant("room.a", position=position)
    assert await refused(async_client, old) == (403, "grant_expired")


async def test_what_was_rendered_long_ago_isnt_renewed(
    async_client: AsyncClient, user: User
) -> None:
    now = int(time.time())
    await renewed(async_client, grant("room.a", issued=now - RENEWED_SECONDS + 30))
    old = grant("room.a", issued=now - RENEWED_SECONDS)
    assert await refused(async_client, old) == (403, "grant_expired")


async def test_more_than_a_stream_carries_isnt_merged(
    async_client: AsyncClient, user: User
) -> None:
    parts = [[f"room.{n}" for n in range(s, s + 101)] for s in (0, 101)]
    assert await refused(async_client, *(grant(*names) for names in parts)) == (
        403,
        "size",
    )
    assert await refused(async_client, *["x"] * (MOST + 1)) == (400, "body")


async def test_what_is_too_long_for_an_address_isnt_merged(
    async_client: AsyncClient, user: User
) -> None:
    names = [f"room.{secrets.token_hex(32)}" for _ in range(150)]
    grants = [grant(*names[start : start + 50]) for start in (0, 50, 100)]
    assert max(len(one) for one in grants) < MAX_GRANT
    assert await refused(async_client, *grants) == (403, "size")
    await renewed(async_client, *grants[:2])


@pytest.mark.parametrize("body", ["", "[]", "{}", '{"grants":[]}', '{"grants":"x"}'])
async def test_a_body_that_makes_no_sense_is_refused(
    async_client: AsyncClient, body: str
) -> None:
    response = await async_client.post(
        "/sse/grants", body, content_type="application/json"
    )
    assert (response.status_code, response.json()["code"]) == (400, "body")
    assert (await refused(async_client, 7)) == (403, "forbidden")
    assert (await refused(async_client, {"a": "b"})) == (403, "forbidden")


# A26
async def test_another_site_renews_nothing(user: User) -> None:
    client = AsyncClient(enforce_csrf_checks=True)
    response = await client.post(
        "/sse/grants", {"grants": ["x"]}, content_type="application/json"
    )
    assert response.status_code == 403
    assert response.json()["code"] == "csrf"


async def test_a_grant_that_becomes_bound_comes_with_its_cookie(
    async_client: AsyncClient, user: User
) -> None:
    del async_client.cookies[COOKIE]
    new = await renewed(async_client, grant("room.a", browser=None))
    cookie = async_client.cookies[COOKIE].value
    assert new.whose.browser == fingerprint(cookie)
    await renewed(async_client, grant("room.a", browser=new.whose.browser))


# Redis: is read again after an interruption; until then it may have revoked.
async def test_nothing_is_renewed_while_it_isnt_known_what_was_revoked(
    async_client: AsyncClient, user: User, hub: Hub
) -> None:
    old = grant("room.a")
    hub.doubt()
    assert await refused(async_client, old) == (503, "unavailable")
    hub.recall()
    await hub.recalled()
    await renewed(async_client, old)


async def test_a_process_without_streams_cant_tell(async_client: AsyncClient) -> None:
    old = grant("news.a", browser=None)
    await runtime.stop()
    assert await refused(async_client, old) == (503, "unavailable")
