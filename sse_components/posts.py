"""What a page's script posts: a token against forgery, JSON both ways, coded errors."""

from __future__ import annotations

import json
import logging
from collections.abc import Callable, Mapping
from functools import wraps
from typing import Any, Concatenate, Final, ParamSpec, cast

from django.conf import settings
from django.core.exceptions import RequestDataTooBig
from django.http import (
    HttpRequest,
    HttpResponse,
    HttpResponseForbidden,
    RawPostDataException,
)
from django.middleware.csrf import CsrfViewMiddleware, get_token
from django.utils.decorators import decorator_from_middleware
from django.views.decorators.csrf import csrf_exempt
from django.views.decorators.http import require_POST

from sse_components import operations, wire

P = ParamSpec("P")

_HEADER: Final = "HTTP_X_CSRFTOKEN"

logger = logging.getLogger("sse_components.components")


class Refused(Exception):
    """Answered with a status, a code for programs and a detail for people."""

    def __init__(self, status: int, code: str, detail: str, **more: object) -> None:
        self.status = status
        self.answer = {"code": code, "detail": detail, **more}


def posted(
    view: Callable[Concatenate[HttpRequest, P], HttpResponse],
) -> Callable[Concatenate[HttpRequest, P], HttpResponse]:
    """Make a view of a function that returns an `answer`, or raises `Refused`."""

    @wraps(view)
    def answered(
        request: HttpRequest, *args: P.args, **kwargs: P.kwargs
    ) -> HttpResponse:
        try:
            return view(request, *args, **kwargs)
        except Refused as refused:
            return answer(refused.answer, refused.status)

    protected = decorator_from_middleware(_Csrf)(require_POST(answered))
    # From the project's own middleware, which answers with a page.
    return cast(
        "Callable[Concatenate[HttpRequest, P], HttpResponse]", csrf_exempt(protected)
    )


def answer(content: Mapping[str, Any], status: int = 200) -> HttpResponse:
    """Return what is answered; raises `InvalidPayload`."""
    body = wire.dumps(content, operations.encode)
    return HttpResponse(body, status=status, content_type="application/json")


def body_of(request: HttpRequest) -> dict[str, Any]:
    """Return the JSON object that was posted; raises `Refused`."""
    try:
        body = json.loads(request.body)
        wire.dumps(body)  # neither NaN nor halves of characters, which Python reads
    except RequestDataTooBig:
        raise Refused(
            413, "size", "The call is larger than the server takes."
        ) from None
    except (ValueError, RecursionError, RawPostDataException):  # a form has been read
        raise Refused(400, "body", "The body is not JSON.") from None
    if not isinstance(body, dict):
        raise Refused(400, "body", "The body is not an object.")
    return body


class _Csrf(CsrfViewMiddleware):
    """Django's, whether or not the project has it, with an answer like the others."""

    def process_view(
        self,
        request: HttpRequest,
        callback: Callable[..., Any],
        callback_args: tuple[Any, ...],
        callback_kwargs: dict[str, Any],
    ) -> HttpResponseForbidden | None:
        if _HEADER in request.META:  # the page's script knows only Django's own name
            request.META.setdefault(settings.CSRF_HEADER_NAME, request.META[_HEADER])
        return super().process_view(request, callback, callback_args, callback_kwargs)

    def _reject(self, request: HttpRequest, reason: str) -> HttpResponse:
        logger.warning("Refused a call: %s", reason)
        detail = "The token of the page does not fit the cookie."
        # A login in another tab has changed it. No other site can read this answer.
        content = {"code": "csrf", "detail": detail, "csrf": get_token(request)}
        return answer(content, 403)
