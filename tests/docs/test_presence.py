"""docs/presence.md: who comes to a page is seen by it, asked for, and told of."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from pathlib import Path

import pytest
from playwright.async_api import expect

from tests.clients import Stream
from tests.docs.conftest import OpenWindow
from tests.docs.pages import Page
from tests.docs.projects import Project
from tests.redis_servers import RedisServer
from tests.servers import wait_until
from tests.tutorials import Block

PAGE = Page("presence.md")
SLOW = 20_000
"""Milliseconds for a page, whatever else runs."""

IMPORTS = "from sse_components import ReactiveComponent, presence, public\n\n\n"
SHOWN = "\n    template = \"<p>Here: {{ users|join:' and ' }}.</p>\"\n"
LOBBY = """<!doctype html><link rel="icon" href="data:,">{% load sse_components %}
{% component "lobby.Present" %}{% sse_scripts %}"""
ASK = """
import ast, asyncio
from django.contrib.auth.models import User

user = User.objects.get(username="user0")
users = [user, 4711]
for line in ast.parse({source!r}).body:
    if isinstance(line, ast.Expr):
        code = compile(ast.Expression(line.value), "page", "eval",
                       ast.PyCF_ALLOW_TOP_LEVEL_AWAIT)
        found = eval(code)
        print(asyncio.run(found) if asyncio.iscoroutine(found) else found)
    else:
        exec(compile(ast.Module([line], []), "page", "exec"))
"""
"""Prints what each line of the page returns."""

NewProject = Callable[[dict[str, str]], Project]


@pytest.fixture
def new_project(tmp_path: Path, redis_server: RedisServer) -> NewProject:
    def new_project(files: dict[str, str]) -> Project:
        settings = f'\nSSE_COMPONENTS["KEY_PREFIX"] = "{tmp_path.name[:20]}"\n'
        environment = {
            "SSE_BROKER_URL": redis_server.url,
            "SSE_PRESENCE_GRACE_SECONDS": "0.2",
        }
        project = Project(tmp_path, files, settings, environment)
        project.manage("migrate", "--run-syncdb", "--verbosity=0")
        return project

    return new_project


@pytest.mark.asyncio(loop_scope="session")
@PAGE.runs("Events")
async def test_a_page_shows_who_comes_and_goes(
    blocks: list[Block], new_project: NewProject, open_window: OpenWindow
) -> None:
    (component,) = blocks
    files = {
        "lobby/components.py": f"{IMPORTS}{component.text}{SHOWN}",
        "lobby/templates/lobby.html": LOBBY,
    }
    with new_project(files).server.running() as server:
        ada, ben = server.log_in(2)
        one = await open_window(extra_http_headers=ada)
        await one.goto(f"{server.url}/page/lobby")
        await expect(one.locator("p")).to_have_text("Here: 1.", timeout=SLOW)
        other = await open_window(extra_http_headers=ben)
        await other.goto(f"{server.url}/page/lobby")
        for window in (one, other):
            await expect(window.locator("p")).to_have_text(
                "Here: 1 and 2.", timeout=SLOW
            )
        await other.close()
        await expect(one.locator("p")).to_have_text("Here: 1.", timeout=SLOW)
        await one.close()


@PAGE.runs("Asking")
async def test_any_process_can_ask_who_is_here(
    blocks: list[Block], new_project: NewProject
) -> None:
    (asking,) = blocks
    project = new_project({"lobby/models.py": ""})
    with project.server.running() as server:
        (ada,) = server.log_in(1)
        stream = await Stream.open(f"{server.url}/sse/stream", ada)
        await stream.until("keep-alive")
        code = ASK.format(source=asking.text)
        printed = project.manage("shell", "--verbosity=0", "-c", code)
        await stream.close()
    online, status, statuses, members, later = printed.splitlines()
    assert online == "True"
    assert "user='1', online=True, connections=1" in status
    assert "user='4711', online=False" in statuses
    assert members == "[]"
    assert "online=True" in later


@PAGE.runs("The signal")
async def test_a_receiver_is_told_once_of_each(
    blocks: list[Block], new_project: NewProject
) -> None:
    (receiver,) = blocks
    assert receiver.text.endswith(": ...\n")
    says = '\n    print("told:", type, user, flush=True)\n'
    code = receiver.text.removesuffix(" ...\n") + says
    project = new_project({"lobby/models.py": code})
    with project.server.running() as server:
        (ada,) = server.log_in(1)
        stream = await Stream.open(f"{server.url}/sse/stream", ada)
        await stream.until("keep-alive")
        await asyncio.to_thread(
            wait_until, lambda: "told: presence.online 1" in server.log
        )
        await stream.close()
        await asyncio.to_thread(
            wait_until, lambda: "told: presence.offline 1" in server.log
        )
        assert server.log.count("told:") == 2
