"""The pages of the site, and what a test does to it."""

from __future__ import annotations

import json
from collections.abc import Callable

from django.http import HttpRequest, HttpResponse, JsonResponse
from django.template import engines
from django.urls import include, path
from django.views.decorators.cache import cache_page
from django.views.decorators.csrf import csrf_exempt

from sse_components import ComponentDispatcher
from tests.browser.live.components.lists import ITEMS, STOCK
from tests.browser.live.components.loads import LOADS

HEAD = '<!doctype html><title>t</title><link rel="icon" href="data:,">'
TAGS = "{% load sse_components %}"


def _page(body: str) -> Callable[[HttpRequest], HttpResponse]:
    def view(request: HttpRequest) -> HttpResponse:
        source = f"{TAGS}{HEAD}{body}{{% sse_scripts %}}"
        template = engines["django"].from_string(source)
        return HttpResponse(template.render({}, request))

    return view


def published_while_rendering(request: HttpRequest) -> HttpResponse:
    """A page for which an event is published after its data was read."""
    source = f'{TAGS}{HEAD}{{% component "live.Quiet" %}}{{% sse_scripts %}}'
    html = engines["django"].from_string(source).render({}, request)
    ComponentDispatcher.sync.data_changed("board.news", {"headline": "just in time"})
    return HttpResponse(html)


@csrf_exempt
def state(request: HttpRequest) -> JsonResponse:
    """Return how often components were loaded; with a body, set the items first."""
    if request.method == "POST":
        ITEMS[:] = json.loads(request.body)
    return JsonResponse(LOADS)


@csrf_exempt
def stock(request: HttpRequest) -> JsonResponse:
    """Add an article to the catalogue."""
    STOCK.append(len(STOCK))
    ComponentDispatcher.sync.component_created("stock.article")
    return JsonResponse(STOCK[-1], safe=False)


urlpatterns = [
    path("board", _page('{% component "live.Board" %}{% component "live.Quiet" %}')),
    path("shelf", _page('{% component "live.Shelf" %}')),
    path("basket", _page('{% component "live.Basket" %}')),
    path(
        "tiles",
        _page("".join(f'{{% component "live.Tile" {n} key={n} %}}' for n in range(20))),
    ),
    path(
        "stockroom",
        _page('{% component "live.Shelf" %}{% component "live.Basket" %}'),
    ),
    path("catalogue", _page('{% component "live.Catalogue" %}')),
    path("text", _page('{% component "live.Text" %}')),
    path("letter", _page('{% component "live.Letter" %}')),
    path("finder", _page('{% component "live.Finder" %}')),
    path("doer", _page('{% component "live.Doer" %}')),
    path(
        "counts",
        _page(
            '{% component "live.Count" "a" key="a" %}'
            '{% component "live.Count" "b" key="b" %}'
        ),
    ),
    path(
        "many",
        _page('{% component "live.Shelf" %}' + '{% component "live.Quiet" %}' * 20),
    ),
    path(
        "own-alpine",
        _page(
            '<script src="/alpine.js" defer></script>'
            "<script>addEventListener('alpine:init', () => theirs = Alpine)</script>"
            '{% component "live.Quiet" %}'
        ),
    ),
    path("cached", cache_page(60)(_page('{% component "live.Board" %}'))),
    path(
        "fragment",
        _page(
            '{% load cache %}{% cache 60 board %}{% component "live.Board" %}'
            "{% endcache %}"
        ),
    ),
    path("none", _page("<p>nothing live</p>")),
    path("race", published_while_rendering),
    path("state", state),
    path("stock", stock),
    path("", include("sse_components.urls")),
    path("api/", include("api.urls")),
]
