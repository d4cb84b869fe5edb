"""The API: its routers, its errors, its addresses."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from django.db import connections
from django.db.transaction import non_atomic_requests
from django.http import HttpRequest, HttpResponse
from django.urls import URLPattern, URLResolver
from django.views.decorators.csrf import csrf_exempt
from ninja import NinjaAPI
from ninja.operation import Operation

from sse_components import __version__

from . import counting, document, events, grants, groups, health, problems, users
from .auth import keys
from .limits import Rate


class Api(NinjaAPI):
    @property
    def urls(self) -> tuple[list[URLResolver | URLPattern], str, str]:
        """Ninja refuses a method past the exception handlers."""
        patterns, app, namespace = super().urls
        for pattern in patterns:
            if isinstance(pattern, URLPattern):
                view = problems.explained(pattern.callback)
                view = counting.counted(str(pattern.name), view)
                pattern.callback = _non_atomic(view)
        return patterns, app, namespace

    def get_openapi_operation_id(self, operation: Operation) -> str:
        """The function's name alone: its module has another name in the wheel."""
        return operation.view_func.__name__

    def get_openapi_schema(self, **kwargs: Any) -> Any:
        return document.completed(super().get_openapi_schema(**kwargs))


def _non_atomic(view: Callable[..., Any]) -> Callable[..., Any]:
    """Have no transaction around a view: Django has none for those that are async."""
    for alias in connections:
        view = non_atomic_requests(using=alias)(view)
    return view


api = Api(
    title="SSE components",
    version=__version__,
    description=document.DESCRIPTION,
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


@_non_atomic
@csrf_exempt
def unknown_address(request: HttpRequest) -> HttpResponse:
    """Answer below the API's addresses as the API does."""
    return problems.answer(404, "There is nothing at this address.")
