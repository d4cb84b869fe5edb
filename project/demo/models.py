"""The demo's tables."""

from __future__ import annotations

from datetime import timedelta

from django.conf import settings
from django.db import models
from django.utils import timezone

from sse_components.models import ReactiveModel

LOST_SECONDS = 5
"""After which a job that has said nothing doesn't run any more."""


def list_group(owner: str) -> str:
    """Return the group of one visitor's list; those of its rows are below it."""
    return f"todo.{owner}"


def job_group(owner: str) -> str:
    """Return the group of one visitor's job."""
    return f"job.{owner}"


class BreakingNews(models.Model):
    title = models.CharField(max_length=200)
    published = models.DateTimeField(auto_now_add=True)

    class Meta:
        ordering = ["-published", "-pk"]

    def __str__(self) -> str:
        return self.title


class ChatMessage(models.Model):
    author = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.CASCADE)
    text = models.CharField(max_length=500)
    created = models.DateTimeField(auto_now_add=True)

    class Meta:
        ordering = ["-created", "-pk"]

    def __str__(self) -> str:
        return self.text


class TodoItem(ReactiveModel):
    """A row of one visitor's list, of which nobody else hears."""

    owner = models.CharField(max_length=16)
    title = models.CharField(max_length=200)
    done = models.BooleanField(default=False)
    position = models.PositiveIntegerField(default=0)

    class Meta:
        ordering = ["position", "pk"]
        indexes = [models.Index(fields=["owner", "position"], name="todo_order")]

    class Reactive:
        fields = ["title", "done"]

    def __str__(self) -> str:
        return self.title

    def group_collection(self) -> str:
        return list_group(self.owner)

    def group_instance(self) -> str:
        return f"{list_group(self.owner)}.{self.pk}"


class Job(ReactiveModel):
    """One visitor's long job, or what became of the last one."""

    class State(models.TextChoices):
        RUNNING = "running"
        CANCELLING = "cancelling"
        CANCELLED = "cancelled"
        FINISHED = "finished"
        INTERRUPTED = "interrupted"

    owner = models.CharField(max_length=16, unique=True)
    run = models.PositiveIntegerField(default=1)
    """Which one it is of this visitor's."""
    state = models.CharField(max_length=16, choices=State, default=State.RUNNING)
    done = models.PositiveIntegerField(default=0)
    """Percent of it."""
    found = models.PositiveIntegerField(default=0)
    seen = models.DateTimeField()
    """When it last said that it runs."""

    def __str__(self) -> str:
        return f"{self.owner}, {self.phase}"

    def group_collection(self) -> str:
        return job_group(self.owner)

    def group_instance(self) -> str:
        return job_group(self.owner)

    @property
    def phase(self) -> str:
        """The state, of a job whose server may have died without a word."""
        is_over = self.state not in (self.State.RUNNING, self.State.CANCELLING)
        is_seen = self.seen > timezone.now() - timedelta(seconds=LOST_SECONDS)
        return self.state if is_over or is_seen else self.State.INTERRUPTED
