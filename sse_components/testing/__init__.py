"""The door for tests of projects: what is published, rendered and streamed."""

from __future__ import annotations

from sse_components.testing.captures import capture_events
from sse_components.testing.clients import StreamError
from sse_components.testing.frames import ReceivedEvent
from sse_components.testing.published import (
    Events,
    PublishedEvent,
    assert_nothing_published,
    assert_published,
)
from sse_components.testing.rendering import CallRefused, Rendering, render_component
from sse_components.testing.sockets import WebSocketClient
from sse_components.testing.streams import StreamClient, streams

__all__ = [
    "CallRefused",
    "Events",
    "PublishedEvent",
    "ReceivedEvent",
    "Rendering",
    "StreamClient",
    "StreamError",
    "WebSocketClient",
    "assert_nothing_published",
    "assert_published",
    "capture_events",
    "render_component",
    "streams",
]
