"""docs/edge.md: its files before a server that runs, with other folders and ports."""

from __future__ import annotations

import asyncio
import re
import shlex
import subprocess
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from tests.docs.pages import Page
from tests.edge.followers import Follower
from tests.edge.worlds import World, WSGIServer
from tests.pushpin import SECURE, Pushpin
from tests.redis_servers import RedisServer
from tests.tutorials import Block

PAGE = Page("edge.md")
pytestmark = [pytest.mark.alone, pytest.mark.timeout(90)]
SETTINGS = """
from project.settings import *
{block}
{secure}
SECURE_REDIRECT_EXEMPT.append("^api/")  # by which the test publishes
SSE_COMPONENTS["PUBLIC_GROUPS"] = ["news.*"]
"""
SECONDS = 10
KEY = "made-by-you-with-secrets.token_hex-of-32"


def block_of(heading: str, language: str) -> str:
    """Return the one block of a language below a heading."""
    (block,) = PAGE.blocks(heading, language)
    return block.text


def replaced(text: str, changes: dict[str, str]) -> str:
    """Return a text with each thing changed, of which it has to have one."""
    for old, new in changes.items():
        assert text.count(old) == 1, f"{old!r} stands {text.count(old)} times"
        text = text.replace(old, new)
    return text


class Documented(World):
    """A world whose files are those of the page."""

    def __init__(self, folder: Path, redis: RedisServer) -> None:
        super().__init__(folder, WSGIServer, redis)
        self.folder = folder
        configuration = block_of("Pushpin", "ini")
        bare = re.sub(r"([{}])", r"\1\1", configuration)
        self.pushpin = Pushpin(
            folder / "pushpin",
            replaced(
                bare,
                {
                    "rundir=/run/pushpin": "rundir={sockets}",
                    "ipc_prefix=pushpin-": "ipc_prefix={prefix}-",
                    "http_port=8080": "http_port=127.0.0.1:{port}",
                    "logdir=/var/log/pushpin": "logdir={folder}",
                    "push_in_http_port=5561": "push_in_http_port={control}",
                    "client_maxconn=50000": "client_maxconn=500",  # of this machine
                },
            ),
        )
        (folder / "documented_settings.py").write_text(
            SETTINGS.format(
                block=replaced(
                    block_of("Settings", "python"),
                    {
                        "redis://127.0.0.1:6379/0": redis.url,
                        "http://127.0.0.1:5561": self.pushpin.grip_url,
                    },
                ),
                secure=block_of("Pushpin", "python"),
            )
        )
        self.server = WSGIServer(
            folder / "server",
            environment={
                "DJANGO_SETTINGS_MODULE": "documented_settings",
                "PYTHONPATH": str(folder),
            },
        )


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Documented]:
    redis = RedisServer(tmp_path_factory.mktemp("redis"))
    redis.start()
    try:
        with Documented(tmp_path_factory.mktemp("site"), redis).running() as running:
            assert isinstance(running, Documented)
            yield running
    finally:
        redis.close()


@PAGE.runs("Settings")
async def test_with_these_settings_streams_are_held(
    world: Documented, blocks: list[Block]
) -> None:
    assert len(blocks) == 1  # which the world is made of
    async with Follower(world.url, ["news.updates"], **SECURE) as follower:
        ids = await world.publish(("news.updates", "one"))
        await follower.has(ids)
        ids += await world.publish(("news.updates", "two"), ("news.updates", "three"))
        await follower.has(ids)
        await follower.drop()
        ids += await world.publish(("news.updates", "four"))
        await follower.has(ids)
        follower.assert_exact(ids)


@PAGE.runs("Pushpin")
async def test_pushpin_runs_with_these_files_and_logs_no_grants(
    world: Documented, blocks: list[Block]
) -> None:
    configuration, routes, _ = blocks  # with the settings the others work
    async with httpx.AsyncClient(base_url=world.url) as client:
        answer = await client.get("/sse/stream?group=news.updates")
        assert answer.headers["Location"].startswith("https://")
        assert (await client.get("/sse/grip")).status_code == 400
    port = str(world.server.port)
    written = (world.folder / "pushpin/routes").read_text()
    assert routes.text.splitlines()[1:] == [written.strip().replace(port, "8000")]
    assert KEY in configuration.text
    async with Follower(world.url, ["news.updates", "news.secret"], **SECURE):
        logs = "".join(
            log.read_text() for log in (world.folder / "pushpin").glob("*.log")
        )
    assert "news.secret" not in logs


@PAGE.runs("The relay")
async def test_the_relay_is_run_and_seen_like_this(
    world: Documented, blocks: list[Block]
) -> None:
    relay, asking = blocks
    world.stop_relays()
    program, script, *command = shlex.split(relay.text)
    assert (program, script) == ("python", "manage.py")
    world.start_relay(*command)
    printed = await asyncio.to_thread(_asked, world, asking)
    assert re.findall(r"^event: (.*)$", printed, re.MULTILINE) == [
        "stream-open",
        "keep-alive",
    ]
    assert all("," in id for id in re.findall(r"^id: (.*)$", printed, re.MULTILINE))


def _asked(world: World, asking: Block) -> str:
    """Return what the page's curl prints."""
    arguments = shlex.split(replaced(asking.text, {"http://127.0.0.1:8080": world.url}))
    for name, value in SECURE.items():  # which a proxy with TLS would say
        arguments += ["--header", f"{name}: {value}"]
    done = subprocess.run(
        arguments, capture_output=True, text=True, timeout=SECONDS, check=False
    )
    assert done.returncode == 28, done.stderr  # it was cut by --max-time
    return done.stdout
