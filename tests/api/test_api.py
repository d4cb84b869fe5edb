from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

import pytest
from django.contrib.staticfiles import finders
from django.db import connections
from django.test import AsyncClient
from django.urls import URLPattern, URLResolver
from django.urls.resolvers import RoutePattern

from api import urls
from sse_components import __version__

OPERATIONS = {
    ("post", "/api/v1/groups/{group}/data-changed"): "data_changed",
    ("post", "/api/v1/groups/{group}/notify"): "notify",
    ("post", "/api/v1/groups/{group}/component-created"): "component_created",
    ("post", "/api/v1/groups/{group}/component-removed"): "component_removed",
    ("post", "/api/v1/events"): "publish_events",
    ("get", "/api/v1/groups"): "list_groups",
    ("get", "/api/v1/groups/{group}"): "group_counts",
    ("get", "/api/v1/groups/{group}/members"): "group_members",
    ("get", "/api/v1/groups/{group}/events"): "group_events",
    ("post", "/api/v1/users/{user}/data-changed"): "user_data_changed",
    ("post", "/api/v1/users/{user}/notify"): "user_notify",
    ("get", "/api/v1/users/{user}/status"): "user_status",
    ("post", "/api/v1/users/status"): "user_statuses",
    ("post", "/api/v1/users/{user}/disconnect"): "disconnect_user",
    ("delete", "/api/v1/users/{user}/groups/{group}"): "revoke_group",
    ("post", "/api/v1/grants"): "issue_grant",
    ("get", "/api/v1/health/live"): "health_live",
    ("get", "/api/v1/health/ready"): "health_ready",
}
ERRORS = {"401", "403", "422", "429", "503"}
ERRORS_WITH_BODY = ERRORS | {"400", "413"}
ANSWERS = {
    "data_changed": {"202"} | ERRORS_WITH_BODY,
    "notify": {"202"} | ERRORS_WITH_BODY,
    "component_created": {"202"} | ERRORS_WITH_BODY,
    "component_removed": {"202"} | ERRORS_WITH_BODY,
    "publish_events": {"202"} | ERRORS_WITH_BODY,
    "list_groups": {"200"} | ERRORS,
    "group_counts": {"200"} | ERRORS,
    "group_members": {"200"} | ERRORS,
    "group_events": {"200"} | ERRORS,
    "user_data_changed": {"202"} | ERRORS_WITH_BODY,
    "user_notify": {"202"} | ERRORS_WITH_BODY,
    "user_status": {"200"} | ERRORS,
    "user_statuses": {"200"} | ERRORS_WITH_BODY,
    "disconnect_user": {"202"} | ERRORS,
    "revoke_group": {"204"} | ERRORS,
    "issue_grant": {"201"} | ERRORS_WITH_BODY,
    "health_live": {"200"},
    "health_ready": {"200", "503"},
}
SCOPES = {
    "data_changed": "publish",
    "notify": "publish",
    "component_created": "publish",
    "component_removed": "publish",
    "publish_events": "publish",
    "list_groups": "read",
    "group_counts": "read",
    "group_members": "read",
    "group_events": "read",
    "user_data_changed": "publish",
    "user_notify": "publish",
    "user_status": "read",
    "user_statuses": "read",
    "disconnect_user": "manage",
    "revoke_group": "manage",
    "issue_grant": "subscribe",
}
WITHOUT_CONTENT = {"disconnect_user", "revoke_group"}


def urlpatterns() -> Iterator[URLPattern]:
    """All below the address at which the API is included."""
    nested = URLResolver(RoutePattern(""), urls).url_patterns
    for pattern in nested:
        below = pattern.url_patterns if isinstance(pattern, URLResolver) else [pattern]
        yield from (one for one in below if isinstance(one, URLPattern))


@pytest.fixture
async def document() -> dict[str, Any]:
    response = await AsyncClient().get("/api/openapi.json")
    assert response.status_code == 200
    document: dict[str, Any] = response.json()
    return document


def operations(document: dict[str, Any]) -> dict[tuple[str, str], dict[str, Any]]:
    """Return all but the streams, of which tests/api/test_document.py tells."""
    return {
        (method, path): operation
        for path, methods in document["paths"].items()
        for method, operation in methods.items()
        if path.startswith("/api/")
    }


# A37
async def test_the_document_lists_every_operation(document: dict[str, Any]) -> None:
    listed = operations(document)
    assert {key: one["operationId"] for key, one in listed.items()} == OPERATIONS
    assert all(one["summary"] and one["description"] for one in listed.values())


def test_no_view_is_in_a_transaction_which_django_refuses_to_async_ones() -> None:
    views = [pattern.callback for pattern in urlpatterns()]
    assert len(views) > len(OPERATIONS)
    for view in views:
        assert vars(view)["_non_atomic_requests"] >= set(connections)


def test_every_address_below_v1_is_listed() -> None:
    routes = {
        re.sub("<(?:str:)?([^>]+)>", r"{\1}", str(pattern.pattern))
        for pattern in urlpatterns()
    }
    below = {f"/api/{route}" for route in routes if route.startswith("v1/")}
    assert below == {path for _, path in OPERATIONS}


async def test_every_operation_lists_its_errors_as_problems(
    document: dict[str, Any],
) -> None:
    for operation in operations(document).values():
        responses = dict(operation["responses"])
        name = operation["operationId"]
        assert responses.keys() == ANSWERS[name]
        success = responses.pop(min(responses))
        media_types = set() if name in WITHOUT_CONTENT else {"application/json"}
        assert success.get("content", {}).keys() == media_types
        for response in responses.values():
            _, _, shared = response["$ref"].rpartition("#/components/responses/")
            (media_type,) = document["components"]["responses"][shared]["content"]
            assert media_type == "application/problem+json"


async def test_every_operation_that_publishes_takes_an_idempotency_key(
    document: dict[str, Any],
) -> None:
    for operation in operations(document).values():
        if SCOPES.get(operation["operationId"]) != "publish":
            continue
        names = [(one["in"], one["name"]) for one in operation["parameters"]]
        assert [name for name in names if name[0] != "path"] == [
            ("header", "Idempotency-Key")
        ]


# A73
async def test_every_operation_but_a_probe_needs_a_key_with_its_scope_in_either_header(
    document: dict[str, Any],
) -> None:
    for (_, path), operation in operations(document).items():
        if path.startswith("/api/v1/health/"):
            assert "security" not in operation
            continue
        scope = SCOPES[operation["operationId"]]
        assert operation["security"] == [{"Bearer": [scope]}, {"Header": [scope]}]
        assert f"`{scope}`" in operation["description"]
        assert "x-scope" not in operation
    schemes = document["components"]["securitySchemes"]
    assert all(scheme.pop("description") for scheme in schemes.values())
    assert schemes == {
        "Bearer": {"type": "http", "scheme": "bearer"},
        "Header": {"type": "apiKey", "in": "header", "name": "X-API-Key"},
    }


async def test_every_operation_shows_by_examples_what_it_takes(
    document: dict[str, Any],
) -> None:
    schemas = document["components"]["schemas"]
    for operation in operations(document).values():
        for parameter in operation["parameters"]:
            assert "examples" not in parameter  # it is a mapping there
            assert parameter["in"] == "header" or parameter["schema"]["examples"]
        if body := operation.get("requestBody"):
            content = body["content"]["application/json"]
            reference = content["schema"]["$ref"]
            (example,) = schemas[reference.rpartition("/")[2]]["examples"]
            assert content["example"] == example


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
    assets = re.findall(
        r"""<(?:script|link) [^>]*?(?:src|href)=["']([^"']+)["']""", page
    )
    assert len(assets) == page.count("<script src") + page.count("<link")
    assert any(asset.endswith(".js") for asset in assets)
    for asset in assets:
        assert asset.startswith("/static/")
        assert finders.find(asset.removeprefix("/static/"))
