"""The pages, and what a test has the server do to the rows."""

from __future__ import annotations

import time
from collections.abc import Callable
from decimal import Decimal
from typing import Any

from django.conf.urls.i18n import i18n_patterns
from django.db import transaction
from django.http import HttpRequest, HttpResponse, JsonResponse
from django.template import engines
from django.urls import include, path
from django.views.decorators.csrf import csrf_exempt

from sse_components.models import suppress_events
from tests.shop.components import LOADS
from tests.shop.models import Author, BestSeller, Book, Note, Review, Tag, Task

SOURCE = (
    '{% load sse_components %}<!doctype html><title>t</title><link rel="icon"'
    ' href="data:,">BODY{% sse_scripts %}'
)


def _page(body: str) -> Callable[..., HttpResponse]:
    def view(request: HttpRequest, **context: Any) -> HttpResponse:
        context["books"] = Book.objects.order_by("pk")
        context["reviews"] = Review.objects.order_by("pk")
        template = engines["django"].from_string(SOURCE.replace("BODY", body))
        return HttpResponse(template.render(context, request))

    return view


@csrf_exempt
def do(request: HttpRequest, name: str) -> JsonResponse:
    """Do one of the things below with what was posted, and say what came out."""
    return JsonResponse({"result": _DOINGS[name](**request.POST.dict())})


def clear() -> None:
    for model in (Note, Book, Author, Tag, Task):
        with suppress_events():
            model._default_manager.all().delete()
    LOADS.clear()


def create(text: str) -> int:
    return Note.objects.create(text=text).pk


def change(pk: str, text: str) -> None:
    note = Note.objects.get(pk=pk)
    note.text = text
    note.save()


def delete(pk: str) -> None:
    Note.objects.get(pk=pk).delete()


def vanish(pk: str) -> None:
    """Delete a row without a word."""
    with suppress_events():
        delete(pk)


def roll_back(text: str) -> None:
    with transaction.atomic():
        Note.objects.create(text=text)
        transaction.set_rollback(True)


def keep_one_of_two(kept: str, lost: str) -> None:
    with transaction.atomic():
        with transaction.atomic():
            Note.objects.create(text=lost)
            transaction.set_rollback(True)
        Note.objects.create(text=kept)


def hold(text: str, seconds: str) -> None:
    """Create a row in a transaction that stays open for a while."""
    with transaction.atomic():
        Note.objects.create(text=text)
        time.sleep(float(seconds))


def create_many(count: str) -> None:
    Note.objects.bulk_create([Note(text=f"new {n:02}") for n in range(int(count))])


def change_all(text: str) -> int:
    return Note.objects.update(text=text)


def delete_all() -> None:
    Note.objects.all().delete()


def create_book(title: str, author: str = "") -> int:
    writer = Author.objects.create(name=author) if author else None
    return Book.objects.create(title=title, author=writer).pk


def change_book(pk: str, title: str, price: str) -> None:
    book = BestSeller.objects.get(pk=pk)
    book.title, book.price = title, Decimal(price)
    book.save()


def create_review(stars: str) -> int:
    book = Book.objects.create(title="x")
    return Review.objects.create(book=book, stars=int(stars)).pk


def rate(pk: str, stars: str, late: str = "0") -> None:
    """Change a review; the event comes so many seconds after the commit."""
    with transaction.atomic():
        transaction.on_commit(lambda: time.sleep(float(late)))
        review = Review.objects.get(pk=pk)
        review.stars = int(stars)
        review.save()


def rate_by_query(pk: str, stars: str) -> None:
    """Change a review; the event doesn't say how."""
    Review.objects.filter(pk=pk).update(stars=int(stars))


def delete_author(name: str) -> None:
    Author.objects.get(name=name).delete()


def tag(pk: str, name: str) -> None:
    Tag.objects.create(name=name).books.add(Book.objects.get(pk=pk))


def create_task(project: str, title: str) -> int:
    return Task.objects.create(project=int(project), title=title).pk


def move_task(pk: str, project: str) -> None:
    task = Task.objects.get(pk=pk)
    task.project = int(project)
    task.save()


_DOINGS: dict[str, Callable[..., Any]] = {
    doing.__name__: doing
    for doing in (
        clear,
        create,
        change,
        delete,
        vanish,
        roll_back,
        keep_one_of_two,
        hold,
        create_many,
        change_all,
        delete_all,
        create_book,
        change_book,
        create_review,
        rate,
        rate_by_query,
        delete_author,
        tag,
        create_task,
        move_task,
    )
}


async def change_thrice(request: HttpRequest, pk: int) -> JsonResponse:
    """Save a row three times, as an asynchronous view does."""
    note = await Note.objects.aget(pk=pk)
    for text in ("one", "two", "three"):
        note.text = text
        await note.asave()
    return JsonResponse({"result": None})


def loads(request: HttpRequest) -> JsonResponse:
    """Return how often each component was loaded."""
    return JsonResponse(LOADS)


_BOOKS = '{% for book in books %}{% component "shop.BookCard" book %}{% endfor %}'
_REVIEWS = '{% for review in reviews %}{% component "shop.Stars" review %}{% endfor %}'
_RATERS = '{% for review in reviews %}{% component "shop.Rater" review %}{% endfor %}'
_PROJECTS = (
    '{% component "shop.TaskList" 7 key=7 %}{% component "shop.TaskList" 8 key=8 %}'
)

urlpatterns = [
    *i18n_patterns(path("month", _page('{% component "shop.Month" %}'))),
    path("notes", _page('{% component "shop.NoteList" %}')),
    path("books", _page(_BOOKS)),
    path("reviews", _page(_REVIEWS)),
    path("raters", _page(_RATERS)),
    path("projects", _page(_PROJECTS)),
    path("projects/<int:project>", _page('{% component "shop.TaskList" project %}')),
    path("do/<name>", do),
    path("change-thrice/<int:pk>", change_thrice),
    path("loads", loads),
    path("", include("sse_components.urls")),
    path("api/", include("api.urls")),
]
