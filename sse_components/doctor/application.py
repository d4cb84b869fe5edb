"""Whether the ASGI application is one that serves streams."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from typing import Any

from django.conf import settings
from django.core.exceptions import ImproperlyConfigured
from django.utils.module_loading import import_string

from sse_components import runtime
from sse_components.doctor.findings import Finding, error, ok
from sse_components.requests import Message

SUBJECT = "ASGI application"
ANSWER_SECONDS = 10
CURE = (
    "Have it be what sse_components.asgi.get_asgi_application() returns, or something "
    "that passes on to that."
)


def findings() -> Iterator[Finding]:
    """Tell whether it can be imported, and answers as ours does."""
    name = _name()
    try:
        application = import_string(name)
    except Exception as fault:  # it is the project's own code that is run
        yield error(
            SUBJECT,
            f"{name!r} can't be imported: {_said(fault)}",
            "Correct it, or ASGI_APPLICATION, which names it.",
        )
        return
    try:
        is_ours = asyncio.run(_is_ours(application))
    except ImproperlyConfigured:  # ours, which misses the browser client
        is_ours = True
    except Exception as fault:
        yield error(SUBJECT, f"{name!r} fails: {_said(fault)}", CURE)
        return
    if is_ours:
        yield ok(SUBJECT, f"{name!r} serves streams.")
    else:
        yield error(SUBJECT, f"{name!r} serves no streams.", CURE)


def _name() -> str:
    """Return what is served: as the settings say, or as `startproject` has it."""
    name: str | None = getattr(settings, "ASGI_APPLICATION", None)
    package, _, _ = (getattr(settings, "ROOT_URLCONF", None) or "").rpartition(".")
    return name or f"{package}.asgi.application".lstrip(".")


def _said(fault: Exception) -> str:
    return f"{type(fault).__name__}: {fault}".rstrip().rstrip(".") + "."


async def _is_ours(application: Any) -> bool:
    """Ask for a file that isn't there: Django says so with a page, and ours without.

    To ask for a stream would have this process serve streams.
    """
    path = f"{runtime.settings().prefix}static/-"
    answer = _Answer()
    scope = {
        "type": "http",
        "asgi": {"version": "3.0"},
        "http_version": "1.1",
        "method": "GET",
        "scheme": "http",
        "path": path,
        "raw_path": path.encode(),
        "query_string": b"",
        "root_path": "",
        "headers": [(b"host", b"localhost")],
        "client": ("127.0.0.1", 1),
        "server": ("localhost", 80),
    }
    async with asyncio.timeout(ANSWER_SECONDS):
        await application(scope, answer.receive, answer.send)
    return answer.status == 404 and answer.body == b""


class _Answer:
    """What an application says to one request without a body."""

    def __init__(self) -> None:
        self.status = 0
        self.body = b""
        self._asked = False

    async def receive(self) -> Message:
        if self._asked:
            await asyncio.get_running_loop().create_future()  # the client stays
        self._asked = True
        return {"type": "http.request", "body": b"", "more_body": False}

    async def send(self, message: Message) -> None:
        self.status = message.get("status", self.status)
        self.body += message.get("body", b"")
