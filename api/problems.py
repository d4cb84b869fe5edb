"""Errors as problem details (RFC 9457), one shape for all of them."""

from __future__ import annotations

import json
import logging
from collections.abc import Callable, Iterable, Mapping
from functools import wraps
from http import HTTPStatus
from itertools import islice
from typing import Any

from asgiref.sync import iscoroutinefunction
from django.core.exceptions import RequestDataTooBig, SuspiciousOperation
from django.http import Http404, HttpRequest, HttpResponse
from ninja import NinjaAPI
from ninja.errors import AuthenticationError, HttpError, Throttled, ValidationError

from sse_components.errors import (
    BrokerUnavailable,
    IdempotencyConflict,
    InvalidEvent,
    InvalidPayload,
    KeysUnavailable,
    PayloadTooLarge,
)

from . import idempotency
from .access import Forbidden
from .schemas import FaultOut

MEDIA_TYPE = "application/problem+json"
RETRY_AFTER_SECONDS = 1
MOST_FAULTS = 100
"""Of one place; who has more has to begin with these."""
MOST_CHARACTERS = 500
"""Of a message, which may repeat what was given."""

logger = logging.getLogger("sse_components.api")


def answer(
    status: int, detail: str, faults: list[FaultOut] | None = None, **headers: str
) -> HttpResponse:
    """Return a problem; headers are given with _ for -."""
    problem = {
        "type": "about:blank",
        "title": HTTPStatus(status).phrase,
        "status": status,
        "detail": detail,
    }
    if faults:
        problem["errors"] = [fault.model_dump() for fault in faults]
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    return HttpResponse(
        json.dumps(problem), status=status, content_type=MEDIA_TYPE, headers=named
    )


def unavailable(detail: str) -> HttpResponse:
    """Return the problem of what may work in a moment."""
    return answer(503, detail, Retry_After=str(RETRY_AFTER_SECONDS))


def faults_of(errors: Iterable[Mapping[str, Any]], place: str = "") -> list[FaultOut]:
    """Return pydantic's errors as faults, below a place of the body."""
    return [
        FaultOut(
            pointer=place + _pointer(error["loc"]),
            message=error["msg"].removeprefix("Value error, ")[:MOST_CHARACTERS],
        )
        for error in islice(errors, MOST_FAULTS)
    ]


def fault_of(error: InvalidEvent, place: str = "") -> FaultOut:
    """Return what the library refused; the names have been validated before."""
    about_data = isinstance(error, InvalidPayload | PayloadTooLarge)
    return FaultOut(
        pointer=f"{place}/data" if about_data else place, message=str(error)
    )


def invalid_at(message: str, *place: object) -> ValidationError:
    """Return the error of a body whose place is invalid, although its shape is not."""
    return ValidationError([{"loc": ("body", "body", *place), "msg": message}])


def install(api: NinjaAPI) -> None:
    """Have every error of an API answered as a problem, none with internals."""

    @api.exception_handler(ValidationError)
    def invalid(request: HttpRequest, error: ValidationError) -> HttpResponse:
        places = [
            {**one, "loc": _without_argument(list(one["loc"]))}
            for one in error.errors[:MOST_FAULTS]
        ]
        return answer(422, "The request is not valid.", faults_of(places))

    @api.exception_handler(InvalidEvent)
    def not_an_event(request: HttpRequest, error: InvalidEvent) -> HttpResponse:
        return answer(422, str(error), [fault_of(error)])

    @api.exception_handler(PayloadTooLarge)
    def too_large(request: HttpRequest, error: PayloadTooLarge) -> HttpResponse:
        return answer(413, str(error))

    @api.exception_handler(RequestDataTooBig)
    def body_too_large(request: HttpRequest, error: Exception) -> HttpResponse:
        return answer(413, "The body is larger than the server takes.")

    @api.exception_handler(SuspiciousOperation)
    def suspicious(request: HttpRequest, error: Exception) -> HttpResponse:
        return answer(400, "The server doesn't take requests like this one.")

    @api.exception_handler(IdempotencyConflict)
    def conflict(request: HttpRequest, error: Exception) -> HttpResponse:
        fault = FaultOut(pointer=f"/{idempotency.NAME}", message=str(error))
        return answer(422, str(error), [fault])

    @api.exception_handler(AuthenticationError)
    def unauthorized(request: HttpRequest, error: Exception) -> HttpResponse:
        return answer(
            401,
            "A valid API key is needed: Authorization: Bearer <key>, or X-API-Key.",
            WWW_Authenticate="Bearer",
        )

    @api.exception_handler(Forbidden)
    def forbidden(request: HttpRequest, error: Forbidden) -> HttpResponse:
        return answer(403, str(error), error.faults)

    @api.exception_handler(Throttled)
    def throttled(request: HttpRequest, error: Throttled) -> HttpResponse:
        return answer(429, "This key has used up its rate.")

    @api.exception_handler(BrokerUnavailable)
    def broker_away(request: HttpRequest, error: Exception) -> HttpResponse:
        logger.warning("The broker is unavailable: %s", error)
        return unavailable("The broker can't be reached at the moment.")

    @api.exception_handler(KeysUnavailable)
    def keys_away(request: HttpRequest, error: Exception) -> HttpResponse:
        return unavailable("Whether the key is valid can't be known at the moment.")

    @api.exception_handler(HttpError)
    def other(request: HttpRequest, error: HttpError) -> HttpResponse:
        return answer(error.status_code, str(error))

    @api.exception_handler(Http404)
    def missing(request: HttpRequest, error: Http404) -> HttpResponse:
        return answer(404, "There is nothing at this address.")

    @api.exception_handler(Exception)
    def unexpected(request: HttpRequest, error: Exception) -> HttpResponse:
        logger.error("%s %r failed", request.method, request.path, exc_info=error)
        return answer(500, "The server failed; the reason is in its log.")


def explained(view: Callable[..., Any]) -> Callable[..., Any]:
    """Have a view say as a problem that it doesn't know a method, not in plain text."""
    if not iscoroutinefunction(view):  # Ninja's own two pages, which take any method
        return view

    @wraps(view)
    async def explaining(request: HttpRequest, **arguments: Any) -> HttpResponse:
        response: HttpResponse = await view(request, **arguments)
        if response.status_code != HTTPStatus.METHOD_NOT_ALLOWED:
            return response
        allowed = response["Allow"]
        return answer(405, f"This address takes {allowed}.", Allow=allowed)

    return explaining


def _without_argument(place: list[Any]) -> list[Any]:
    # Ninja puts first where a value comes from, and for a body then the name of the
    # view's argument, which the client knows nothing of.
    return place[2:] if place[:1] == ["body"] else place[1:]


def _pointer(place: Iterable[object]) -> str:
    parts = [str(part).replace("~", "~0").replace("/", "~1") for part in place]
    return "".join(f"/{part}" for part in parts)
