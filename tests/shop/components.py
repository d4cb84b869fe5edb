"""Components that show the bookshop, and count how often they are loaded."""

from __future__ import annotations

from collections import Counter
from datetime import date

from sse_components import ReactiveComponent, public
from tests.shop.models import Book, Note, Review, Task

LOADS: Counter[str] = Counter()


class Month(ReactiveComponent):
    """Says when and where it is rendered."""

    subscription = "month.changed"
    template = (
        '<p id="month">{{ day|date:"F" }} on {{ component.page }}, {{ loads }}</p>'
    )

    def load(self) -> None:
        LOADS["month"] += 1
        self.day = date(2026, 1, 2)
        self.loads = LOADS["month"]


class NoteItem(ReactiveComponent):
    """One of a list, with a field that is nobody else's business."""

    text = public("")
    template = (
        '<li id="note-{{ note.pk }}">{{ text }}'
        '<input aria-label="remark {{ note.pk }}"></li>'
    )

    def load(self, note: Note) -> None:
        LOADS[f"note {note.pk}"] += 1
        self.note = note
        self.text = note.text

    def get_subscription(self) -> str | None:
        return self.note.group_instance()


class NoteList(ReactiveComponent):
    subscription = "shop.note"
    covers = "shop.note.*"
    template = (
        "{% load sse_components %}<ul>{% for note in notes %}"
        '{% component "shop.NoteItem" note %}{% endfor %}</ul>'
    )

    def load(self) -> None:
        LOADS["notes"] += 1
        self.notes = list(Note.objects.order_by("text"))


class BookCard(ReactiveComponent):
    """More travels than it has properties for."""

    title = public("")
    template = (
        '<article id="book-{{ book.pk }}"><h2 x-text="title"></h2>'
        '<p class="price">{{ book.price }}</p>'
        '<p class="tags">{{ tags|join:", " }}</p></article>'
    )

    def load(self, book: Book) -> None:
        LOADS[f"book {book.pk}"] += 1
        self.book = book
        self.title = book.title
        self.tags = book.tags.order_by("name").values_list("name", flat=True)

    def get_subscription(self) -> str | None:
        return self.book.group_instance()


class Stars(ReactiveComponent):
    """All that travels is bound in the page."""

    stars = public(0)
    template = '<p class="stars" x-text="stars"></p>'

    def load(self, review: Review) -> None:
        LOADS[f"review {review.pk}"] += 1
        self.review = review
        self.stars = review.stars

    def get_subscription(self) -> str | None:
        return self.review.group_instance()


class Rater(Stars):
    """Changes the row itself."""

    template = '<p class="stars"><b x-text="stars"></b> <a @click="rate">rate</a></p>'

    @public
    def rate(self) -> None:
        self.review.stars = 5
        self.review.save()


class TaskItem(ReactiveComponent):
    template = '<li id="task-{{ task.pk }}">{{ task.title }}</li>'

    def load(self, task: Task) -> None:
        LOADS[f"task {task.pk}"] += 1
        self.task = task

    def get_subscription(self) -> str | None:
        return self.task.group_instance()


class TaskList(ReactiveComponent):
    template = (
        '{% load sse_components %}<ul id="project-{{ project }}">'
        "{% for task in tasks %}"
        '{% component "shop.TaskItem" task %}{% endfor %}</ul>'
    )

    def load(self, project: int) -> None:
        LOADS[f"project {project}"] += 1
        self.project = project
        self.tasks = list(Task.objects.filter(project=project).order_by("pk"))

    def get_subscription(self) -> str:
        return f"project.{self.project}.tasks"

    def get_covers(self) -> str:
        return f"project.{self.project}.task.*"
