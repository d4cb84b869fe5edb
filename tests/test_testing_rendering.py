from __future__ import annotations

from collections.abc import AsyncIterator, Iterator, Sequence
from datetime import date
from typing import Any

import pytest
from asgiref.sync import sync_to_async
from django.contrib.auth.models import User
from django.core.cache import cache
from django.core.exceptions import PermissionDenied
from django.http import Http404, HttpRequest, HttpResponse
from django.test import Client
from pytest_django import Settings

from project.demo.models import BreakingNews
from sse_components import ComponentDispatcher, ReactiveComponent, public, runtime
from sse_components.components.registry import UnknownComponent
from sse_components.grants import COOKIE
from sse_components.testing import CallRefused, capture_events, render_component


@pytest.fixture(autouse=True)
def _nothing_is_remembered() -> Iterator[None]:
    yield
    cache.clear()


@pytest.fixture
def user(db: None) -> User:
    return User.objects.create_user("anna")


class Shelf(ReactiveComponent):
    """Shows what it is given, and who asks."""

    label = public("none")
    count = public(0)
    day: date = public(date(2026, 11, 29))
    subscription = ["news.shelf", "session", "user"]
    template = (
        "<section><h2>{{ label }}</h2> <b>{{ count }}</b> of"
        "\n{{ request.user }} at {{ component.page }}</section>"
    )

    def load(self, label: str = "loaded", pk: int | None = None) -> None:
        if pk is not None and not BreakingNews.objects.filter(pk=pk).exists():
            raise Http404
        self.label = label

    @public
    def add(self, by: int = 1) -> int:
        self.count += by
        return self.count

    @public(update=False)
    def quiet(self) -> None:
        self.count += 1

    @public(update=False)
    def keep(self) -> int:
        self.steps = getattr(self, "steps", 0) + 1
        return self.steps

    @public(update=False)
    def clear(self) -> None:
        self.count = 5
        self.client.update(count=0, unknown=1)

    @public
    def act(self) -> None:
        self.client.dispatch("saved", {"id": 7})
        self.client.redirect("/next")

    @public
    def remove(self) -> None:
        self.client.remove()

    @public
    def publish(self) -> None:
        ComponentDispatcher.sync.data_changed("news.shelf")

    @public
    def next_day(self, day: str) -> str:
        return f"{self.day.isoformat()} {day}"

    @public
    def forbidden(self) -> None:
        raise PermissionDenied

    @public
    def broken(self) -> None:
        raise ZeroDivisionError


# Rendering


def test_a_component_is_rendered_by_name_or_class() -> None:
    for which in ("tests.Shelf", Shelf):
        shelf = render_component(which)
        assert shelf.html.startswith('<section data-sse-component="tests.Shelf"')
        assert shelf.text == "loaded 0 of AnonymousUser at /"
        assert shelf.props == {"label": "loaded", "count": 0, "day": "2026-11-29"}
        assert shelf.id == "tests.Shelf"
        assert shelf.key is None
        assert shelf.groups == ["news.shelf"]
        assert shelf.state in shelf.html


def test_the_arguments_are_those_of_the_tag() -> None:
    assert render_component(Shelf, "given").props["label"] == "given"
    assert render_component(Shelf, label="by name").props["label"] == "by name"
    shelf = render_component(Shelf, key=7, subscribe="news.other")
    assert (shelf.id, shelf.key) == ("tests.Shelf:7", "7")
    assert shelf.groups == ["news.other"]


def test_a_component_is_rendered_for_a_user(user: User) -> None:
    shelf = render_component(Shelf, user=user)
    assert "of anna" in shelf.text
    *_, session, own = shelf.groups
    assert session.startswith("session.h-")
    assert own == f"auth.user.{user.pk}"


def test_a_component_is_rendered_in_the_browser_of_a_test_client(
    user: User, client: Client
) -> None:
    client.force_login(user)
    assert "of anna" in render_component(Shelf, client=client).text


def test_a_page_has_a_path() -> None:
    shelf = render_component(Shelf, path="/shelf?page=2")
    assert shelf.text.endswith("at /shelf?page=2")
    assert shelf.call("add").text.endswith("at /shelf?page=2")


def test_what_is_wrong_with_a_component_is_raised() -> None:
    with pytest.raises(UnknownComponent):
        render_component("tests.Nothing")
    with pytest.raises(TypeError):
        render_component(Shelf, unknown=1)


def test_the_middleware_is_the_projects_own(settings: Settings) -> None:
    settings.MIDDLEWARE = [*settings.MIDDLEWARE, f"{__name__}.as_anna"]
    assert "of Anna" in render_component(Shelf).text


def as_anna(get_response: Any) -> Any:
    def middleware(request: HttpRequest) -> Any:
        request.user = User(username="Anna")
        return get_response(request)

    return middleware


@pytest.mark.django_db
def test_that_pages_need_a_login_is_not_the_components_affair(
    settings: Settings,
) -> None:
    name = "django.contrib.auth.middleware.LoginRequiredMiddleware"
    settings.MIDDLEWARE = [*settings.MIDDLEWARE, name]
    assert render_component(Shelf).text.startswith("loaded")


def test_a_middleware_that_answers_itself_is_named_by_its_answer(
    settings: Settings,
) -> None:
    settings.MIDDLEWARE = [*settings.MIDDLEWARE, f"{__name__}.closed"]
    with pytest.raises(RuntimeError, match="answered with 503 before"):
        render_component(Shelf)


def closed(get_response: Any) -> Any:
    return lambda request: HttpResponse(status=503)


def test_a_project_that_is_served_over_tls_only_is_asked_over_tls(
    settings: Settings,
) -> None:
    settings.SECURE_SSL_REDIRECT = True
    assert render_component(Shelf).call("add").result == 1


# Calling


def test_a_call_returns_what_the_page_shows_then() -> None:
    shelf = render_component(Shelf, "given")
    added = shelf.call("add", 5, count=2)
    assert added.text.startswith("given 7")
    assert added.props["count"] == added.result == 7
    assert (added.id, added.groups, added.client) == (shelf.id, shelf.groups, [])
    assert shelf.props["count"] == 0
    assert added.call("add").result == 8


def test_a_call_that_does_not_render_leaves_the_html() -> None:
    shelf = render_component(Shelf)
    called = shelf.call("quiet")
    assert called.html == shelf.html
    assert called.props["count"] == 1
    assert called.call("quiet").props["count"] == 2


def test_what_a_component_keeps_is_there_at_the_next_call() -> None:
    shelf = render_component(Shelf)
    kept = shelf.call("keep")
    assert kept.state not in kept.html
    assert kept.call("keep").call("keep").result == 3
    shown = kept.call("add")
    assert shown.state in shown.html
    assert shown.call("quiet").call("keep").result == 2


def test_what_a_method_sets_in_the_page_is_sent_with_the_next_call() -> None:
    cleared = render_component(Shelf).call("add", 7).call("clear")
    assert cleared.props == {"label": "loaded", "count": 0, "day": "2026-11-29"}
    assert cleared.call("add").result == 1


def test_a_call_tells_what_is_to_be_done_in_the_page() -> None:
    acted = render_component(Shelf).call("act")
    assert acted.client == [["dispatch", "saved", {"id": 7}], ["redirect", "/next"]]
    assert render_component(Shelf).call("remove").client == [["remove"]]


def test_what_a_call_publishes_has_the_tab_and_the_request_as_sender() -> None:
    shelf, other = render_component(Shelf), render_component(Shelf)
    with capture_events() as events:
        shelf.call("publish").call("publish")
        other.call("publish")
    tabs, requests = zip(*[str(e.sender).split(".") for e in events], strict=True)
    assert requests == ("1", "2", "1")
    assert tabs[0] == tabs[1] != tabs[2]


def test_values_travel_as_json() -> None:
    called = render_component(Shelf).call(
        "next_day", date(2026, 12, 2), day="2026-12-01"
    )
    assert called.result == "2026-12-01 2026-12-02"


def test_a_call_is_a_users(user: User) -> None:
    assert "of anna" in render_component(Shelf, user=user).call("add").text


def test_a_call_of_somebody_else_is_refused(user: User, client: Client) -> None:
    client.force_login(user)
    shelf = render_component(Shelf, client=client)
    client.force_login(User.objects.create_user("otto"))
    with pytest.raises(CallRefused, match="409 state: "):
        shelf.call("add")
    assert "of otto" in shelf.refresh().text


@pytest.mark.parametrize(
    ("method", "args", "status", "code"),
    [
        ("forbidden", (), 403, "forbidden"),
        ("broken", (), 500, "error"),
        ("load", (), 404, "method"),
        ("add", (1, 2), 422, "args"),
    ],
)
def test_a_refusal_has_a_status_and_a_code(
    method: str, args: Sequence[object], status: int, code: str
) -> None:
    shelf = render_component(Shelf)
    with pytest.raises(CallRefused) as refused:
        shelf.call(method, *args)
    assert (refused.value.status, refused.value.code) == (status, code)
    assert refused.value.detail
    assert str(refused.value).startswith(f"{status} {code}: {refused.value.detail}")


def test_a_refusal_names_the_values_at_fault() -> None:
    with pytest.raises(CallRefused) as refused:
        render_component(Shelf).call("add", count="many")
    assert [one["pointer"] for one in refused.value.errors] == ["/props/count"]
    assert "/props/count: " in str(refused.value)


def test_an_answer_that_is_not_the_librarys_is_a_refusal_too(
    settings: Settings,
) -> None:
    shelf = render_component(Shelf)
    settings.MIDDLEWARE = [f"{__name__}.closed"]
    with pytest.raises(CallRefused, match="503") as refused:
        shelf.call("add")
    assert refused.value.code == ""


# Refreshing


def test_a_refresh_loads_anew() -> None:
    shelf = render_component(Shelf).call("add")
    refreshed = shelf.refresh()
    assert refreshed.text.startswith("loaded 1")
    assert refreshed.result is None


def test_what_was_pushed_is_laid_over_what_is_loaded() -> None:
    refreshed = render_component(Shelf).refresh(label="pushed")
    assert refreshed.text.startswith("pushed 0")
    assert refreshed.refresh().text.startswith("loaded 0")


@pytest.mark.django_db
def test_what_is_gone_is_refused() -> None:
    news = BreakingNews.objects.create(title="Hello")
    shelf = render_component(Shelf, pk=news.pk)
    news.delete()
    with pytest.raises(CallRefused, match="410 gone"):
        shelf.refresh()
    with pytest.raises(Http404):
        render_component(Shelf, pk=7)


# Streams


@pytest.fixture
async def served() -> AsyncIterator[None]:
    hub = await runtime.start()
    await hub.recalled()
    yield
    await runtime.stop()


@pytest.mark.django_db(transaction=True)
async def test_where_streams_are_served_the_page_has_the_script_and_the_cookie(
    served: None, built: object
) -> None:
    user = await User.objects.acreate(username="anna")
    client = Client()
    shelf = await sync_to_async(render_component)(Shelf, user=user, client=client)
    page = shelf.response.content.decode()
    assert 'data-stream="/sse/stream"' in page
    assert page.startswith(shelf.html)
    assert COOKIE in client.cookies
    assert shelf.response.client is client  # type: ignore[attr-defined]
