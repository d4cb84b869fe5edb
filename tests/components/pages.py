"""Pages with components, and what a browser would read of them."""

from __future__ import annotations

import json
from dataclasses import dataclass
from html.parser import HTMLParser
from typing import Any

from django.contrib.auth.models import User
from django.http import HttpRequest
from django.template import engines
from django.test import Client, RequestFactory

Attributes = dict[str, str]


def request_for(path: str = "/", user: User | None = None) -> HttpRequest:
    """Return a request, of nobody or of a user."""
    request = RequestFactory().get(path)
    if user is not None:
        request.user = user
    return request


def page(template: str, request: HttpRequest | None = None, **context: Any) -> str:
    """Return the HTML of a template that may use our tags."""
    engine = engines["django"]
    found = engine.from_string("{% load sse_components %}" + template)
    return str(found.render(context, request or request_for()))


def roots(html: str) -> list[Attributes]:
    """Return the attributes of each component root, outer ones first."""
    reader = _Roots()
    reader.feed(html)
    reader.close()
    return reader.found


def root(html: str) -> Attributes:
    """Return the attributes of the one component root."""
    (found,) = roots(html)
    return found


def component(name: str, request: HttpRequest | None = None) -> Attributes:
    """Return the attributes of the root of a component on a page of its own."""
    return roots(page(f'{{% component "{name}" %}}', request))[0]


@dataclass
class Answer:
    """What a call was answered with."""

    status: int
    json: dict[str, Any]

    @property
    def code(self) -> Any:
        return self.json["code"]

    @property
    def html(self) -> str:
        return str(self.json["html"])


def call(
    client: Client,
    name: str,
    method: str = "_refresh",
    *,
    state: object = None,
    headers: dict[str, str] | None = None,
    raw: bytes | None = None,
    **body: object,
) -> Answer:
    """Call a component of a name as the browser client does.

    Without a state it is that of a page that nobody's browser got.
    """
    if state is None:
        state = component(name)["data-sse-state"]
    given = json.dumps({"state": state, **body}).encode() if raw is None else raw
    response = client.post(
        f"/sse/components/{name}/{method}",
        given,
        content_type="application/json",
        headers=headers,
    )
    assert response.headers["Content-Type"] == "application/json"
    return Answer(response.status_code, response.json())


class _Roots(HTMLParser):
    def __init__(self) -> None:
        super().__init__()
        self.found: list[Attributes] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        attributes = {name: value or "" for name, value in attrs}
        if "data-sse-component" in attributes:
            self.found.append(attributes)
