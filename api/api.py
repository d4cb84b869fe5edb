"""The API: its routers, its errors, its document."""

from __future__ import annotations

from typing import Any

from django.http import HttpRequest, HttpResponse
from django.urls import URLPattern, URLResolver
from django.views.decorators.csrf import csrf_exempt
from ninja import NinjaAPI
from ninja.operation import Operation

from sse_components import __version__

from . import events, grants, groups, health, problems, users
from .auth import DECLARED, keys
from .limits import Rate

DESCRIPTION = """Publish changes to live pages from any system, and see who is there.

What is published to a group arrives at once in every browser that is subscribed to it,
as a server-sent event: `GET /sse/groups/{group}` is the stream of one group,
`GET /sse/stream?group=...&group=...` of several. Both take the same API keys and resume
after `Last-Event-ID`. Errors are problem details (RFC 9457)."""


class Api(NinjaAPI):
    @property
    def urls(self) -> tuple[list[URLResolver | URLPattern], str, str]:
        """Ninja refuses a method past the exception handlers."""
        patterns, app, namespace = super().urls
        for pattern in patterns:
            if isinstance(pattern, URLPattern):
                pattern.callback = problems.explained(pattern.callback)
        return patterns, app, namespace

    def get_openapi_operation_id(self, operation: Operation) -> str:
        """The function's name alone: its module has another name in the wheel."""
        return operation.view_func.__name__

    def get_openapi_schema(self, **kwargs: Any) -> Any:
        """Ninja knows no scopes, one media type, and lists a parameter's examples."""
        document = super().get_openapi_schema(**kwargs)
        for path in document["paths"].values():
            for operation in path.values():
                _say_scope(operation)
                _say_media_type(operation)
                for parameter in operation["parameters"]:
                    # A mapping by OpenAPI 3.1; the list is the schema's.
                    parameter.pop("examples", None)
        return document


def _say_scope(operation: dict[str, Any]) -> None:
    if scope := operation.pop(DECLARED, None):
        # Of keys, OpenAPI 3.1 lets a requirement list the roles that they need.
        operation["security"] = [
            {name: [scope] for name in scheme} for scheme in operation["security"]
        ]
        operation["description"] += f"\n\nThe key needs the scope `{scope}`."


def _say_media_type(operation: dict[str, Any]) -> None:
    for status, response in operation["responses"].items():
        content = response.get("content", {})
        if int(status) >= 400 and "application/json" in content:
            content[problems.MEDIA_TYPE] = content.pop("application/json")


api = Api(
    title="SSE components",
    version=__version__,
    description=DESCRIPTION,
    urls_namespace="sse_components_api",
    auth=keys("manage"),  # of an operation that declares nothing
    throttle=[Rate()],
)
problems.install(api)
api.add_router("v1/groups", groups.router)
api.add_router("v1/events", events.router)
api.add_router("v1/users", users.router)
api.add_router("v1/grants", grants.router)
api.add_router("v1/health", health.router)


@csrf_exempt
def unknown_address(request: HttpRequest) -> HttpResponse:
    """Answer below the API's addresses as the API does."""
    return problems.answer(404, "There is nothing at this address.")
