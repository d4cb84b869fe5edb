from __future__ import annotations

import logging

import pytest
from django.http import Http404
from django.test import RequestFactory
from pytest_django import Settings

from api.api import api
from sse_components.hub import Hub
from tests.api.clients import Answer, System
from tests.api.conftest import Heard

ADDRESSES = [
    "/groups/news.updates/data-changed",
    "/groups/news.updates/notify",
    "/groups/news.updates/component-created",
    "/groups/news.updates/component-removed",
    "/events",
]
BODIES = {
    "/groups/news.updates/notify": {"event_name": "tetra:alert"},
    "/events": {"events": [{"type": "component.created", "group": "news.updates"}]},
}
DATA_CHANGED = ADDRESSES[0]
ENVELOPE = len('{"data":{"text":""},"update":false}')


@pytest.mark.parametrize("address", ADDRESSES)
@pytest.mark.parametrize(
    "body",
    [b"{", b"{'data': {}}", b"data=1", b"\xff{}", b'{"data": {}} {}', 100_000 * b"["],
    ids=["cut", "quotes", "form", "bytes", "more", "deep"],
)
async def test_a_body_that_is_not_json_is_a_bad_request(
    system: System, heard: Heard, address: str, body: bytes
) -> None:
    answer = await system.post(address, body)
    answer.problem(400)
    assert await heard() == []


@pytest.mark.parametrize("method", ["GET", "POST", "PUT", "DELETE"])
@pytest.mark.parametrize(
    "address", ["", "/", "/nothing", "/events/", "/groups/news.updates/unheard-of"]
)
async def test_an_unknown_address_is_a_problem_too(
    system: System, method: str, address: str
) -> None:
    answer = await system.request(method, address)
    answer.problem(404)


async def test_an_unknown_address_needs_no_key(system: System) -> None:
    (await System(headers={}).post("/nothing", {})).problem(404)


@pytest.mark.parametrize("address", ADDRESSES)
@pytest.mark.parametrize("method", ["GET", "PUT", "PATCH", "DELETE", "OPTIONS"])
async def test_another_method_is_refused_with_those_allowed(
    system: System, method: str, address: str
) -> None:
    answer = await system.request(method, address)
    answer.problem(405)
    assert answer.headers["Allow"] == "POST"


@pytest.mark.parametrize("text", ["x", "é"])
async def test_a_payload_of_64_kib_is_published_and_one_more_byte_is_not(
    system: System, heard: Heard, text: str
) -> None:
    room = 64 * 1024 - ENVELOPE
    longest = text * (room // len(text.encode()))
    longest += "x" * (room - len(longest.encode()))
    assert (await system.post(DATA_CHANGED, {"data": {"text": longest}})).id
    answer = await system.post(DATA_CHANGED, {"data": {"text": longest + "x"}})
    assert "65537" in answer.problem(413)["detail"]
    assert [len(event.payload) for event in await heard()] == [65536]


@pytest.mark.parametrize("address", ADDRESSES)
async def test_a_body_over_what_django_takes_is_too_large(
    system: System, heard: Heard, settings: Settings, address: str
) -> None:
    settings.DATA_UPLOAD_MAX_MEMORY_SIZE = 100
    answer = await system.post(address, {"data": {"text": 100 * "x"}})
    answer.problem(413)
    assert await heard() == []


# A37
@pytest.mark.parametrize(
    ("operation", "body", "pointers"),
    [
        ("data-changed", {"data": "text"}, ["/data"]),
        ("data-changed", {"data": None}, ["/data"]),
        ("data-changed", {"update": "yes"}, ["/update"]),
        ("data-changed", {"update": 1}, ["/update"]),
        ("data-changed", {"sender": "tab"}, ["/sender"]),
        ("data-changed", {"sender": "tab.request\n"}, ["/sender"]),
        ("data-changed", {"sender": f"tab.{65 * 'x'}"}, ["/sender"]),
        ("data-changed", {"dta": {}}, ["/dta"]),
        ("data-changed", {"a/b~c": 1}, ["/a~1b~0c"]),
        ("data-changed", {"data": 1, "update": 2}, ["/data", "/update"]),
        ("data-changed", {"data": {"a": float("nan")}}, ["/data"]),
        ("data-changed", {"data": {"a": "\ud800"}}, ["/data"]),
        ("data-changed", [], [""]),
        ("data-changed", None, [""]),
        ("data-changed", b"", [""]),
        ("notify", {}, ["/event_name"]),
        ("notify", {"event_name": None}, ["/event_name"]),
        ("notify", {"event_name": ""}, ["/event_name"]),
        ("notify", {"event_name": 201 * "x"}, ["/event_name"]),
        ("notify", {"event_name": "a\r"}, ["/event_name"]),
        ("notify", {"event_name": "a\n"}, ["/event_name"]),
        ("notify", {"event_name": "a\0"}, ["/event_name"]),
        ("notify", {"event_name": "\ud800"}, ["/event_name"]),
        ("component-created", {"component_id": 7}, ["/component_id"]),
        ("component-created", {"component_id": 401 * "x"}, ["/component_id"]),
        ("component-created", {"key": "7"}, ["/key"]),
        ("component-removed", {"key": ""}, ["/key"]),
        ("component-removed", {"key": 7}, ["/key"]),
        ("component-removed", {"data": {}}, ["/data"]),
    ],
)
async def test_an_invalid_body_is_refused_with_pointers(
    system: System, heard: Heard, operation: str, body: object, pointers: list[str]
) -> None:
    answer = await system.post(f"/groups/news.updates/{operation}", body)
    assert answer.pointers == pointers
    assert await heard() == []


# A38
@pytest.mark.parametrize("address", ADDRESSES)
async def test_while_nobody_can_hear_the_service_is_unavailable(
    system: System, address: str, caplog: pytest.LogCaptureFixture
) -> None:
    answer = await system.post(address, BODIES.get(address, {}))
    problem = answer.problem(503)
    assert int(answer.headers["Retry-After"]) >= 1
    assert "BROKER_URL" not in problem["detail"]
    assert "BROKER_URL" in caplog.text


# A38
async def test_when_somebody_can_hear_the_service_is_available(
    system: System, hub: Hub
) -> None:
    assert (await system.post(DATA_CHANGED, {})).id


@pytest.mark.parametrize("debug", [False, True])
@pytest.mark.parametrize("address", ADDRESSES)
async def test_a_failure_of_the_server_stays_in_its_log(
    system: System,
    settings: Settings,
    caplog: pytest.LogCaptureFixture,
    address: str,
    debug: bool,
) -> None:
    settings.DEBUG = debug
    settings.MIDDLEWARE = []  # ours would stumble over it first
    settings.SSE_COMPONENTS = {"UNHEARD_OF": 1}
    answer = await system.post(address, BODIES.get(address, {}))
    answer.problem(500)
    assert "UNHEARD_OF" not in answer.text
    assert "Traceback" not in answer.text
    (record,) = [r for r in caplog.records if r.name == "sse_components.api"]
    assert record.levelno == logging.ERROR
    assert address in record.getMessage()
    assert record.exc_info
    assert "UNHEARD_OF" in str(record.exc_info[1])


@pytest.mark.parametrize("debug", [False, True])
def test_what_an_operation_does_not_find_is_a_problem_without_internals(
    settings: Settings, debug: bool
) -> None:
    settings.DEBUG = debug
    request = RequestFactory().get("/api/v1/groups/news.updates")
    response = api.on_exception(request, Http404("No Key matches the query."))
    text = response.content.decode()
    Answer(response.status_code, response.headers, text).problem(404)
    assert "query" not in text
