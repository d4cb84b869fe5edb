"""Calls from a page: a public method, or a refresh."""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping, Set
from dataclasses import replace
from typing import Any, Final

from django.conf import settings
from django.core.cache import cache
from django.core.exceptions import (
    ObjectDoesNotExist,
    PermissionDenied,
    ValidationError,
)
from django.db import connections
from django.http import Http404, HttpRequest, HttpResponse

from sse_components import operations
from sse_components.components import inputs, jsonable, making, registry
from sse_components.components import state as states
from sse_components.components.base import ReactiveComponent, values_of
from sse_components.components.page import Page, page_of
from sse_components.components.registry import UnknownComponent
from sse_components.components.rendering import render
from sse_components.components.state import InvalidState, State
from sse_components.components.surroundings import activated
from sse_components.events import hashed
from sse_components.grants import COOKIE
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
        _run_once(page, body)
    state = _own(page, state)
    page.keys.begin(state.counted)
    given = inputs.props(found, body)
    with activated(state.language, state.zone):
        component = making.made(found, page, state)
        if method == REFRESH:
            pushed = {name for name in body.get("pushed", []) if isinstance(name, str)}
            _load(component, state, given, pushed, given.keys())
            return _answer(page, component, render(page, component, state, given))
        return _ran(page, component, state, given, method, body.get("args", []))


def _ran(
    page: Page,
    component: ReactiveComponent,
    state: State,
    given: Mapping[str, Any],
    name: str,
    arguments: list[Any],
) -> dict[str, Any]:
    _load(component, state, given, given.keys(), given.keys())
    component.watch = component.watch.fresh()
    result = _result(getattr(component, name), arguments)
    written = component.watch.writes
    told = _told(component)
    if component.client.removes:
        return _answer(page, component, None, result)
    after = _after(page, component, state, given, arguments)
    values = values_of(component)
    if state.user not in (None, after.user):
        component = _made_anew(page, component, after)
    if not component.public_methods()[name].update:
        kept = _renewed(component, state, after)
        vars(component).update(values)
        return _answer(page, component, None, result) | kept | told
    from_page = {
        name: value
        for name, value in values.items()
        if name in given or name in written
    }
    _load(component, after, values, written, from_page.keys())
    html = render(page, component, after, from_page)
    return _answer(page, component, html, result) | told


def _result(method: Callable[..., Any], arguments: list[Any]) -> Any:
    """Call a public method; what it refuses in Django's words is refused in ours."""
    taken = inputs.arguments(method, arguments)
    try:
        return method(*taken)
    except Http404:
        _roll_back()
        detail = "What it asks for is not there."
        raise Refused(404, "not_found", detail) from None
    except ValidationError as error:
        _roll_back()
        raise Refused(422, "invalid", " ".join(error.messages)) from None


def _after(
    page: Page,
    component: ReactiveComponent,
    state: State,
    given: Mapping[str, Any],
    arguments: list[Any],
) -> State:
    """Return the state as it is once a method has run, which may log in or out."""
    touched = (
        state.touched
        or state.own is not None
        or bool(arguments)
        or not component.watch.ever.isdisjoint(given)
    )
    pk = _pk(page)
    attributes = state.attributes if state.user in (None, pk) else {}
    return replace(state, user=pk, touched=touched, attributes=attributes)


def _made_anew(
    page: Page, component: ReactiveComponent, state: State
) -> ReactiveComponent:
    """Return a component without what it has kept, for the next user."""
    made = making.made(type(component), page, state)
    vars(made)["client"] = component.client  # with what the method wanted
    return made


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
    from_page: Set[str],
) -> None:
    """Load a component that knows what its page does, and lay that over it.

    What `load` sets wins over what the page had, unless it is named in `over`. Some of
    the values may be the server's by now; those of `from_page` are the browser's.
    """
    vars(component).update(given)  # nobody has set it
    component.watch.given.update(from_page)
    try:
        loaded = making.load(component, state)
    except (ObjectDoesNotExist, Http404):
        raise _gone() from None
    for name in given:
        if name in over or name not in loaded:
            setattr(component, name, given[name])
            component.watch.given.update(from_page & {name})


def _answer(
    page: Page,
    component: ReactiveComponent,
    html: str | None,
    result: object = None,
) -> dict[str, Any]:
    return {
        "html": html,
        "props": jsonable.plain(values_of(component)),
        "result": jsonable.plain(result),
        "client": jsonable.plain(component.client.actions),
        "grant": None if html is None else page.grant(),
        "position": str(page.position),
    }


def _told(component: ReactiveComponent) -> dict[str, list[str]]:
    """Return what a method has set, if anything: a page shows that in any case."""
    written = sorted(component.watch.writes & component.public_properties().keys())
    return {"written": written} if written else {}


def _renewed(
    component: ReactiveComponent, before: State, after: State
) -> dict[str, str]:
    """Return a state for the HTML that the page keeps, if anything is kept in it."""
    kept = making.kept(component)
    if not kept and not before.attributes:
        return {}
    return {"state": replace(after, attributes=kept).signed()}


def _gone() -> Refused:
    return Refused(410, "gone", "What it shows is gone.")


def _run_once(page: Page, body: Mapping[str, Any]) -> None:
    """Refuse a request that was run before: browsers resend a POST by themselves.

    Subscribers know each other's tabs and numbers: it is remembered whose it was.
    """
    sender = operations.sender.get()
    if sender is None:
        return
    known = hashed(repr((sender, _browser(page), body.get("state"))))
    try:
        is_new = cache.add(f"sse_components.call.{known}", 1, REMEMBERED_SECONDS)
    except Exception as error:  # each cache has its own
        logger.warning("A call may be run twice, as the cache failed: %s", error)
        return
    if not is_new:
        raise Refused(409, "repeated", "This call has been run already.")


def _browser(page: Page) -> tuple[object, ...]:
    """Return what a browser has that nobody else can send."""
    request = page.request
    return (
        _pk(page),
        page.visitor.session_key
        or request.COOKIES.get(COOKIE)
        or request.META.get("CSRF_COOKIE"),
    )
