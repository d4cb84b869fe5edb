"""Django Channels: WebSocket consumers in a group, and a view that sends to it.

WebSockets, since that is what Channels offers for groups: its `AsyncHttpConsumer`, with
which SSE can be written, hears nothing of a group before its `handle` has returned, and
its connection ends then. Frames aren't compressed.

Both layers drop what exceeds a capacity of 100 events; it is raised. The one in memory
is for development and tests by its documentation; with Redis it is the first of the two
that channels-redis has, which is what the documentation of Channels configures.
"""

from __future__ import annotations

import os
from typing import Any

from channels.generic.websocket import AsyncWebsocketConsumer
from channels.layers import get_channel_layer
from channels.routing import ProtocolTypeRouter, URLRouter
from django.conf import settings
from django.core.asgi import get_asgi_application
from django.http import HttpRequest, HttpResponse
from django.urls import path

GROUP = "bench"
CAPACITY = 10_000


def in_memory() -> Any:
    """Return the application with the layer in memory."""
    return _application("channels.layers.InMemoryChannelLayer")


def through_redis() -> Any:
    """Return the application with the layer in the Redis at `REDIS_URL`."""
    # As before redis-py 8: otherwise idle consumers end after five seconds
    # (github.com/django/channels_redis/issues/422), and no 100 can leave at once.
    host = {
        "address": os.environ["REDIS_URL"],
        "socket_timeout": None,
        "max_connections": 2**31,
    }
    return _application("channels_redis.core.RedisChannelLayer", hosts=[host])


def _application(layer: str, **options: Any) -> Any:
    configuration = {"capacity": CAPACITY, **options}
    settings.configure(
        ALLOWED_HOSTS=["127.0.0.1"],
        CHANNEL_LAYERS={"default": {"BACKEND": layer, "CONFIG": configuration}},
        ROOT_URLCONF=__name__,
        SECRET_KEY="bench",
    )
    http = get_asgi_application()
    websocket = URLRouter([path("events", Subscriber.as_asgi())])
    return ProtocolTypeRouter({"http": http, "websocket": websocket})


class Subscriber(AsyncWebsocketConsumer):  # type: ignore[misc]
    """Is in the group from before it accepts until it is disconnected."""

    groups = [GROUP]

    async def bench_event(self, event: dict[str, str]) -> None:
        await self.send(text_data=event["text"])


async def publish(request: HttpRequest) -> HttpResponse:
    event = {"type": "bench.event", "text": request.body.decode()}
    await get_channel_layer().group_send(GROUP, event)
    return HttpResponse(status=202)


urlpatterns = [path("publish", publish)]
