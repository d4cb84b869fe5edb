"""Counts the answers of each operation, for the metrics of the process."""

from __future__ import annotations

import time
from collections.abc import Callable
from functools import wraps
from typing import Any

from asgiref.sync import iscoroutinefunction
from django.http import HttpRequest, HttpResponse

from sse_components import runtime


def counted(operation: str, view: Callable[..., Any]) -> Callable[..., Any]:
    """Return a view whose answers are counted; what it raises isn't one."""
    if not iscoroutinefunction(view):  # Ninja's own two pages
        return view

    @wraps(view)
    async def counting(request: HttpRequest, **arguments: Any) -> HttpResponse:
        begun = time.monotonic()
        response: HttpResponse = await view(request, **arguments)
        seconds = time.monotonic() - begun
        runtime.requests().add(operation, response.status_code, seconds)
        return response

    return counting
