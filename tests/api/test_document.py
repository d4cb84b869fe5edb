from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import pytest
from django.urls import clear_script_prefix, set_script_prefix
from openapi_spec_validator import OpenAPIV31SpecValidator
from pytest_django import Settings

from api import document as description
from sse_components.asgi import Application
from tests.api.schemas import Document, document, faults
from tests.communicator import request

STREAMS = {
    "/sse/stream": "open_stream",
    "/sse/groups/{group}": "open_group_stream",
    "/sse/ws": "open_socket",
}


@pytest.fixture(scope="module")
def described() -> Document:
    return document()


def operations(described: Document) -> Iterator[Document]:
    for path in described["paths"].values():
        yield from path.values()


def response(described: Document, operation: Document, status: str) -> Document:
    found: Document = operation["responses"][status]
    if "$ref" in found:
        found = described["components"]["responses"][found["$ref"].rpartition("/")[2]]
    return found


# A70
def test_the_document_is_valid_openapi(described: Document) -> None:
    assert described["openapi"].startswith("3.1.")
    OpenAPIV31SpecValidator(json.loads(json.dumps(described))).validate()


def test_the_document_is_the_same_each_time(described: Document) -> None:
    assert json.dumps(document()) == json.dumps(described)


def test_the_document_says_what_it_is_of(described: Document) -> None:
    info = described["info"]
    assert info["title"]
    assert info["description"]
    assert info["license"] == {"name": "MIT", "identifier": "MIT"}
    assert [server["url"] for server in described["servers"]] == ["/"]


def test_every_tag_is_described_and_used(described: Document) -> None:
    tags = {tag["name"]: tag["description"] for tag in described["tags"]}
    assert all(tags.values())
    assert {name for one in operations(described) for name in one["tags"]} == set(tags)


def test_who_is_to_wait_or_to_have_a_key_is_told_by_headers(
    described: Document,
) -> None:
    wanted = {"429": "Retry-After", "503": "Retry-After", "401": "WWW-Authenticate"}
    for operation in operations(described):
        for status in wanted.keys() & operation["responses"].keys():
            headers = response(described, operation, status)["headers"]
            assert headers[wanted[status]]["required"]


def test_no_parameter_can_be_null_and_all_are_explained_or_shown(
    described: Document,
) -> None:
    for operation in operations(described):
        for parameter in operation["parameters"]:
            assert "null" not in json.dumps(parameter["schema"])
            assert parameter.get("description") or parameter["schema"]["examples"]


def test_the_idempotency_key_is_explained_and_shown(described: Document) -> None:
    operation = described["paths"]["/api/v1/events"]["post"]
    (parameter,) = operation["parameters"]
    assert parameter["name"] == "Idempotency-Key"
    assert "5 minutes" in parameter["description"]
    assert parameter["schema"]["type"] == "string"
    assert parameter["schema"]["examples"]


def test_every_body_is_shown_by_an_example(described: Document) -> None:
    for operation in operations(described):
        answers = [
            response(described, operation, status) for status in operation["responses"]
        ]
        for body in [operation.get("requestBody", {}), *answers]:
            for media_type, content in body.get("content", {}).items():
                assert "example" in content or media_type == "text/plain"


def test_every_example_is_what_its_schema_says(described: Document) -> None:
    components = described["components"]
    count = 0
    for place, schema, value in examples(described):
        assert faults(schema, components, value) == [], place
        count += 1
    assert count > 100


def examples(part: Any, place: str = "") -> Iterator[tuple[str, Any, Any]]:
    """Find all examples in a part of the document, each with its schema."""
    if isinstance(part, list):
        for index, item in enumerate(part):
            yield from examples(item, f"{place}/{index}")
    elif isinstance(part, dict):
        if "schema" in part and "example" in part:
            yield place, part["schema"], part["example"]
        if isinstance(part.get("examples"), list):
            for value in part["examples"]:
                yield place, part, value
        for name, item in part.items():
            if name not in ("example", "examples"):
                yield from examples(item, f"{place}/{name}")


@pytest.mark.parametrize("name", description.EXAMPLES)
def test_what_is_shown_by_hand_is_a_schema_of_the_document(
    name: str, described: Document
) -> None:
    assert name in described["components"]["schemas"]


def test_the_document_lists_the_streams(described: Document) -> None:
    listed = {
        path: methods["get"]["operationId"]
        for path, methods in described["paths"].items()
        if methods.get("get", {}).get("tags") == ["streams"]
    }
    assert listed == STREAMS


def test_streams_are_where_the_setting_and_the_server_have_them(
    settings: Settings,
) -> None:
    settings.SSE_COMPONENTS = {"PREFIX": "/live/events/"}
    set_script_prefix("/mounted/")
    try:
        paths = document()["paths"]
    finally:
        clear_script_prefix()
    assert "/mounted/live/events/groups/{group}" in paths
    assert "/mounted/api/v1/events" in paths
    assert not any("/sse/" in path for path in paths)


@pytest.mark.parametrize(
    ("headers", "status"),
    [
        ({}, 200),
        ({"Last-Event-ID": "error"}, 204),
        ({"Host": "elsewhere.example"}, 400),
        ({"Origin": "https://elsewhere.example"}, 403),
    ],
)
@pytest.mark.parametrize("path", ["/sse/stream", "/sse/groups/{group}"])
async def test_a_stream_is_answered_as_the_document_says(
    path: str,
    headers: dict[str, str],
    status: int,
    app: Application,
    described: Document,
) -> None:
    address = path.replace("{group}", "chat.room")
    async with request(app, address, headers) as exchange:
        assert exchange.status == status
        media_type = exchange.headers.get("content-type", "").partition(";")[0]
    responses = described["paths"][path]["get"]["responses"]
    assert set(responses) == {"200", "204", "400", "403"}
    assert list(responses[str(status)].get("content", {"": None})) == [media_type]


async def test_the_example_of_a_stream_is_how_one_begins(
    app: Application, described: Document
) -> None:
    async with request(app, "/sse/groups/chat.room") as exchange:
        await exchange.until("keep-alive")
    answer = described["paths"]["/sse/stream"]["get"]["responses"]["200"]
    shown = answer["content"]["text/event-stream"]["example"]
    begun = [line.partition(":")[0] for line in exchange.body.decode().split("\n")]
    assert [line.partition(":")[0] for line in shown.split("\n")][: len(begun) - 1] == (
        begun[:-1]
    )
