"""docs/models.md: its models are saved in a project, and what is told of it."""

from __future__ import annotations

from pathlib import Path
from textwrap import indent

from tests.docs.pages import Page
from tests.docs.projects import Project
from tests.tutorials import Block, sections

PAGE = Page("models.md")
MODEL, COMPONENTS = sections(PAGE.path.read_text())[0].blocks

PEOPLE = """
from django.db import models


class Person(models.Model):
    name = models.CharField(max_length=200)
"""
IMPORTS = """
from django.db import models

from sse_components.models import ReactiveModel


"""
PROJECTS = """
class Project(models.Model):
    name = models.CharField(max_length=200)


"""
QUIET = """
from sse_components import ComponentDispatcher

from tasks.models import Task


def import_tasks():
    Task.objects.create(title="Buy milk")
    Task.objects.create(title="Feed the cat")


def run():
"""
FILES = {
    "people/models.py": PEOPLE,
    "tasks/models.py": MODEL.text,
    "tasks/components.py": COMPONENTS.text,
    "tasks/templates/tasks/list.html": "{% load sse_components %}<ul>"
    '{% for task in tasks %}{% component "tasks.TaskRow" task %}{% endfor %}</ul>',
    "tasks/templates/tasks/row.html": "<li>{{ task.title }}</li>",
}
"""Of the first two blocks, which the others build on."""


@PAGE.runs("# Reactive models")
def test_a_row_tells_its_list_and_its_components(
    blocks: list[Block], tmp_path: Path
) -> None:
    assert blocks == [MODEL, COMPONENTS]
    Project(tmp_path, FILES).passes("models_tasks", 10)


@PAGE.runs("What is published when")
def test_what_depends_on_all_rows_hears_of_each(
    blocks: list[Block], tmp_path: Path
) -> None:
    (count,) = blocks
    components = f"{COMPONENTS.text}\n\n{count.text}"
    files = FILES | {"tasks/components.py": components}
    Project(tmp_path, files).passes("models_count", 1)


@PAGE.runs("Groups that depend on the row")
def test_a_row_that_moves_is_told_to_both_lists(
    blocks: list[Block], tmp_path: Path
) -> None:
    (model,) = blocks
    files = {"tasks/models.py": f"{IMPORTS}{PROJECTS}{model.text}"}
    Project(tmp_path, files).passes("models_groups", 2)


@PAGE.runs("Query sets of your own")
def test_a_query_set_of_ones_own_publishes_what_it_updates(
    blocks: list[Block], tmp_path: Path
) -> None:
    (model,) = blocks
    project = Project(tmp_path, {"tasks/models.py": IMPORTS + model.text})
    project.passes("models_querysets", 1)
    assert "W024" not in project.check()
    mistake = model.text.replace('ReactiveQuerySet["Task"]', "models.QuerySet")
    project.write("tasks/models.py", IMPORTS + mistake)
    assert "sse_components.W024" in project.check()


@PAGE.runs("Saying nothing")
def test_nothing_is_published_of_an_import_but_what_is_said(
    blocks: list[Block], tmp_path: Path
) -> None:
    (quiet,) = blocks
    files = FILES | {"tasks/quiet.py": QUIET + indent(quiet.text, "    ")}
    Project(tmp_path, files).passes("models_quiet", 1)


@PAGE.runs("Testing")
def test_the_test_passes(blocks: list[Block], tmp_path: Path) -> None:
    (test,) = blocks
    project = Project(tmp_path, FILES)
    project.write("test_tasks.py", f"from tasks.models import Task\n{test.text}")
    project.tests("test_tasks.py", 1)
