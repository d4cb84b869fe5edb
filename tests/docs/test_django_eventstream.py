"""docs/django-eventstream.md: what is sent as it says comes as it says."""

from __future__ import annotations

from pathlib import Path

from tests.clients import Stream
from tests.docs.pages import Page
from tests.docs.projects import Project
from tests.docs.written import assert_as_written
from tests.redis_servers import RedisServer
from tests.tutorials import Block, sections

PAGE = Page("django-eventstream.md")
((SETTINGS,), *_) = [part.blocks for part in sections(PAGE.path.read_text())]
WITHOUT = """
del EVENTSTREAM_STORAGE_CLASS, EVENTSTREAM_CHANNELMANAGER_CLASS
INSTALLED_APPS.append("django_eventstream")
"""
WITH = WITHOUT.splitlines()[-1] + "\n"


@PAGE.runs("# With django-eventstream")
def test_with_the_settings_nothing_is_warned_of(
    blocks: list[Block], tmp_path: Path
) -> None:
    assert blocks == [SETTINGS]
    found = {}
    for name, settings in [("without", WITHOUT), ("with", SETTINGS.text + WITH)]:
        (tmp_path / name).mkdir()
        found[name] = Project(tmp_path / name, {}, settings).check()
    assert "sse_components.W004" in found["without"]
    assert "sse_components" not in found["with"]


@PAGE.runs("What `send_event` does then")
async def test_what_is_sent_comes_as_a_frame_of_ours(
    blocks: list[Block], redis_server: RedisServer, tmp_path: Path
) -> None:
    sending, frame = blocks
    prefix = '\nSSE_COMPONENTS["KEY_PREFIX"] = "eventstream"\n'
    environment = {"SSE_BROKER_URL": redis_server.url}
    project = Project(tmp_path, {}, SETTINGS.text + prefix, environment)
    project.manage("migrate", "--verbosity=0")
    code = f"from django_eventstream import send_event\n{sending.text}"
    with project.server.running() as server:
        stream = await Stream.open(f"{server.url}/sse/groups/news.updates")
        await stream.until("keep-alive")
        project.manage("shell", "--verbosity=0", "-c", code)
        *_, event = await stream.until("price")
        await stream.close()
    assert_as_written(frame.text, "\n".join(f"{a}: {b}" for a, b in event.fields))
