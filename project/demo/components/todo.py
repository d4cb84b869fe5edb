"""A to-do list, each visitor's own."""

from __future__ import annotations

from django.db import transaction
from django.db.models import Max
from django.http import Http404

from project.demo.models import TodoItem, list_group
from project.demo.owners import owner_of
from sse_components import ComponentDispatcher, ReactiveComponent, public
from sse_components.models import suppress_events

ITEMS = 100
"""How many a list has room for."""
ALL_ITEMS = 10_000
"""How many are kept, of all lists."""


class TodoList(ReactiveComponent):
    """Hears which rows there are; what becomes of each is the row's to hear."""

    template_name = "demo/todo_list.html"

    def load(self) -> None:
        self.owner = owner_of(self.request)
        self.items = TodoItem.objects.filter(owner=self.owner)

    def get_subscription(self) -> str:
        return list_group(self.owner)

    def get_covers(self) -> str:
        return f"{list_group(self.owner)}.*"


class TodoAdd(ReactiveComponent):
    draft = public("")
    template_name = "demo/todo_add.html"
    fault = ""

    @public
    def add(self, title: str) -> bool:
        """Return whether there is nothing left to say of it."""
        owner, title = owner_of(self.request), _one_line(title)
        items = TodoItem.objects.filter(owner=owner)
        is_full = items.count() >= ITEMS
        self.fault = f"A list has room for {ITEMS}." if is_full else ""
        if title and not is_full:
            last = items.aggregate(last=Max("position"))["last"] or 0
            TodoItem.objects.create(owner=owner, title=title, position=last + 1)
            _forget_oldest()
        return not is_full


class TodoRow(ReactiveComponent):
    """Bound in the page: of a change it needs no more than the new values."""

    title = public("")
    done = public(False)
    template_name = "demo/todo_row.html"

    def load(self, item: TodoItem) -> None:
        if item.owner != owner_of(self.request):
            raise Http404("There is no such row in this list.")
        self.item = item
        self.title, self.done = item.title, item.done

    def get_subscription(self) -> str:
        return self.item.group_instance()

    @public(update=False).watch("title").debounce(400)
    def rename(self) -> None:
        title = _one_line(self.title)
        if title and title != self.item.title:
            self.item.title = title
            self.item.save(update_fields=["title"])
        self.title = self.item.title

    @public(update=False).watch("done")
    def check(self) -> None:
        self.item.done = self.done
        self.item.save(update_fields=["done"])

    @public(update=False)
    def move(self, by: int) -> None:
        """Change places with a row further up, or down."""
        with transaction.atomic():
            _swap(self.item, by)

    @public
    def discard(self) -> None:
        self.item.delete()
        self.client.remove()


class TodoCount(ReactiveComponent):
    """How many are done: it hears of every row of the list."""

    template_name = "demo/todo_count.html"

    def load(self) -> None:
        self.owner = owner_of(self.request)
        items = TodoItem.objects.filter(owner=self.owner)
        self.total, self.done = items.count(), items.filter(done=True).count()

    def get_subscription(self) -> str:
        return f"{list_group(self.owner)}.*"

    @public
    def clear(self) -> None:
        TodoItem.objects.filter(owner=self.owner, done=True).delete()


def _one_line(title: str) -> str:
    return " ".join(title.split())[:200]


def _swap(item: TodoItem, by: int) -> None:
    rows = list(TodoItem.objects.select_for_update().filter(owner=item.owner))
    here = rows.index(item)
    there = max(0, min(here + by, len(rows) - 1))
    rows[here], rows[there] = rows[there], rows[here]
    for position, row in enumerate(rows):
        row.position = position
    with suppress_events():  # in which order they are is the list's, and no row's
        TodoItem.objects.bulk_update(rows, ["position"])
    ComponentDispatcher.on_commit.data_changed(list_group(item.owner))


def _forget_oldest() -> None:
    old = TodoItem.objects.order_by("-pk").values_list("pk", flat=True)[ALL_ITEMS:]
    TodoItem.objects.filter(pk__in=list(old)).delete()
