from __future__ import annotations

import asyncio
import json

import pytest
from pytest_django import Settings

from sse_components.asgi import Application
from tests.api.clients import System, pointers
from tests.api.conftest import Heard, Limit
from tests.api.streams import first

SCOPES = frozenset({"publish", "read", "subscribe", "manage"})
NOTIFY = {"event_name": "tetra:alert"}
GRANT = {"groups": ["news.updates"]}
OPERATIONS = [
    ("publish", "POST", "/groups/news.updates/data-changed", {}),
    ("publish", "POST", "/groups/news.updates/notify", NOTIFY),
    ("publish", "POST", "/groups/news.updates/component-created", {}),
    ("publish", "POST", "/groups/news.updates/component-removed", {}),
    (
        "publish",
        "POST",
        "/events",
        {"events": [{"type": "notify", "group": "news.updates"} | NOTIFY]},
    ),
    ("read", "GET", "/groups/news.updates", b""),
    ("read", "GET", "/groups/news.updates/members", b""),
    ("read", "GET", "/groups/news.updates/events", b""),
    ("read", "GET", "/groups", b""),
    ("publish", "POST", "/users/7/notify", NOTIFY),
    ("publish", "POST", "/users/7/data-changed", {}),
    ("read", "GET", "/users/7/status", b""),
    ("read", "POST", "/users/status", {"users": ["7"]}),
    ("manage", "POST", "/users/7/disconnect", b""),
    ("manage", "DELETE", "/users/7/groups/news.updates", b""),
    ("subscribe", "POST", "/grants", GRANT),
]
each_operation = pytest.mark.parametrize(
    ("scope", "method", "address", "body"), OPERATIONS
)


# A37, A53, A73
@each_operation
async def test_a_key_may_do_only_what_it_has_the_scope_for(
    system: System,
    heard: Heard,
    limit: Limit,
    scope: str,
    method: str,
    address: str,
    body: object,
) -> None:
    limit("**", "presence.users", scopes=SCOPES - {scope})
    answer = await system.request(method, address, body)
    assert scope in answer.problem(403)["detail"]
    assert await heard() == []
    limit("**", "presence.users", scopes=frozenset({scope}))
    assert (await system.request(method, address, body)).status < 300


# A37, A53, A73
@each_operation
async def test_a_key_may_do_nothing_with_what_its_patterns_do_not_cover(
    system: System,
    heard: Heard,
    limit: Limit,
    scope: str,
    method: str,
    address: str,
    body: object,
) -> None:
    limit("shop.**", "news.*.updates")
    answer = await system.request(method, address, body)
    if address == "/events":
        (result,) = answer.body["results"]
        assert pointers(result["errors"]) == ["/events/0/group"]
    elif address == "/groups":
        assert answer.body == {"groups": [], "next": None}
    elif address == "/users/7/disconnect":
        assert answer.status == 202  # of which patterns say nothing
    else:
        answer.problem(403)
    assert await heard() == []


async def test_the_scope_is_asked_for_before_the_body_is_read(
    system: System, limit: Limit
) -> None:
    limit("**", scopes=frozenset())
    (await system.post("/groups/a%20b/notify", b"not JSON")).problem(403)


@each_operation
async def test_without_a_key_nothing_is_answered(
    scope: str, method: str, address: str, body: object
) -> None:
    (await System({}).request(method, address, body)).problem(401)


# A73
async def test_of_a_batch_what_a_key_may_not_publish_fails_alone(
    system: System, heard: Heard, limit: Limit
) -> None:
    limit("news.*")
    events = [
        {"type": "component.created", "group": "news.a"},
        {"type": "component.created", "group": "shop.a"},
        {"type": "component.created", "groups": ["news.a", "shop.a", "broadcast"]},
        {"type": "component.created", "groups": ["news.b"]},
    ]
    answer = await system.post("/events", {"events": events}, Idempotency_Key="a")
    results = answer.body["results"]
    assert [pointers(result["errors"]) for result in results] == [
        [],
        ["/events/1/group"],
        ["/events/2/groups/1", "/events/2/groups/2"],
        [],
    ]
    ids = [result["id"] for result in results]
    assert ids == [ids[0], None, None, ids[3]]
    assert [str(event.position) for event in await heard()] == [ids[0], ids[3]]


@pytest.mark.parametrize(
    ("pattern", "status"), [("**", 202), ("shop.**", 403), ("auth.**", 403)]
)
async def test_only_a_key_for_everything_publishes_to_groups_it_has_no_name_for(
    system: System, heard: Heard, limit: Limit, pattern: str, status: int
) -> None:
    limit(pattern)
    for group in ("broadcast", "users", "auth.user.7", f"session.h-{22 * 'A'}"):
        answer = await system.post(f"/groups/{group}/notify", NOTIFY)
        assert answer.status == status
        assert len(await heard(group)) == (status == 202)
    limit(pattern, "broadcast")
    assert (await system.post("/groups/broadcast/notify", NOTIFY)).status == 202


# A53, A73
async def test_no_pattern_lets_a_key_read_a_reserved_group(
    system: System, app: Application, limit: Limit
) -> None:
    limit("**", "auth.**", "users")
    for group in ("broadcast", "auth.user.7", "presence.users"):
        (await system.request("GET", f"/groups/{group}")).problem(403)
        (await system.request("GET", f"/groups/{group}/members")).problem(403)
    assert (await system.request("GET", "/groups/users")).status == 200


@pytest.mark.parametrize(
    ("key", "revoked", "status"),
    [
        ("project.5.**", "project.5.**", 204),
        ("project.**", "project.5.**", 204),
        ("project.**", "project.*", 204),
        ("**", "**", 204),
        ("**", "auth.user.7.notes", 204),
        ("project.*", "project.5", 204),
        ("project.*", "project.*", 204),
        ("project.*", "project.**", 403),
        ("project.*.**", "project.**", 403),
        ("project.5", "project.*", 403),
        ("project.5.**", "project.*.**", 403),
        ("project.5.**", "**", 403),
        ("auth.**", "auth.user.7", 403),
        ("auth.user.7", "auth.user.7", 204),
    ],
)
async def test_a_key_revokes_only_what_it_covers_whole(
    system: System,
    app: Application,
    limit: Limit,
    key: str,
    revoked: str,
    status: int,
) -> None:
    limit(key)
    answer = await system.request("DELETE", f"/users/7/groups/{revoked}")
    assert answer.status == status


# A73
async def test_a_stream_needs_the_scope_to_subscribe(
    app: Application, limit: Limit
) -> None:
    for scopes, type in ((SCOPES, "stream-open"), (SCOPES - {"subscribe"}, "error")):
        limit("news.*", scopes=scopes)
        event = await first(app, "/sse/groups/news.updates")
        assert event.type.endswith(type)
        assert event.data.get("condition", "forbidden") == "forbidden"


# A38
@each_operation
async def test_where_there_are_no_streams_nothing_is_known(
    system: System, scope: str, method: str, address: str, body: object
) -> None:
    answer = await system.request(method, address, body)
    answer.problem(503)
    assert int(answer.headers["Retry-After"]) >= 1


# A38, A60
@each_operation
async def test_while_the_broker_is_away_the_service_is_unavailable(
    system: System,
    settings: Settings,
    scope: str,
    method: str,
    address: str,
    body: object,
    nowhere: str,
) -> None:
    settings.SSE_COMPONENTS = {"BROKER_URL": nowhere}
    async with asyncio.timeout(5):
        answer = await system.request(method, address, body)
    assert "redis" not in json.dumps(answer.problem(503))
    assert int(answer.headers["Retry-After"]) >= 1
