from __future__ import annotations

from typing import Any

import pytest
from django.http import HttpRequest, HttpResponse
from django.middleware.csrf import get_token
from django.test import Client
from django.urls import path
from pytest_django import Settings

from sse_components.posts import answer, body_of, posted

pytestmark = pytest.mark.urls(__name__)

BOUNDARY = "multipart/form-data; boundary=x"
FORM = b'--x\r\nContent-Disposition: form-data; name="a"\r\n\r\n1\r\n--x--\r\n'


def page(request: HttpRequest) -> HttpResponse:
    return HttpResponse(get_token(request))


@posted
def echo(request: HttpRequest) -> HttpResponse:
    return answer(body_of(request))


urlpatterns = [path("page", page), path("echo", echo)]


@pytest.fixture
def browser() -> Client:
    """One whose posts need a token."""
    return Client(enforce_csrf_checks=True)


def post(
    browser: Client,
    *,
    header: str | None = "X-CSRFToken",
    kind: str = "application/json",
    body: bytes = b'{"a": 1}',
) -> Any:
    token = browser.get("/page").content.decode()
    headers = {header: token} if header else {}
    return browser.post("/echo", body, content_type=kind, headers=headers)


def test_what_is_posted_with_the_token_of_a_page_is_answered(browser: Client) -> None:
    assert post(browser).json() == {"a": 1}


def test_a_post_without_a_token_is_refused_with_one(browser: Client) -> None:
    refused = post(browser, header=None)
    assert refused.status_code == 403
    assert refused.json()["code"] == "csrf"
    headers = {"X-CSRFToken": refused.json()["csrf"]}
    again = browser.post(
        "/echo", "{}", content_type="application/json", headers=headers
    )
    assert again.status_code == 200


@pytest.mark.parametrize("header", ["X-CSRFToken", "X-XSRF-Token"])
def test_the_token_comes_as_our_script_sends_it_or_as_the_project_wants_it(
    browser: Client, settings: Settings, header: str
) -> None:
    settings.CSRF_HEADER_NAME = "HTTP_X_XSRF_TOKEN"
    assert post(browser, header=header).json() == {"a": 1}
    assert post(browser, header=None).status_code == 403


def test_the_header_of_the_project_goes_before_ours(
    browser: Client, settings: Settings
) -> None:
    settings.CSRF_HEADER_NAME = "HTTP_X_XSRF_TOKEN"
    token = browser.get("/page").content.decode()
    headers = {"X-XSRF-Token": 64 * "a", "X-CSRFToken": token}
    refused = browser.post(
        "/echo", "{}", content_type="application/json", headers=headers
    )
    assert refused.status_code == 403


@pytest.mark.parametrize(
    ("kind", "body"),
    [
        ("application/json", b"[]"),
        ("application/json", b"{"),
        ("application/x-www-form-urlencoded", b"a=1"),
        (BOUNDARY, FORM),
    ],
)
def test_what_is_no_object_of_json_is_refused(
    browser: Client, kind: str, body: bytes
) -> None:
    refused = post(browser, kind=kind, body=body)
    assert (refused.status_code, refused.json()["code"]) == (400, "body")


def test_only_posts_are_answered(browser: Client) -> None:
    assert browser.get("/echo").status_code == 405
