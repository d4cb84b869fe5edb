"""Calls from a page: a public method, or a refresh."""

from __future__ import annotations

import inspect
import json
import logging
from collections.abc import Mapping
from typing import Any

from django.conf import settings
from django.core.cache import cache
from django.core.exceptions import (
    ObjectDoesNotExist,
    PermissionDenied,
    RequestDataTooBig,
)
from django.http import Http404, HttpRequest, HttpResponse
from django.utils.translation import override
from django.views.decorators.http import require_POST
from pydantic import ValidationError

from sse_components import operations, wire
from sse_components.components import registry
from sse_components.components import state as states
from sse_components.components.base import ReactiveComponent
from sse_components.components.page import Page, page_of
from sse_components.components.public import Watch
from sse_components.components.registry import UnknownComponent
from sse_components.components.rendering import render
from sse_components.components.state import InvalidState, State

REFRESH = "_refresh"
REMEMBERED_SECONDS = 60

logger = logging.getLogger("sse_components.components")


class _Refused(Exception):
    def __init__(self, status: int, code: str, detail: str, **more: object) -> None:
        self.status = status
        self.answer = {"code": code, "detail": detail, **more}


@require_POST
def call(request: HttpRequest, component: str, method: str) -> HttpResponse:
    """Answer a call as the protocol says; internals never reach the browser."""
    try:
        return _json(200, _called(request, component, method))
    except _Refused as refused:
        return _json(refused.status, refused.answer)
    except (ObjectDoesNotExist, Http404):
        return _json(410, {"code": "gone", "detail": "What it shows is gone."})
    except PermissionDenied:
        return _json(403, {"code": "forbidden", "detail": "This is not allowed."})
    except Exception as error:
        logger.exception("%s of %s failed", method, component)
        detail = repr(error) if settings.DEBUG else "The server failed."
        return _json(500, {"code": "error", "detail": detail})


def _called(request: HttpRequest, name: str, method: str) -> dict[str, Any]:
    body = _body(request)
    try:
        found = registry.find(name)
    except UnknownComponent as error:
        raise _Refused(404, "component", str(error)) from None
    if method != REFRESH and method not in found.public_methods():
        raise _Refused(404, "method", f"{name} has no public method of that name.")
    try:
        state = states.read(body.get("state"), name)
    except InvalidState as error:
        raise _Refused(400, "state", str(error)) from None
    page = page_of(request)
    user = page.visitor.user
    if method != REFRESH:
        if state.user != (None if user is None else str(user.pk)):
            raise _Refused(409, "state", "The state is another user's.")
        _run_once(request)
    given = _props(found, body)
    pushed = {name for name in body.get("pushed", []) if isinstance(name, str)}
    with override(state.language):
        component = found(request, str(body.get("page") or request.get_full_path()))
        if method == REFRESH:
            _load(component, state, given, pushed)
            return _answer(page, component, state, html=True)
        _load(component, state, given, set(given))
        component.watch = Watch()
        arguments = body.get("args", [])
        action = getattr(component, method)
        try:
            inspect.signature(action).bind(*arguments)
        except TypeError as error:
            raise _Refused(422, "args", str(error)) from None
        result = action(*arguments)
        written = component.watch.writes
        if html := found.public_methods()[method].update:
            _load(component, state, component.props, written)
        return _answer(page, component, state, html=html, result=result)


def _load(
    component: ReactiveComponent,
    state: State,
    given: Mapping[str, Any],
    over: set[str],
) -> None:
    """Load a component and lay over it what its page knows.

    What `load` sets wins over what the page had, unless it is named in `over`.
    """
    component.watch = Watch()
    component.load(*state.args, **state.kwargs)
    loaded = component.watch.writes
    for name, value in given.items():
        if name in over or name not in loaded:
            setattr(component, name, value)


def _answer(
    page: Page,
    component: ReactiveComponent,
    state: State,
    *,
    html: bool,
    result: object = None,
) -> dict[str, Any]:
    rendered = render(page, component, state) if html else None
    return {
        "html": rendered.html if rendered else None,
        "props": component.props,
        "result": result,
        "client": component.client.actions,
        "grant": page.grant(rendered.groups) if rendered else None,
        "position": str(page.position),
    }


def _body(request: HttpRequest) -> dict[str, Any]:
    try:
        body = json.loads(request.body)
    except RequestDataTooBig:
        raise _Refused(
            413, "size", "The call is larger than the server takes."
        ) from None
    except (ValueError, RecursionError):
        raise _Refused(400, "body", "The body is not JSON.") from None
    if not isinstance(body, dict) or not isinstance(body.get("args", []), list):
        raise _Refused(400, "body", "The body is not an object with args.")
    return body


def _props(found: type[ReactiveComponent], body: dict[str, Any]) -> dict[str, Any]:
    """Return the public properties of a body, validated; other keys are ignored."""
    given = body.get("props", {})
    if not isinstance(given, dict):
        raise _Refused(400, "body", "props is not an object.")
    props, errors = {}, []
    for name, public in found.public_properties().items():
        if name not in given:
            continue
        try:
            props[name] = public.validate(found, given[name])
        except ValidationError as error:
            message = error.errors()[0]["msg"]
            errors.append({"pointer": f"/props/{name}", "message": message})
    if errors:
        detail = "A property has a value that it can't have."
        raise _Refused(422, "props", detail, errors=errors)
    return props


def _run_once(request: HttpRequest) -> None:
    """Refuse a request that was run before: browsers resend a POST by themselves."""
    sender = operations.sender.get()
    if sender is None:
        return
    if not cache.add(f"sse_components.call.{sender}", 1, REMEMBERED_SECONDS):
        raise _Refused(409, "repeated", "This call has been run already.")


def _json(status: int, answer: Mapping[str, Any]) -> HttpResponse:
    content = wire.dumps(answer, operations.encode)
    return HttpResponse(content, status=status, content_type="application/json")
