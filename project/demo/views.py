"""The pages a newcomer sees."""

from __future__ import annotations

from django.conf import settings
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.views.decorators.http import require_POST

from project.demo.models import BreakingNews
from sse_components import ComponentDispatcher

GROUP = "news.updates"
DEMO_KEY = "demo-key"


def news(request: HttpRequest) -> HttpResponse:
    """A page that uses nothing but the browser's own EventSource."""
    context = {
        "group": GROUP,
        "key": DEMO_KEY if settings.SSE_API_KEY == DEMO_KEY else "<your key>",
        "headlines": BreakingNews.objects.all()[:5],
        "address": request.build_absolute_uri(f"/api/v1/groups/{GROUP}/data-changed"),
    }
    return render(request, "demo/news.html", context)


@require_POST
def publish(request: HttpRequest) -> HttpResponse:
    """Save a headline and tell everybody, when it is saved."""
    if title := request.POST.get("headline", "").strip()[:200]:
        BreakingNews.objects.create(title=title)
        ComponentDispatcher.on_commit.data_changed(GROUP, {"headline": title})
    if "application/json" in request.headers.get("Accept", ""):
        return HttpResponse(status=204)
    return redirect("news")
