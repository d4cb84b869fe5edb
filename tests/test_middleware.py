from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Callable, Iterator
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import pytest
from asgiref.sync import async_to_sync, sync_to_async
from django.contrib.auth.models import User
from django.contrib.sessions.models import Session
from django.http import (
    HttpRequest,
    HttpResponse,
    HttpResponseBase,
    JsonResponse,
    StreamingHttpResponse,
)
from django.template import engines
from django.template.response import TemplateResponse
from django.test import AsyncClient, Client, RequestFactory
from django.test.utils import override_script_prefix
from django.urls import include, path
from django.utils.functional import SimpleLazyObject, empty
from pytest_django import Settings

from sse_components import ReactiveComponent, operations, public, runtime
from sse_components.components.page import page_of
from sse_components.grants import COOKIE, Grant, fingerprint
from sse_components.hub import Hub
from sse_components.middleware import SSEComponentsMiddleware
from sse_components.revocations import Whose
from tests.components.pages import root
from tests.redis_servers import RedisServer

pytestmark = [
    pytest.mark.urls(__name__),
    pytest.mark.django_db(transaction=True),
    pytest.mark.usefixtures("built"),
]

HEAD = "{% load sse_components %}<head>{% sse_scripts %}</head>"
PAGE = HEAD + '{% component "tests.Shown" %}'
CACHED = '<head><!--sse-scripts--></head><p data-sse-component="x.Y">cached</p>'
MARK = "<!--sse-scripts-->"


class Shown(ReactiveComponent):
    text = public("x")
    subscription = "news.shown"
    template = "<p>{{ text }}</p>"


def html(request: HttpRequest, template: str) -> HttpResponse:
    return HttpResponse(engines["django"].from_string(template).render({}, request))


def shown(request: HttpRequest) -> HttpResponse:
    return html(request, PAGE)


def late(request: HttpRequest) -> HttpResponse:
    return TemplateResponse(request, engines["django"].from_string(PAGE))


def twice(request: HttpRequest) -> HttpResponse:
    return html(request, PAGE + "{% sse_scripts %}")


def without_place(request: HttpRequest) -> HttpResponse:
    return html(request, PAGE.replace("{% sse_scripts %}", ""))


def bare(request: HttpRequest) -> HttpResponse:
    response = html(request, HEAD)
    response["Content-Length"] = str(len(response.content))
    return response


def cached(request: HttpRequest) -> HttpResponse:
    response = HttpResponse(CACHED)
    response["Content-Length"] = str(len(response.content))
    return response


def streaming(request: HttpRequest) -> HttpResponseBase:
    return StreamingHttpResponse([CACHED.encode()])


def text(request: HttpRequest) -> HttpResponse:
    return HttpResponse(CACHED, content_type="text/plain")


def data(request: HttpRequest) -> HttpResponse:
    return JsonResponse({"html": CACHED})


def nonce(request: HttpRequest) -> HttpResponse:
    request.csp_nonce = 'n"1'  # type: ignore[attr-defined]
    return shown(request)


class LazyNonce(SimpleLazyObject):  # type: ignore[type-arg]  # generic in stubs only
    """As Django 6 has it: false until somebody reads it."""

    def __bool__(self) -> bool:
        return self._wrapped is not empty


def lazy_nonce(request: HttpRequest) -> HttpResponse:
    request._csp_nonce = LazyNonce(lambda: "n2")  # type: ignore[attr-defined]
    return shown(request)


def begins_session(request: HttpRequest) -> HttpResponse:
    request.session["cart"] = [1]
    return HttpResponse()


def who(request: HttpRequest) -> HttpResponse:
    return HttpResponse(str(operations.sender.get()))


def fails(request: HttpRequest) -> HttpResponse:
    raise LookupError("a bug in a view")


async def awho(request: HttpRequest) -> HttpResponse:
    await asyncio.sleep(0)
    inside = await sync_to_async(operations.sender.get)()
    return HttpResponse(f"{operations.sender.get()} {inside}")


async def ashown(request: HttpRequest) -> HttpResponse:
    return await sync_to_async(shown)(request)


async def acached(request: HttpRequest) -> HttpResponse:
    return cached(request)


VIEWS: list[Callable[..., Any]] = [
    shown, late, twice, without_place, bare, cached, streaming, text, data, nonce,
    lazy_nonce, begins_session, who, fails, awho, ashown, acached,
]  # fmt: skip

urlpatterns = [
    path("", include("sse_components.urls")),
    *(path(f"{view.__name__}/", view) for view in VIEWS),
]


class _Scripts(HTMLParser):
    def __init__(self) -> None:
        super().__init__()
        self.found: list[dict[str, str | None]] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        if tag == "script":
            self.found.append(dict(attrs))


def scripts(response: Any) -> list[dict[str, str | None]]:
    parser = _Scripts()
    parser.feed(response.content.decode())
    return parser.found


def granted(response: Any) -> Grant:
    (script,) = scripts(response)
    return runtime.grants().read(str(script["data-grant"]))


@pytest.fixture
def session(client: Client) -> str:
    """The key of the session of an anonymous visitor."""
    client.get("/begins_session/")
    return str(client.cookies["sessionid"].value)


@pytest.fixture
def user(client: Client) -> User:
    user = User.objects.create_user("anna")
    client.force_login(user)
    return user


@pytest.fixture
async def hub() -> AsyncIterator[Hub]:
    hub = await runtime.start()
    await hub.recalled()
    yield hub
    await runtime.stop()


@pytest.fixture(autouse=True)
def _no_sender_is_left() -> Iterator[None]:
    yield
    assert operations.sender.get() is None


# The script


# A2
def test_a_page_with_a_component_has_the_script_once(client: Client) -> None:
    response = client.get("/shown/")
    (script,) = scripts(response)
    assert list(script) == [
        "src", "defer", "data-sse-scripts", "data-stream", "data-socket",
        "data-components",
        "data-grants", "data-grant", "data-cursor", "data-csrf",
    ]  # fmt: skip
    assert script["src"] == "/sse/static/sse-components-ABC123.js"
    assert script["data-components"] == "/sse/components/"
    assert script["data-grants"] == "/sse/grants"
    assert script["data-csrf"]
    assert MARK not in response.content.decode()
    assert granted(response).groups == ("news.shown",)


@pytest.mark.parametrize("address", ["/late/", "/twice/", "/ashown/"])
def test_the_script_comes_once_however_the_page_is_made(
    client: Client, address: str
) -> None:
    response = client.get(address)
    assert len(scripts(response)) == 1
    assert MARK not in response.content.decode()


# A1
def test_a_page_without_a_component_has_no_script(client: Client) -> None:
    response = client.get("/bare/")
    assert response.content == b"<head></head>"
    assert response["Content-Length"] == "13"
    assert not response.cookies
    assert "Cache-Control" not in response


def test_a_page_without_the_tag_has_no_script(client: Client) -> None:
    response = client.get("/without_place/")
    assert scripts(response) == []
    assert b"data-sse-component" in response.content


# A80
@pytest.mark.parametrize("address", ["/cached/", "/acached/"])
def test_a_root_that_nobody_rendered_now_needs_the_script_and_gets_no_groups(
    client: Client, address: str
) -> None:
    response = client.get(address)
    assert granted(response).groups == ()
    assert response["Content-Length"] == str(len(response.content))


@pytest.mark.parametrize("address", ["/text/", "/data/"])
def test_what_is_not_html_is_left_alone(client: Client, address: str) -> None:
    assert MARK in client.get(address).content.decode()


def test_what_streams_is_left_alone(client: Client) -> None:
    response = client.get("/streaming/")
    assert isinstance(response, StreamingHttpResponse)
    assert response.getvalue() == CACHED.encode()


def test_the_nonce_of_the_page_is_the_scripts(client: Client) -> None:
    response = client.get("/nonce/")
    (script,) = scripts(response)
    assert script["nonce"] == 'n"1'
    assert b'nonce="n&quot;1"' in response.content


def test_a_nonce_that_nobody_has_read_yet_is_the_scripts_too(client: Client) -> None:
    response: Any = client.get("/lazy_nonce/")
    (script,) = scripts(response)
    assert script["nonce"] == "n2"
    assert response.wsgi_request._csp_nonce  # so that it stands in the header


def test_addresses_are_below_the_path_of_the_application(client: Client) -> None:
    with override_script_prefix("/app/"):  # as the handlers of WSGI and ASGI do
        (script,) = scripts(client.get("/shown/"))
    assert script["src"] == "/app/sse/static/sse-components-ABC123.js"
    assert script["data-components"] == "/app/sse/components/"
    assert script["data-grants"] == "/app/sse/grants"


def test_a_client_that_was_not_built_is_a_loud_error(
    client: Client, built: Path
) -> None:
    (built / "manifest.json").unlink()
    with pytest.raises(Exception, match="make install"):
        client.get("/shown/")
    assert client.get("/bare/").status_code == 200


# A12
def test_without_streams_the_page_says_so_and_its_cursor_resets(
    client: Client, caplog: pytest.LogCaptureFixture
) -> None:
    for _ in range(2):
        (script,) = scripts(client.get("/shown/"))
        assert script["data-stream"] == "off"
        assert script["data-cursor"] == "0:0"
    (record,) = caplog.records
    assert record.levelname == "WARNING"
    assert "SSE_COMPONENTS['BROKER_URL']" in caplog.text


def test_a_page_that_needs_no_streams_warns_of_nothing(
    client: Client, caplog: pytest.LogCaptureFixture
) -> None:
    client.get("/bare/")
    client.get("/without_place/")
    assert not caplog.records


def test_a_process_without_a_hub_has_another_ones_streams_over_redis(
    client: Client,
    settings: Settings,
    redis_server: RedisServer,
    caplog: pytest.LogCaptureFixture,
) -> None:
    settings.SSE_COMPONENTS = {"BROKER_URL": redis_server.url}
    (script,) = scripts(client.get("/shown/"))
    assert script["data-stream"] == "/sse/stream"
    assert not caplog.records
    async_to_sync(runtime.stop)()


# A58
async def test_with_streams_the_page_has_their_address_and_its_position(
    hub: Hub,
) -> None:
    here = str(hub.position)
    response = await AsyncClient().get("/shown/")
    (script,) = scripts(response)
    assert script["data-stream"] == "/sse/stream"
    assert script["data-cursor"] == here
    assert root(response.content.decode())["data-sse-position"] == here
    assert str(granted(response).whose.position) == here


async def test_the_position_is_taken_before_the_view_runs(hub: Hub) -> None:
    def view(request: HttpRequest) -> HttpResponse:
        pages.append(vars(request).get("sse_page"))
        return HttpResponse()

    pages: list[Any] = []
    SSEComponentsMiddleware(view)(RequestFactory().get("/"))
    assert pages[0].position == hub.position


def test_settings_at_fault_break_no_page_without_components(
    client: Client, settings: Settings
) -> None:
    settings.SSE_COMPONENTS = {"UNHEARD_OF": 1}
    assert client.get("/bare/").status_code == 200


# Whose page


# A16
def test_a_visitor_without_a_session_gets_no_cookie_and_no_session(
    client: Client,
) -> None:
    response = client.get("/shown/")
    grant = granted(response)
    assert grant.whose == Whose(grant.whose.position)
    assert set(response.cookies) == {"csrftoken"}
    assert "private" not in response.get("Cache-Control", "")
    assert not Session.objects.exists()


@pytest.mark.parametrize("address", ["/shown/", "/cached/", "/ashown/", "/acached/"])
def test_the_page_of_a_user_is_theirs_and_their_browsers(
    client: Client, user: User, address: str
) -> None:
    response = client.get(address)
    cookie = response.cookies[COOKIE]
    assert cookie["httponly"] is True
    assert cookie["samesite"] == "Lax"
    assert cookie["secure"] == ""
    assert cookie["domain"] == ""
    assert cookie["path"] == "/"
    assert "private" in response["Cache-Control"]
    assert "Cookie" in response["Vary"]
    grant = granted(response)
    assert grant.whose.user == str(user.pk)
    assert grant.is_for(cookie.value)
    assert not grant.is_for(None)


def test_a_browser_gets_one_cookie(client: Client, user: User) -> None:
    first = client.get("/shown/").cookies[COOKIE].value
    response = client.get("/shown/")
    assert COOKIE not in response.cookies
    assert granted(response).is_for(first)
    assert "private" in response["Cache-Control"]


def test_the_cookie_is_as_secure_as_the_sessions(
    client: Client, user: User, settings: Settings
) -> None:
    settings.SESSION_COOKIE_SECURE = True
    settings.SESSION_COOKIE_DOMAIN = "example.com"
    cookie = client.get("/shown/").cookies[COOKIE]
    assert cookie["secure"] is True
    assert cookie["domain"] == "example.com"


# A16
# A22
def test_the_page_of_a_session_is_one_browsers_and_does_not_tell_its_key(
    client: Client, session: str
) -> None:
    response = client.get("/shown/")
    grant = granted(response)
    assert grant.whose.session
    assert grant.whose.user is None
    assert grant.is_for(response.cookies[COOKIE].value)
    assert "private" in response["Cache-Control"]
    assert session not in response.content.decode()
    assert session not in str(response.cookies)
    assert session not in str(grant)


def test_a_cookie_of_a_session_that_is_gone_makes_nobody(client: Client) -> None:
    client.cookies["sessionid"] = 32 * "x"
    response = client.get("/shown/")
    assert granted(response).whose.session is None
    assert COOKIE not in response.cookies


@pytest.mark.parametrize("address", ["/bare/", "/text/", "/who/"])
def test_a_page_without_components_is_nobodys(
    client: Client, user: User, address: str
) -> None:
    response = client.get(address)
    assert COOKIE not in response.cookies
    assert "Cache-Control" not in response


def test_a_grant_that_is_bound_to_a_new_cookie_comes_with_it_on_any_response() -> None:
    def view(request: HttpRequest) -> HttpResponse:
        page = page_of(request)
        return JsonResponse({"grant": page.whose(bound=True).browser})

    response = SSEComponentsMiddleware(view)(RequestFactory().get("/"))
    assert isinstance(response, HttpResponse)
    cookie = response.cookies[COOKIE].value
    assert json.loads(response.content) == {"grant": fingerprint(cookie)}


async def test_an_async_server_knows_the_visitor_too() -> None:
    def log_in(client: AsyncClient) -> User:
        user = User.objects.create_user("anna")
        client.force_login(user)
        return user

    client = AsyncClient()
    user = await sync_to_async(log_in)(client)
    for address in ("/shown/", "/ashown/", "/cached/", "/acached/"):
        response = await client.get(address)
        assert granted(response).whose.user == str(user.pk)
        assert "private" in response["Cache-Control"]


def test_a_call_that_renders_gives_the_browser_its_cookie(
    client: Client, user: User
) -> None:
    state = root(client.get("/without_place/").content.decode())["data-sse-state"]
    response = client.post(
        "/sse/components/tests.Shown/_refresh",
        json.dumps({"state": state}),
        content_type="application/json",
    )
    assert response.status_code == 200
    grant = runtime.grants().read(response.json()["grant"])
    assert grant.is_for(response.cookies[COOKIE].value)
    assert "private" in response["Cache-Control"]


# The sender

HEADERS = {"X-SSE-Tab": "tab1", "X-SSE-Request": "7"}


# A49
def test_a_view_runs_as_the_tab_and_the_request_that_asked(client: Client) -> None:
    assert client.get("/who/", headers=HEADERS).content == b"tab1.7"
    assert client.get("/who/").content == b"None"


# A49
def test_an_async_view_runs_as_the_tab_and_the_request_that_asked(
    client: Client,
) -> None:
    assert client.get("/awho/", headers=HEADERS).content == b"tab1.7 tab1.7"


# A49
async def test_requests_at_the_same_moment_run_each_as_its_own() -> None:
    client = AsyncClient()
    responses = await asyncio.gather(
        *(
            client.get(
                address, headers={"X-SSE-Tab": "tab", "X-SSE-Request": str(number)}
            )
            for number in range(10)
            for address in ("/who/", "/awho/")
        )
    )
    answers = [response.content.decode() for response in responses]
    assert answers[::2] == [f"tab.{number}" for number in range(10)]
    assert answers[1::2] == [f"tab.{number} tab.{number}" for number in range(10)]


@pytest.mark.parametrize(
    "headers",
    [
        {"X-SSE-Tab": "tab1"},
        {"X-SSE-Request": "7"},
        {"X-SSE-Tab": "", "X-SSE-Request": "7"},
        {"X-SSE-Tab": "a.b", "X-SSE-Request": "7"},
        {"X-SSE-Tab": "a", "X-SSE-Request": "7\n"},
        {"X-SSE-Tab": "a", "X-SSE-Request": '"><script>'},
        {"X-SSE-Tab": 65 * "a", "X-SSE-Request": "7"},
        {"X-SSE-Tab": "ä", "X-SSE-Request": "7"},
        {"X-SSE-Tab": "a\0", "X-SSE-Request": "7"},
    ],
)
def test_what_is_no_sender_is_none(client: Client, headers: dict[str, str]) -> None:
    assert client.get("/who/", headers=headers).content == b"None"


def test_a_view_that_fails_leaves_no_sender(client: Client) -> None:
    client.raise_request_exception = False
    assert client.get("/fails/", headers=HEADERS).status_code == 500
    assert client.get("/who/").content == b"None"


def test_an_exception_that_passes_leaves_no_sender() -> None:
    request = RequestFactory().get("/", headers=HEADERS)
    with pytest.raises(LookupError):
        SSEComponentsMiddleware(fails)(request)
    assert operations.sender.get() is None


def test_all_middleware_above_runs_in_one_go() -> None:
    # Django runs a chain in the request's thread as soon as one of it can't be awaited.
    assert getattr(SSEComponentsMiddleware, "async_capable", True) is False
