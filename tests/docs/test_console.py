"""docs/console.md: its setting turns it on, and a trace prints what it says."""

from __future__ import annotations

import asyncio
import re
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from sse_components.console.components.answers import LABELS
from sse_components.logbook.tail import GATHER_SECONDS, LONGEST, MOST
from tests.clients import Stream
from tests.docs.pages import Page
from tests.docs.projects import Project
from tests.docs.written import assert_as_written
from tests.redis_servers import RedisServer
from tests.servers import wait_until
from tests.tutorials import Block

PAGE = Page("console.md")
TEXT = " ".join(PAGE.path.read_text().split())

STAFF = """
from django.contrib.auth.models import User
User.objects.update(is_staff=True)
"""
LOGGING = """
LOGGING = {
    "version": 1,
    "disable_existing_loggers": False,
    "handlers": {"console": {"class": "logging.StreamHandler"}},
    "loggers": {"sse_components": {"handlers": ["console"], "level": "INFO"}},
}
"""
TRACE = """
from django.contrib.auth.models import User
user = User.objects.get()
"""


@PAGE.runs("Turn it on")
async def test_the_setting_turns_it_on_for_staff(
    blocks: list[Block], tmp_path: Path
) -> None:
    (setting,) = blocks
    login = '\nLOGIN_URL = "/login/"\n'
    project = Project(tmp_path, {"shop/models.py": ""}, setting.text + login)
    project.manage("migrate", "--verbosity=0")
    assert "no issues" in project.check()
    with project.server.running() as server:
        (headers,) = server.log_in(1)
        server.manage("shell", "--verbosity=0", "-c", STAFF)
        async with httpx.AsyncClient(base_url=server.url, headers=headers) as client:
            page = await client.get("/sse/console")
            assert 'data-sse-component="sse_components.Overview"' in page.text
        async with httpx.AsyncClient(base_url=server.url) as client:
            answer = await client.get("/sse/console")
        assert answer.headers["Location"] == "/login/?next=/sse/console"


@pytest.fixture
def project(tmp_path: Path, redis_server: RedisServer) -> Iterator[Project]:
    prefix = f'"KEY_PREFIX": "{tmp_path.name[:20]}"'
    public = '"PUBLIC_GROUPS": ["news.*"]'
    given = f'"BROKER_URL": "{redis_server.url}", "CONSOLE": True, {prefix}, {public}'
    settings = f"\nSSE_COMPONENTS = {{{given}}}\n{LOGGING}"
    project = Project(tmp_path, {"shop/models.py": ""}, settings)
    project.manage("migrate", "--verbosity=0")
    yield project


@PAGE.runs("Trace a user")
async def test_a_trace_prints_each_frame_as_it_stands_there(
    blocks: list[Block], project: Project
) -> None:
    code, printed = blocks
    with project.server.running() as server:
        (headers,) = server.log_in(1)
        address = f"{server.url}/sse/stream?group=news.updates"
        stream = await Stream.open(address, headers)
        name = (await stream.next()).data["connection"]
        project.manage("shell", "--verbosity=0", "-c", TRACE + code.text)
        line = f"{name} -> component.data_changed news.updates"

        async with httpx.AsyncClient(headers=server.headers) as client:
            url = f"{server.url}/api/v1/groups/news.updates/data-changed"
            for _ in range(100):
                await client.post(url, json={"data": {"headline": "Hello"}})
                await asyncio.sleep(0.1)
                if line in server.log:
                    break
        await asyncio.to_thread(wait_until, lambda: line in server.log)
        await stream.close()
    found = re.findall(rf"^user .*{line}.*$", project.server.log, re.MULTILINE)
    written = printed.text.replace("W8WHW5xxrCWo", name)
    assert_as_written(written, found[0])


def test_every_answer_is_told() -> None:
    told = re.findall(r"^\| (\w[\w ]+) \| ", PAGE.path.read_text(), re.MULTILINE)
    assert set(LABELS.values()) <= set(told)


def test_the_numbers_of_the_tail_are_so() -> None:
    assert f"the first {LONGEST} bytes of each payload" in TEXT
    assert f"More than {MOST} events in a quarter of a second" in TEXT
    assert GATHER_SECONDS == 0.25
    script = "sse_components/templates/sse_components/console/script.html"
    kept = re.search(
        r"const KEPT = (\d+)", (PAGE.path.parent.parent / script).read_text()
    )
    assert kept and f"the last {kept[1]} lines" in TEXT
