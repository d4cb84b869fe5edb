"""The pages a newcomer sees."""

from __future__ import annotations

from typing import Any

from django.conf import settings
from django.contrib.auth.views import redirect_to_login
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render, resolve_url
from django.views.decorators.http import require_POST

from project.demo.models import BreakingNews
from project.demo.owners import owner_of
from sse_components import ComponentDispatcher

GROUP = "news.updates"
DEMO_KEY = "demo-key"


def news(request: HttpRequest) -> HttpResponse:
    """Components that follow what is published."""
    return render(request, "demo/news.html", _how_to_publish(request))


def plain(request: HttpRequest) -> HttpResponse:
    """A page that uses nothing but the browser's own EventSource."""
    context = _how_to_publish(request)
    context |= {"group": GROUP, "headlines": BreakingNews.objects.all()[:5]}
    return render(request, "demo/plain.html", context)


def client(request: HttpRequest) -> HttpResponse:
    """A page with the transport client, and no component."""
    context = _how_to_publish(request, "news.sport")
    context["groups"] = ["news.updates", "news.sport", "news.*", "orders.7"]
    return render(request, "demo/client.html", context)


def bare(request: HttpRequest) -> HttpResponse:
    """A page without a component, which loads no script and opens no stream."""
    return render(request, "demo/bare.html")


def todo(request: HttpRequest) -> HttpResponse:
    """A to-do list, the visitor's own."""
    return render(request, "demo/todo.html", {"owner": owner_of(request)})


def job(request: HttpRequest) -> HttpResponse:
    """A long job, the visitor's own."""
    return render(request, "demo/job.html", {"owner": owner_of(request)})


def chat(request: HttpRequest) -> HttpResponse:
    """A chat, and who is in it."""
    return render(request, "demo/chat.html")


def online(request: HttpRequest) -> HttpResponse:
    """Who is online, for staff."""
    if request.user.is_staff:
        return render(request, "demo/people.html")
    return _for_staff(request)


def keys(request: HttpRequest) -> HttpResponse:
    """The way to the keys of the API, which are in Django's admin."""
    if request.user.is_staff or not settings.DEBUG:  # the admin asks for a login
        return redirect("admin:sse_components_api_apikey_changelist")
    return _for_staff(request)


def missing(request: HttpRequest, exception: Exception) -> HttpResponse:
    """What there is instead of a page that there isn't."""
    return render(request, "demo/missing.html", status=404)


@require_POST
def publish(request: HttpRequest) -> HttpResponse:
    """Save a headline and tell everybody, when it is saved."""
    if title := request.POST.get("headline", "").strip()[:200]:
        BreakingNews.objects.create(title=title)
        ComponentDispatcher.on_commit.data_changed(GROUP, {"headline": title})
    return _done(request)


@require_POST
def alert(request: HttpRequest) -> HttpResponse:
    """Notify everybody."""
    if message := request.POST.get("message", "").strip()[:200]:
        ComponentDispatcher.sync.notify(
            "broadcast", "tetra:alert", {"message": message}
        )
    return _done(request)


def _for_staff(request: HttpRequest) -> HttpResponse:
    if settings.DEBUG and not request.user.is_authenticated:
        return redirect_to_login(request.path, resolve_url("staff"))
    has_login = {"has_login": settings.DEBUG}
    return render(request, "demo/forbidden.html", has_login, status=403)


def _how_to_publish(request: HttpRequest, group: str = GROUP) -> dict[str, Any]:
    path = f"/api/v1/groups/{group}/data-changed"
    key = DEMO_KEY if settings.SSE_API_KEY == DEMO_KEY else "<your key>"
    return {"key": key, "address": request.build_absolute_uri(path)}


def _done(request: HttpRequest) -> HttpResponse:
    if "application/json" in request.headers.get("Accept", ""):
        return HttpResponse(status=204)
    return redirect("news")
