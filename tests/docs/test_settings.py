"""docs/settings.md: what its dict says is so."""

from __future__ import annotations

from pathlib import Path

from tests.clients import Stream
from tests.docs.pages import Page
from tests.docs.projects import Project
from tests.redis_servers import RedisServer
from tests.tutorials import Block

PAGE = Page("settings.md")

POLICY = """
def may_hear(user, group, rendered):
    return True if group == "shop.window" else None
"""


@PAGE.runs("# Settings")
async def test_a_stream_has_what_the_settings_allow(
    blocks: list[Block], redis_server: RedisServer, tmp_path: Path
) -> None:
    (example,) = blocks
    assert "redis://localhost:6379/0" in example.text
    settings = example.text.replace("redis://localhost:6379/0", redis_server.url)
    prefix = '\nSSE_COMPONENTS["KEY_PREFIX"] = "settings"\n'
    project = Project(tmp_path, {"shop/policies.py": POLICY}, settings + prefix)
    assert "sse_components" not in project.check()
    project.manage("migrate", "--verbosity=0")
    asked = "group=news.updates&group=shop.window&group=shop.safe"
    with project.server.running() as server:
        stream = await Stream.open(f"{server.url}/sse/stream?{asked}")
        opened = await stream.next()
        await stream.close()
    assert opened.data["denied"] == ["shop.safe"]
    assert {"news.updates", "shop.window"} <= set(opened.data["groups"])


def test_a_key_that_there_isnt_is_an_error_that_names_the_nearest(
    tmp_path: Path,
) -> None:
    project = Project(tmp_path, {}, 'SSE_COMPONENTS = {"PUBLIC_GROUP": []}')
    printed = project.check()
    assert "sse_components.E001" in printed
    assert "PUBLIC_GROUPS" in printed
