"""A bookshop: one model for each way to be reactive."""

from __future__ import annotations

import uuid

from django.db import models

from sse_components.models import ReactiveModel, ReactiveQuerySet


class Author(models.Model):
    """Not reactive."""

    name = models.CharField(max_length=100)

    def __str__(self) -> str:
        return self.name


class Tag(models.Model):
    """Not reactive either; books have them."""

    name = models.CharField(max_length=100)

    def __str__(self) -> str:
        return self.name


class Note(ReactiveModel):
    """Says nothing of itself: components fetch."""

    text = models.CharField(max_length=200)

    def __str__(self) -> str:
        return self.text


class Book(ReactiveModel):
    """Says all of itself."""

    title = models.CharField(max_length=200)
    author = models.ForeignKey(Author, on_delete=models.CASCADE, null=True)
    price = models.DecimalField(max_digits=8, decimal_places=2, default=0)
    published = models.DateTimeField(null=True)
    cover = models.FileField(null=True)
    facts = models.JSONField(default=dict)
    tags = models.ManyToManyField(Tag, related_name="books")
    shelves: models.ManyToManyField[Shelf, Placing] = models.ManyToManyField(
        "Shelf", through="Placing"
    )

    class Reactive:
        fields = "__all__"
        m2m = ["tags", "shelves"]

    def __str__(self) -> str:
        return self.title


class Shelf(models.Model):
    """Not reactive."""

    name = models.CharField(max_length=100)

    def __str__(self) -> str:
        return self.name


class Placing(models.Model):
    """Which book stands where."""

    book = models.ForeignKey(Book, on_delete=models.CASCADE)
    shelf = models.ForeignKey(Shelf, on_delete=models.CASCADE)

    def __str__(self) -> str:
        return f"{self.book} in {self.shelf}"


class BestSeller(Book):
    """A book by another name."""

    class Meta:
        proxy = True


class Paperback(Book):
    """A book with a table of its own beside it."""

    pages = models.IntegerField(default=0)

    class Reactive:
        fields = ["pages"]


class Review(ReactiveModel):
    """Goes with its book; its stars travel."""

    book = models.ForeignKey(Book, on_delete=models.CASCADE)
    stars = models.IntegerField(default=0)
    text = models.TextField(default="")
    readers = models.ManyToManyField(Author)

    class Reactive:
        fields = ["stars"]

    def __str__(self) -> str:
        return f"{self.stars} for {self.book}"


class TaskQuerySet(ReactiveQuerySet["Task"]):
    """A query set of one's own."""


class Task(ReactiveModel):
    """Belongs to a project, whose list it is in."""

    project = models.IntegerField(default=1)
    title = models.CharField(max_length=100, default="")

    objects = TaskQuerySet.as_manager()  # type: ignore[misc]  # the stubs miss ClassVar

    class Reactive:
        fields = ["title"]

    def group_instance(self) -> str:
        return f"project.{self.project}.task.{self.pk}"

    def group_collection(self) -> list[str]:
        return [f"project.{self.project}.tasks", "tasks.all"]

    def __str__(self) -> str:
        return self.title


class CarefulTask(Task):
    """Has no group as long as it has no key."""

    class Meta:
        proxy = True

    def group_instance(self) -> str:
        assert self.pk is not None
        return super().group_instance()


class Ticket(ReactiveModel):
    """Its key is given out here, not by the database, and no segment of a name."""

    code = models.TextField(primary_key=True)
    secret = models.UUIDField(default=uuid.uuid4)

    def __str__(self) -> str:
        return self.code


class Sheet(ReactiveModel):
    """Has more than travels, some of it in lists."""

    title = models.CharField(max_length=100)
    cells = models.JSONField(default=list)

    class Reactive:
        fields = ["title"]

    def __str__(self) -> str:
        return self.title


class Cube(ReactiveModel):
    """The database computes a part of it."""

    id = models.UUIDField(primary_key=True, default=uuid.uuid4)
    side = models.IntegerField()
    surface = models.GeneratedField(
        expression=models.F("side") * models.F("side") * 6,
        output_field=models.IntegerField(),
        db_persist=True,
    )

    class Reactive:
        fields = ["side"]

    def __str__(self) -> str:
        return str(self.side)


class Tree(ReactiveModel):
    """Has a list of its own, and the usual group for a row."""

    text = models.CharField(max_length=100)

    def __str__(self) -> str:
        return self.text

    def group_collection(self) -> str:
        return "trees"


class Leaf(Tree):
    """Has the usual list again."""

    def group_collection(self) -> str:
        return "shop.leaf"


class Friend(ReactiveModel):
    """Friendship goes both ways."""

    name = models.CharField(max_length=100)
    friends = models.ManyToManyField("self")

    class Reactive:
        m2m = ["friends"]

    def __str__(self) -> str:
        return self.name
