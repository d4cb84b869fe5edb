"""A site whose visitors log in and out, and that notes what becomes of them."""

from __future__ import annotations

import json
import os
from collections.abc import Callable
from pathlib import Path
from threading import current_thread
from typing import Any

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "project.settings")

from django.conf import settings
from django.contrib import auth
from django.db.backends.signals import connection_created
from django.http import HttpRequest, HttpResponse, JsonResponse
from django.template import engines
from django.urls import include, path

from sse_components import ComponentDispatcher, ReactiveComponent
from sse_components.asgi import get_asgi_application

settings.SSE_COMPONENTS |= json.loads(os.environ.get("SETTINGS", "{}"))
# Before the addresses are made, which depend on them.

QUERIES: list[str] = []
CONNECTIONS: list[str] = []
"""The threads that opened one."""


class Note(ReactiveComponent):
    """Follows the group that it is given."""

    template = "<p>{{ component.group }}</p>"

    def load(self, group: str) -> None:
        self.group = group

    def get_subscription(self) -> str:
        return self.group


def page(request: HttpRequest) -> HttpResponse:
    """Show a component for each group of the query."""
    source = (
        "{% load sse_components %}<title>A page</title>{% for group in groups %}"
        '{% component "tests.Note" group %}{% endfor %}{% sse_scripts %}'
    )
    context = {"groups": request.GET.getlist("group")}
    template = engines["django"].from_string(source)
    return HttpResponse(template.render(context, request))


def log_in(request: HttpRequest) -> HttpResponse:
    user, _ = auth.get_user_model().objects.get_or_create(username=_name(request))
    auth.login(request, user, "django.contrib.auth.backends.ModelBackend")
    return HttpResponse(str(user.pk))


def log_out(request: HttpRequest) -> HttpResponse:
    auth.logout(request)
    return HttpResponse()


def visit(request: HttpRequest) -> HttpResponse:
    """Give a visitor a session, who isn't logged in."""
    request.session["cart"] = [1]
    return HttpResponse()


def change_password(request: HttpRequest) -> HttpResponse:
    user = _user(request)
    user.set_password("another")
    user.save()
    return HttpResponse()


def deactivate(request: HttpRequest) -> HttpResponse:
    user = _user(request)
    user.is_active = False
    user.save(update_fields=["is_active"])
    return HttpResponse()


def save(request: HttpRequest) -> HttpResponse:
    """Change what nobody's rights depend on."""
    user = _user(request)
    user.first_name = "Anna"
    user.save()
    return HttpResponse()


def delete(request: HttpRequest) -> HttpResponse:
    _user(request).delete()
    return HttpResponse()


def revoke(request: HttpRequest) -> HttpResponse:
    revoking.revoke(_user(request), request.GET["pattern"])
    return HttpResponse()


def disconnect(request: HttpRequest) -> HttpResponse:
    revoking.disconnect_user(_user(request))
    return HttpResponse()


def publish(request: HttpRequest) -> HttpResponse:
    ComponentDispatcher.sync.publish(request.GET["group"], "hello", {})
    return HttpResponse()


def publish_to_session(request: HttpRequest) -> HttpResponse:
    """Publish to the group by which Python knows the visitor's session."""
    request.session.keys()  # loads it
    group = f"session.{request.session.session_key}"
    ComponentDispatcher.sync.publish(group, "hello", {})
    return HttpResponse()


def counted(request: HttpRequest) -> HttpResponse:
    """Say what the process has had to do with its database so far."""
    return JsonResponse({"queries": QUERIES, "connections": CONNECTIONS})


def who(request: HttpRequest) -> HttpResponse:
    """Say what this process knows of a user, and who is in a group."""
    status = presence.status(request.GET["user"])
    group = request.GET.get("group")
    members = presence.members(group).members if group else []
    return JsonResponse(
        {
            "online": status.online,
            "connections": status.connections,
            "since": status.since and status.since.isoformat(),
            "last_seen": status.last_seen and status.last_seen.isoformat(),
            "members": [[member.user, member.connections] for member in members],
        }
    )


VIEWS: list[Callable[..., HttpResponse]] = [
    page,
    log_in,
    log_out,
    visit,
    change_password,
    deactivate,
    save,
    delete,
    revoke,
    disconnect,
    publish,
    publish_to_session,
    counted,
    who,
]
settings.ROOT_URLCONF = __name__
settings.MIDDLEWARE = [m for m in settings.MIDDLEWARE if "csrf" not in m]
settings.PASSWORD_HASHERS = ["django.contrib.auth.hashers.MD5PasswordHasher"]
application = get_asgi_application()
urlpatterns = [
    path("api/", include("api.urls")),  # by which a test sees that the site is up
    path("", include("sse_components.urls")),
    *(path(view.__name__, view) for view in VIEWS),
]


def _name(request: HttpRequest) -> str:
    return request.GET["name"]


def _user(request: HttpRequest) -> Any:
    return auth.get_user_model().objects.get(username=_name(request))


def _count_queries(*, connection: Any, **kwargs: Any) -> None:
    CONNECTIONS.append(current_thread().name)

    def count_one(execute: Callable[..., Any], sql: str, *arguments: Any) -> Any:
        QUERIES.append(sql)
        return execute(sql, *arguments)

    connection.execute_wrappers.append(count_one)


def _note(*, sender: object, signal: object, **arguments: Any) -> None:
    """Append what the signal says to a file, in one write."""
    line = json.dumps(arguments | {"process": os.getpid()}, default=str) + "\n"
    with Path(os.environ["SIGNALS"]).open("a") as file:
        file.write(line)


connection_created.connect(_count_queries)

from sse_components import presence, revoking  # noqa: E402  # apps are there now
from sse_components.signals import presence_changed  # noqa: E402

if "SIGNALS" in os.environ:
    presence_changed.connect(_note)
