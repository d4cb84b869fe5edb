"""A component without its page: rendered, called and refreshed as by a browser."""

from __future__ import annotations

import json
import secrets
from collections.abc import Callable, Iterable, Mapping, Sequence
from copy import copy
from dataclasses import dataclass, field
from itertools import count
from typing import Any

from django.conf import settings
from django.contrib.auth.decorators import login_not_required
from django.http import HttpRequest, HttpResponse
from django.template import Context, Engine
from django.test import Client
from django.test.client import ClientHandler
from django.urls import ResolverMatch, reverse

from sse_components import runtime
from sse_components.components import jsonable, registry
from sse_components.components.base import ReactiveComponent
from sse_components.components.views import REFRESH
from sse_components.middleware import PLACEHOLDER
from sse_components.templatetags import sse_components as tags
from sse_components.testing import pages


class CallRefused(Exception):
    """A call was answered with another status than 200."""

    def __init__(self, status: int, answer: Mapping[str, Any]) -> None:
        self.status = status
        self.code: str = answer.get("code", "")
        """Why, for programs: `forbidden`, `gone`, `props` and so on."""
        self.detail: str = answer.get("detail", "")
        """Why, for people."""
        self.errors: list[dict[str, str]] = answer.get("errors", [])
        """Which values were refused, each with a `pointer` and a `message`."""
        faults = [f"{one['pointer']}: {one['message']}" for one in self.errors]
        super().__init__(" ".join([f"{status} {self.code}: {self.detail}", *faults]))


def render_component(
    component: str | type[ReactiveComponent],
    *args: Any,
    user: Any = None,
    client: Client | None = None,
    path: str = "/",
    **kwargs: Any,
) -> Rendering:
    """Render a component, by class or name, as on a page of its own.

    The arguments are those of `{% component %}`. The request goes through the
    project's middleware: as nobody's, as a user's who is logged in, or as one of a
    test client, whose cookies it shares. `path` is the page's. Raises what goes wrong.
    """
    browser = client or Client()
    if user is not None:
        browser.force_login(user)
    name = component if isinstance(component, str) else registry.name_of(component)
    html = ""
    failure: Exception | None = None

    @login_not_required
    def page(request: HttpRequest) -> HttpResponse:
        nonlocal html, failure
        try:
            html = _shown(request, name, args, kwargs)
        except Exception as error:  # Django would answer some of them
            failure = error
            raise
        # Where nobody serves streams the script would only say so.
        return HttpResponse(html + PLACEHOLDER if runtime.hub() else html)

    response = _visit(browser, page, path)
    if failure:
        raise failure
    if not html:
        raise RuntimeError(
            f"The middleware answered with {response.status_code} before {name!r} "
            "was rendered."
        )
    props = json.loads(pages.root(html)["data-sse-props"])
    return Rendering(
        html=html,
        props=props,
        state=pages.root(html)["data-sse-state"],
        response=response,
        _tab=_Tab(browser, name, path),
    )


def _shown(
    request: HttpRequest, name: str, args: Sequence[Any], kwargs: Mapping[str, Any]
) -> str:
    """Return what `{% component %}` makes of arguments."""
    values = [name, *args, *kwargs.values()]
    given = {f"value{number}": value for number, value in enumerate(values)}
    places = (len(values) - len(kwargs)) * [""] + [f"{word}=" for word in kwargs]
    bits = " ".join(map("".join, zip(places, given, strict=True)))
    template = Engine(builtins=[tags.__name__]).from_string(f"{{% component {bits} %}}")
    return template.render(Context({"request": request, **given}))


@dataclass(frozen=True)
class Rendering:
    """A component as its page shows it now, and what the page may do with it."""

    html: str
    props: dict[str, Any]
    """The public properties, as JSON has them."""
    state: str = field(repr=False)
    """What it needs to be made again, signed."""
    response: HttpResponse = field(repr=False)
    """Of the page, or of the call."""
    _tab: _Tab = field(repr=False)
    result: Any = None
    """What the method returned, as JSON has it."""
    client: list[list[Any]] = field(default_factory=list)
    """What the method wants done in the page, as `["redirect", "/next"]`."""

    @property
    def text(self) -> str:
        """The text of the HTML, with single spaces."""
        return pages.text(self.html)

    @property
    def groups(self) -> list[str]:
        """The groups that it is subscribed to."""
        found: list[str] = json.loads(self._root["data-sse-groups"])
        return found

    @property
    def id(self) -> str:
        """`app_label.ClassName`, and after a colon the key if there is one."""
        return self._root["data-sse-id"]

    @property
    def key(self) -> str | None:
        """What tells it from others of its class."""
        return self._root["data-sse-key"] or None

    def call(self, method: str, /, *args: Any, **props: Any) -> Rendering:
        """Call a public method, after the visitor has set public properties.

        Returns what the page shows then, which is the same HTML if the method doesn't
        render. Raises `CallRefused`.
        """
        return self._exchange(method, args, props, pushed=())

    def refresh(self, **pushed: Any) -> Rendering:
        """Fetch the HTML anew, as after an event that has pushed public properties.

        Raises `CallRefused`.
        """
        return self._exchange(REFRESH, (), pushed, pushed=pushed)

    def _exchange(
        self,
        method: str,
        args: Iterable[Any],
        props: Mapping[str, Any],
        pushed: Iterable[str],
    ) -> Rendering:
        body = {
            "state": self.state,
            "props": {**self.props, **props},
            "args": list(args),
            "pushed": list(pushed),
        }
        response = self._tab.post(method, body)
        answer = response.json()
        return Rendering(
            html=self.html if answer["html"] is None else answer["html"],
            props=answer["props"] | _updated(answer),
            state=self._state_after(answer),
            response=response,
            result=answer["result"],
            client=answer["client"],
            _tab=self._tab,
        )

    def _state_after(self, answer: Mapping[str, Any]) -> str:
        if answer["html"] is not None:
            return pages.root(answer["html"])["data-sse-state"]
        kept: str = answer.get("state", self.state)
        return kept

    @property
    def _root(self) -> pages.Attributes:
        return pages.root(self.html)


def _updated(answer: Mapping[str, Any]) -> dict[str, Any]:
    """Return the public properties that the method has set in the page only."""
    return {
        name: value
        for action, *arguments in answer["client"]
        if action == "update"
        for name, value in arguments[0].items()
        if name in answer["props"]
    }


class _Tab:
    """Where a component is: a document of a browser, which numbers its requests."""

    def __init__(self, browser: Client, name: str, path: str) -> None:
        self._browser = browser
        self._name = name
        self._path = path
        self._id = secrets.token_urlsafe(9)
        self._requests = count(1)

    def post(self, method: str, body: Mapping[str, Any]) -> Any:
        response = self._browser.post(
            reverse("sse_components:call", args=[self._name, method]),
            jsonable.text({**body, "page": self._path}),
            content_type="application/json",
            secure=settings.SECURE_SSL_REDIRECT,
            headers={
                "X-SSE-Tab": self._id,
                "X-SSE-Request": str(next(self._requests)),
            },
        )
        if response.status_code != 200:
            kind = response.headers.get("Content-Type", "")
            answer = response.json() if kind == "application/json" else {}
            raise CallRefused(response.status_code, answer)
        return response


class _OnePage(ClientHandler):
    """Answers with one view, behind the project's middleware, whatever is asked for."""

    def __init__(self, view: Callable[[HttpRequest], HttpResponse]) -> None:
        super().__init__(enforce_csrf_checks=False)
        self._view = view

    def resolve_request(self, request: HttpRequest) -> ResolverMatch:
        request.resolver_match = ResolverMatch(self._view, (), {})
        return request.resolver_match


def _visit(
    browser: Client, view: Callable[[HttpRequest], HttpResponse], path: str
) -> HttpResponse:
    visit = copy(browser)  # with the same cookies
    visit.handler = _OnePage(view)
    response: Any = visit.get(path, secure=settings.SECURE_SSL_REDIRECT)
    response.client = browser
    found: HttpResponse = response
    return found
