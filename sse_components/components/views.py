"""Calls from a page: a public method, or a refresh."""

from __future__ import annotations

import logging
from collections.abc import Mapping, Set
from dataclasses import replace
from typing import Any, Final

from django.conf import settings
from django.core.cache import cache
from django.core.exceptions import ObjectDoesNotExist, PermissionDenied
from django.db import connections
from django.http import Http404, HttpRequest, HttpResponse

from sse_components import operations
from sse_components.components import inputs, jsonable, making, registry
from sse_components.components import state as states
from sse_components.components.base import ReactiveComponent
from sse_components.components.page import Page, page_of
from sse_components.components.registry import UnknownComponent
from sse_components.components.rendering import render
from sse_components.components.state import InvalidState, State
from sse_components.components.surroundings import activated
from sse_components.posts import Refused, answer, posted

REFRESH: Final = "_refresh"
REMEMBERED_SECONDS: Final = 60

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
    body = inputs.body(request)
    found = _found(name, method)
    page = page_of(request)
    page.path = inputs.path(request, body)
    page.locate()
    state = _state(page, found, body)
    if method != REFRESH:
        if state.user not in (None, _pk(page)):
            raise Refused(409, "state", "The state is another user's.")
        _run_once(request)
    state = _own(page, state)
    page.keys.begin(state.counted)
    given = inputs.props(found, body)
    with activated(state.language, state.zone):
        component = making.made(found, page, state)
        if method == REFRESH:
            pushed = {name for name in body.get("pushed", []) if isinstance(name, str)}
            from_page = _load(component, state, given, pushed)
            return _answer(page, component, render(page, component, state, from_page))
        return _ran(page, component, state, given, method, body.get("args", []))


def _ran(
    page: Page,
    component: ReactiveComponent,
    state: State,
    given: Mapping[str, Any],
    name: str,
    arguments: list[Any],
) -> dict[str, Any]:
    from_page = _load(component, state, given, given.keys())
    component.watch = component.watch.fresh()
    method = getattr(component, name)
    result = method(*inputs.arguments(method, arguments))
    written = component.watch.writes
    told = _told(component)
    if component.client.removes:
        return _answer(page, component, None, result)
    if not component.public_methods()[name].update:
        kept = _renewed(component, state)
        return _answer(page, component, None, result) | kept | told
    laid = _load(component, state, component.props, written)
    html = render(page, component, state, laid & (from_page | written))
    return _answer(page, component, html, result) | told


def _found(name: str, method: str) -> type[ReactiveComponent]:
    try:
        found = registry.find(name)
    except UnknownComponent as error:
        raise Refused(404, "component", str(error)) from None
    if method != REFRESH and method not in found.public_methods():
        raise Refused(404, "method", f"{name} has no public method of that name.")
    return found


def _state(
    page: Page, found: type[ReactiveComponent], body: Mapping[str, Any]
) -> State:
    try:
        return states.read(body.get("state"), registry.name_of(found))
    except InvalidState as error:
        raise Refused(400, "state", str(error)) from None
    except ObjectDoesNotExist:
        raise _gone() from None


def _own(page: Page, state: State) -> State:
    """Return a state as the visitor's own, without what was kept for another user."""
    pk = _pk(page)
    attributes = state.attributes if state.user in (None, pk) else {}
    return replace(state, user=pk, attributes=attributes)


def _pk(page: Page) -> str | None:
    user = page.visitor.user
    return None if user is None else str(user.pk)


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
    try:
        loaded = making.load(component, state)
    except (ObjectDoesNotExist, Http404):
        raise _gone() from None
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
        "props": jsonable.plain(component.props),
        "result": jsonable.plain(result),
        "client": jsonable.plain(component.client.actions),
        "grant": None if html is None else page.grant(),
        "position": str(page.position),
    }


def _told(component: ReactiveComponent) -> dict[str, list[str]]:
    """Return what a method has set, if anything: a page shows that in any case."""
    written = sorted(component.watch.writes & component.public_properties().keys())
    return {"written": written} if written else {}


def _renewed(component: ReactiveComponent, state: State) -> dict[str, str]:
    """Return a state for the HTML that the page keeps, if anything is kept in it."""
    kept = making.kept(component)
    if not kept and not state.attributes:
        return {}
    return {"state": replace(state, attributes=kept).signed()}


def _gone() -> Refused:
    return Refused(410, "gone", "What it shows is gone.")


def _run_once(request: HttpRequest) -> None:
    """Refuse a request that was run before: browsers resend a POST by themselves."""
    sender = operations.sender.get()
    if sender is None:
        return
    if not cache.add(f"sse_components.call.{sender}", 1, REMEMBERED_SECONDS):
        raise Refused(409, "repeated", "This call has been run already.")
