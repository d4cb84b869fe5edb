"""Calls from a page: a public method, or a refresh."""

from __future__ import annotations

import inspect
import logging
from collections.abc import Callable, Mapping, Sequence, Set
from dataclasses import replace
from typing import Any

from django.conf import settings
from django.core.cache import cache
from django.core.exceptions import ObjectDoesNotExist, PermissionDenied
from django.db import connections
from django.http import Http404, HttpRequest, HttpResponse
from django.utils.http import url_has_allowed_host_and_scheme
from django.utils.translation import override
from pydantic import ValidationError

from sse_components import operations
from sse_components.components import registry
from sse_components.components import state as states
from sse_components.components.base import ReactiveComponent
from sse_components.components.page import Page, page_of
from sse_components.components.public import Watch
from sse_components.components.registry import UnknownComponent
from sse_components.components.rendering import render
from sse_components.components.state import InvalidState, State
from sse_components.posts import Refused, answer, body_of, posted

REFRESH = "_refresh"
REMEMBERED_SECONDS = 60

_MEMBERS: dict[str, type] = {"props": dict, "pushed": list, "args": list}

logger = logging.getLogger("sse_components.components")


@posted
def call(request: HttpRequest, component: str, method: str) -> HttpResponse:
    """Answer a call as the protocol says; internals never reach the browser."""
    try:
        return answer(_called(request, component, method))
    except Refused:
        raise
    except PermissionDenied:
        _roll_back()
        raise Refused(403, "forbidden", "This is not allowed.") from None
    except Exception as error:
        _roll_back()
        logger.exception("%s of %s failed", method, component)
        detail = repr(error) if settings.DEBUG else "The server failed."
        raise Refused(500, "error", detail) from None


def _roll_back() -> None:
    # With ATOMIC_REQUESTS Django does so only for exceptions that leave the view.
    for connection in connections.all(initialized_only=True):
        if connection.settings_dict["ATOMIC_REQUESTS"] and connection.in_atomic_block:
            connection.set_rollback(True)


def _called(request: HttpRequest, name: str, method: str) -> dict[str, Any]:
    body = _body(request)
    try:
        found = registry.find(name)
    except UnknownComponent as error:
        raise Refused(404, "component", str(error)) from None
    if method != REFRESH and method not in found.public_methods():
        raise Refused(404, "method", f"{name} has no public method of that name.")
    try:
        state = states.read(body.get("state"), name)
    except InvalidState as error:
        raise Refused(400, "state", str(error)) from None
    except ObjectDoesNotExist:
        raise _gone() from None
    page = page_of(request)
    page.path = _path(request, body)
    user = page.visitor.user
    pk = None if user is None else str(user.pk)
    if method != REFRESH:
        if state.user != pk:
            raise Refused(409, "state", "The state is another user's.")
        _run_once(request)
    state = replace(state, user=pk)
    given = _props(found, body)
    pushed = {name for name in body.get("pushed", []) if isinstance(name, str)}
    with override(state.language):
        component = found(request, page.path)
        if method == REFRESH:
            from_page = _load(component, state, given, pushed)
            return _answer(page, component, render(page, component, state, from_page))
        from_page = _load(component, state, given, given.keys())
        component.watch = Watch()
        action, arguments = getattr(component, method), body.get("args", [])
        _check_arguments(action, arguments)
        result = action(*arguments)
        html = None
        if found.public_methods()[method].update and not component.client.removes:
            written = component.watch.writes
            laid = _load(component, state, component.props, written)
            html = render(page, component, state, laid & (from_page | written))
        return _answer(page, component, html, result)


def _load(
    component: ReactiveComponent,
    state: State,
    given: Mapping[str, Any],
    over: Set[str],
) -> set[str]:
    """Load a component and lay over it what its page knows.

    What `load` sets wins over what the page had, unless it is named in `over`. Returns
    the names of what was laid over.
    """
    component.watch = Watch()
    try:
        component.load(*state.args, **state.kwargs)
    except (ObjectDoesNotExist, Http404):
        raise _gone() from None
    loaded = component.watch.writes
    laid = {name for name in given if name in over or name not in loaded}
    for name in laid:
        setattr(component, name, given[name])
    return laid


def _answer(
    page: Page,
    component: ReactiveComponent,
    html: str | None,
    result: object = None,
) -> dict[str, Any]:
    return {
        "html": html,
        "props": component.props,
        "result": result,
        "client": component.client.actions,
        "grant": None if html is None else page.grant(),
        "position": str(page.position),
    }


def _gone() -> Refused:
    return Refused(410, "gone", "What it shows is gone.")


def _path(request: HttpRequest, body: dict[str, Any]) -> str:
    given = body.get("page")
    if (
        isinstance(given, str)
        and given.startswith("/")
        and url_has_allowed_host_and_scheme(given, allowed_hosts=None)
    ):
        return given
    return request.get_full_path()


def _check_arguments(action: Callable[..., Any], arguments: Sequence[Any]) -> None:
    try:
        inspect.signature(action).bind(*arguments)
    except TypeError as error:
        message = str(error)
        detail = "The method takes other arguments."
        errors = [{"pointer": "/args", "message": message}]
        raise Refused(422, "args", detail, errors=errors) from None


def _body(request: HttpRequest) -> dict[str, Any]:
    body = body_of(request)
    for name, kind in _MEMBERS.items():
        if not isinstance(body.get(name, kind()), kind):
            raise Refused(400, "body", f"{name} is of another type.")
    return body


def _props(found: type[ReactiveComponent], body: dict[str, Any]) -> dict[str, Any]:
    """Return the public properties of a body, validated; other keys are ignored."""
    given = body.get("props", {})
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
        raise Refused(422, "props", detail, errors=errors)
    return props


def _run_once(request: HttpRequest) -> None:
    """Refuse a request that was run before: browsers resend a POST by themselves."""
    sender = operations.sender.get()
    if sender is None:
        return
    if not cache.add(f"sse_components.call.{sender}", 1, REMEMBERED_SECONDS):
        raise Refused(409, "repeated", "This call has been run already.")
