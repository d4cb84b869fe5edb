"""A site that publishes from wherever Django code runs: settings are the project's."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Callable
from threading import Thread
from typing import Any

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "project.settings")

from asgiref.sync import async_to_sync
from django.conf import settings
from django.db import transaction
from django.db.models.signals import post_save
from django.http import HttpRequest, HttpResponse
from django.urls import include, path

from sse_components import ComponentDispatcher
from sse_components.asgi import get_asgi_application
from sse_components.brokers.base import Published

GROUP = "news.updates"
DATA = {"headline": "Hello"}


async def from_an_async_view(request: HttpRequest) -> HttpResponse:
    for _ in _times(request):
        published = await ComponentDispatcher.data_changed(GROUP, DATA)
    return HttpResponse(str(published.position))


def from_a_sync_view(request: HttpRequest) -> HttpResponse:
    for _ in _times(request):
        published = ComponentDispatcher.sync.data_changed(GROUP, DATA)
    return HttpResponse(str(published.position))


def from_a_sync_view_by_the_coroutine(request: HttpRequest) -> HttpResponse:
    for _ in _times(request):
        published = async_to_sync(ComponentDispatcher.data_changed)(GROUP, DATA)
    return HttpResponse(str(published.position))


def from_a_thread(request: HttpRequest) -> HttpResponse:
    for _ in _times(request):
        published = _in_a_thread(
            lambda: ComponentDispatcher.sync.data_changed(GROUP, DATA)
        )
    return HttpResponse(str(published.position))


def from_a_thread_with_a_loop(request: HttpRequest) -> HttpResponse:
    for _ in _times(request):
        published = _in_a_thread(
            lambda: asyncio.run(ComponentDispatcher.data_changed(GROUP, DATA))
        )
    return HttpResponse(str(published.position))


def from_a_signal_handler(request: HttpRequest) -> HttpResponse:
    from project.demo.models import BreakingNews

    with transaction.atomic():
        for _ in _times(request):
            BreakingNews.objects.create(title=DATA["headline"])
    return HttpResponse()


def from_a_signal_handler_of_what_is_rolled_back(request: HttpRequest) -> HttpResponse:
    from project.demo.models import BreakingNews

    with transaction.atomic():
        BreakingNews.objects.create(title="never was")
        transaction.set_rollback(True)
    return HttpResponse()


VIEWS: list[Callable[..., Any]] = [
    from_an_async_view,
    from_a_sync_view,
    from_a_sync_view_by_the_coroutine,
    from_a_thread,
    from_a_thread_with_a_loop,
    from_a_signal_handler,
    from_a_signal_handler_of_what_is_rolled_back,
]
settings.ROOT_URLCONF = __name__
application = get_asgi_application()
urlpatterns = [
    path("api/", include("api.urls")),  # by which a test sees that the site is up
    *(path(view.__name__, view) for view in VIEWS),
]


def _times(request: HttpRequest) -> range:
    return range(int(request.GET.get("times", 1)))


def _in_a_thread(publish: Callable[[], Published]) -> Published:
    published: list[Published] = []
    thread = Thread(target=lambda: published.append(publish()))
    thread.start()
    thread.join()
    return published[0]


def _on_save(sender: object, instance: Any, **kwargs: Any) -> None:
    ComponentDispatcher.on_commit.data_changed(GROUP, {"headline": instance.title})


post_save.connect(_on_save, sender="demo.BreakingNews")
