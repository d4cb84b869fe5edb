from __future__ import annotations

import re
from typing import Any

import pytest
from django.contrib.staticfiles import finders
from django.test import AsyncClient
from django.urls import URLPattern

from api.api import api
from sse_components import __version__

OPERATIONS = {
    ("post", "/api/v1/groups/{group}/data-changed"): "data_changed",
    ("post", "/api/v1/groups/{group}/notify"): "notify",
    ("post", "/api/v1/groups/{group}/component-created"): "component_created",
    ("post", "/api/v1/groups/{group}/component-removed"): "component_removed",
    ("post", "/api/v1/events"): "publish_events",
    ("get", "/api/v1/health/live"): "health_live",
    ("get", "/api/v1/health/ready"): "health_ready",
}
ANSWERS = {
    "post": {"202", "400", "401", "413", "422", "429", "503"},
    "health_live": {"200"},
    "health_ready": {"200", "503"},
}
"""By operation, or for all with a method."""


@pytest.fixture
async def document() -> dict[str, Any]:
    response = await AsyncClient().get("/api/openapi.json")
    assert response.status_code == 200
    document: dict[str, Any] = response.json()
    return document


def operations(document: dict[str, Any]) -> dict[tuple[str, str], dict[str, Any]]:
    return {
        (method, path): operation
        for path, methods in document["paths"].items()
        for method, operation in methods.items()
    }


# A37
async def test_the_document_lists_every_operation(document: dict[str, Any]) -> None:
    listed = operations(document)
    assert {key: one["operationId"] for key, one in listed.items()} == OPERATIONS
    assert all(one["summary"] and one["description"] for one in listed.values())


def test_every_address_below_v1_is_listed() -> None:
    routes = {
        re.sub("<(?:str:)?([^>]+)>", r"{\1}", str(pattern.pattern))
        for pattern in api.urls[0]
        if isinstance(pattern, URLPattern)
    }
    below = {f"/api/{route}" for route in routes if route.startswith("v1/")}
    assert below == {path for _, path in OPERATIONS}


async def test_every_operation_lists_its_errors_as_problems(
    document: dict[str, Any],
) -> None:
    for (method, _), operation in operations(document).items():
        responses = dict(operation["responses"])
        name = operation["operationId"]
        assert responses.keys() == ANSWERS.get(name, ANSWERS.get(method))
        success = responses.pop(min(responses))
        assert success["content"].keys() == {"application/json"}
        for response in responses.values():
            assert response["content"] == {
                "application/problem+json": {
                    "schema": {"$ref": "#/components/schemas/ProblemOut"}
                }
            }


async def test_every_operation_that_publishes_takes_an_idempotency_key(
    document: dict[str, Any],
) -> None:
    for (method, _), operation in operations(document).items():
        if method != "post":
            continue
        names = [(one["in"], one["name"]) for one in operation["parameters"]]
        assert [name for name in names if name[0] != "path"] == [
            ("header", "Idempotency-Key")
        ]


async def test_every_operation_but_a_probe_needs_a_key_in_either_header(
    document: dict[str, Any],
) -> None:
    for (_, path), operation in operations(document).items():
        if path.startswith("/api/v1/health/"):
            assert "security" not in operation
            continue
        assert operation["security"] == [{"Bearer": []}, {"Header": []}]
    assert document["components"]["securitySchemes"] == {
        "Bearer": {"type": "http", "scheme": "bearer"},
        "Header": {"type": "apiKey", "in": "header", "name": "X-API-Key"},
    }


async def test_every_reference_of_the_document_leads_somewhere(
    document: dict[str, Any],
) -> None:
    references = re.findall(r"#/components/schemas/(\w+)", str(document))
    assert references
    assert set(references) == document["components"]["schemas"].keys()


async def test_the_document_has_the_version_of_the_package(
    document: dict[str, Any],
) -> None:
    assert document["info"]["version"] == __version__


async def test_the_docs_page_comes_with_all_its_assets() -> None:
    response = await AsyncClient().get("/api/docs")
    assert response.status_code == 200
    page = response.content.decode()
    assert "//" not in page
    assert '"/api/openapi.json"' in page
    assets = re.findall(r"""(?:src|href)=["']([^"']+)["']""", page)
    assert len(assets) == page.count("<script src") + page.count("<link")
    assert any(asset.endswith(".js") for asset in assets)
    for asset in assets:
        assert asset.startswith("/static/")
        assert finders.find(asset.removeprefix("/static/"))
