"""The pages of the console, for staff."""

from __future__ import annotations

from collections.abc import Callable
from functools import wraps
from typing import Any, Concatenate, Final, ParamSpec, cast

from django.core.exceptions import PermissionDenied
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import render
from django.utils import timezone
from django.views.decorators.cache import never_cache

from sse_components import conf, runtime
from sse_components.console import who
from sse_components.groups import is_staff

P = ParamSpec("P")
View = Callable[Concatenate[HttpRequest, P], HttpResponse]

TEMPLATES: Final = "sse_components/console"
OFF: Final = (
    f"The console is off. In the settings, {conf.NAME} = {{'CONSOLE': True}} turns it "
    "on, for staff."
)


def register() -> None:
    """Have the components be known; without the console nobody is to find them."""
    from sse_components.console import components  # noqa: F401  # registers them


def _for_staff(view: View[P]) -> View[P]:
    @never_cache
    @wraps(view)
    def checked(
        request: HttpRequest, *args: P.args, **kwargs: P.kwargs
    ) -> HttpResponse:
        if not runtime.settings().console:
            raise Http404(OFF)
        user = getattr(request, "user", None)
        if user is None or not user.is_authenticated:
            # Late: it needs the models of django.contrib.auth.
            from django.contrib.auth.views import redirect_to_login

            return redirect_to_login(request.get_full_path())
        if not is_staff(user):
            raise PermissionDenied
        if not runtime.has_streams():
            return _page(request, "silent", "", status=503)
        register()
        return view(request, *args, **kwargs)

    return cast("View[P]", checked)  # the names of its arguments are those of `view`


@_for_staff
def overview(request: HttpRequest) -> HttpResponse:
    """What there is, and who came last."""
    return _page(request, "overview_page", "overview")


@_for_staff
def groups(request: HttpRequest) -> HttpResponse:
    """What is heard."""
    return _page(request, "groups_page", "groups")


@_for_staff
def group(request: HttpRequest, name: str) -> HttpResponse:
    """Who hears a group, and what it had."""
    return _page(request, "group_page", "groups", name=name)


@_for_staff
def people(request: HttpRequest) -> HttpResponse:
    """Who is online."""
    return _page(request, "people_page", "people")


@_for_staff
def person(request: HttpRequest, user: str) -> HttpResponse:
    """One user, by primary key."""
    name = who.names_of([user]).get(user, f"User {user}")
    return _page(request, "person_page", "people", pk=user, name=name)


@_for_staff
def visitors(request: HttpRequest) -> HttpResponse:
    """The connections of those who aren't logged in."""
    return _page(request, "visitors_page", "people")


@_for_staff
def events(request: HttpRequest) -> HttpResponse:
    """What is published now."""
    return _page(request, "events_page", "events")


@_for_staff
def why(request: HttpRequest) -> HttpResponse:
    """Why somebody did or didn't get an event."""
    names = ("event", "user", "group")
    asked = {name: request.GET.get(name, "").strip() for name in names}
    return _page(request, "why_page", "why", asked=asked)


def _page(
    request: HttpRequest, template: str, here: str, status: int = 200, **context: Any
) -> HttpResponse:
    zone = timezone.get_current_timezone_name()
    context |= {"here": here, "zone": zone}
    return render(request, f"{TEMPLATES}/{template}.html", context, status=status)
