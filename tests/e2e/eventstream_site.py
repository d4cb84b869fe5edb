"""A site that uses django-eventstream and knows nothing of us but its settings."""

from __future__ import annotations

import os
from collections.abc import Callable
from threading import Thread
from typing import Any

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "project.settings")

from django.conf import settings
from django.http import HttpRequest, HttpResponse
from django.urls import include, path
from django_eventstream import (  # type: ignore[import-untyped]
    get_current_event_id,
    send_event,
)

from sse_components import ComponentDispatcher, runtime
from sse_components.asgi import get_asgi_application
from sse_components.components.page import page_of
from sse_components.grants import fingerprint
from sse_components.revocations import Whose


def from_a_sync_view(request: HttpRequest) -> HttpResponse:
    try:
        _send(request)
    except ValueError as error:
        return HttpResponse(str(error), status=400)
    return HttpResponse()


async def from_an_async_view(request: HttpRequest) -> HttpResponse:
    _send(request)
    return HttpResponse()


def from_a_thread(request: HttpRequest) -> HttpResponse:
    thread = Thread(target=_send, args=[request])
    thread.start()
    thread.join()
    return HttpResponse()


def from_our_dispatcher(request: HttpRequest) -> HttpResponse:
    ComponentDispatcher.sync.publish(request.GET["group"], "stock", {"n": 1})
    return HttpResponse()


def ids_in_a_sync_view(request: HttpRequest) -> HttpResponse:
    return HttpResponse(get_current_event_id([request.GET["group"]]))


async def ids_in_an_async_view(request: HttpRequest) -> HttpResponse:
    """The function waits, and blocks the loop that the streams are on meanwhile."""
    return HttpResponse(get_current_event_id([request.GET["group"]]))


def grant(request: HttpRequest) -> HttpResponse:
    """Give what a page would have for a browser whose cookie is `me`."""
    groups = request.GET.getlist("group")
    whose = Whose(page_of(request).position, browser=fingerprint("me"))
    return HttpResponse(runtime.grants().issue(groups, whose)[0])


def _send(request: HttpRequest) -> None:
    """Send the body to a group, as JSON or as it is."""
    data: Any = request.body.decode()
    is_text = "text" in request.GET
    type = request.GET.get("type", "message")
    value = data if is_text else {"n": data}
    send_event(request.GET["group"], type, value, json_encode=not is_text)


VIEWS: list[Callable[..., Any]] = [
    from_a_sync_view,
    from_an_async_view,
    from_a_thread,
    from_our_dispatcher,
    ids_in_a_sync_view,
    ids_in_an_async_view,
    grant,
]
settings.ROOT_URLCONF = __name__
settings.MIDDLEWARE = [m for m in settings.MIDDLEWARE if "csrf" not in m]
application = get_asgi_application()
urlpatterns = [
    path("api/", include("api.urls")),  # by which a test sees that the site is up
    path("events/", include("django_eventstream.urls")),
    *(path(view.__name__, view) for view in VIEWS),
]
