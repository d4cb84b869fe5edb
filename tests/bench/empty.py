"""The project, and beside its API an endpoint that does nothing.

    uvicorn tests.bench.empty:application

`POST /api/bench/empty` takes the same keys as what publishes, counts against the same
rate and doesn't read its body. It is found right before the API's own addresses.
"""

from __future__ import annotations

from django.conf import settings
from django.http import HttpRequest
from django.urls import URLResolver, path

from project.asgi import application as application
from project.urls import urlpatterns as project


def _empty() -> URLResolver:
    from ninja import NinjaAPI  # late: these need the settings of the above

    from api.auth import needs
    from api.limits import Rate

    api = NinjaAPI(urls_namespace="bench", openapi_url=None, throttle=[Rate()])

    @api.post("/empty", **needs("publish"))
    async def empty(request: HttpRequest) -> dict[str, str]:
        return {}

    return path("api/bench/", api.urls)


*before, published = project
urlpatterns = [*before, _empty(), published]
settings.ROOT_URLCONF = __name__
