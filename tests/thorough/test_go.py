"""The worker in Go that docs/api.md shows."""

from __future__ import annotations

import asyncio
import os
import shutil
import subprocess
from pathlib import Path

import httpx
import pytest

from tests.clients import Stream
from tests.recipes.busy import Busy
from tests.recipes.page import files
from tests.recipes.systems import SECONDS
from tests.servers import Server

pytestmark = pytest.mark.thorough

COMPILE_SECONDS = 100
PERCENT = list(range(5, 101, 5))


@pytest.fixture(scope="module")
def worker(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The program, compiled from the standard library alone."""
    go = shutil.which("go")
    if go is None:
        message = "Go is missing: install the package golang-go."
        if os.environ.get("CI"):
            pytest.fail(message)
        pytest.skip(message)
    folder = tmp_path_factory.mktemp("go")
    (folder / "progress.go").write_text(files()["progress.go"])
    environment = os.environ | {
        "GO111MODULE": "off",
        "GOCACHE": str(folder / "cache"),
        "GOFLAGS": "",
        "GOPROXY": "off",
    }
    for command in (["vet"], ["build", "-o", "progress"]):
        subprocess.run(
            [go, *command, "progress.go"],
            cwd=folder,
            env=environment,
            check=True,
            timeout=COMPILE_SECONDS,
        )
    return folder / "progress"


async def follow(worker: Path, job: str, url: str, key: str) -> str:
    """Have a job run, and return what it prints."""
    process = await asyncio.create_subprocess_exec(
        *(worker, job),
        env={"SSE_URL": url, "SSE_KEY": key},
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
    )
    try:
        async with asyncio.timeout(SECONDS):
            printed, _ = await process.communicate()
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()
    return printed.decode()


@pytest.mark.timeout(2 * COMPILE_SECONDS + 60)
async def test_the_progress_of_a_job_is_heard_step_by_step(
    worker: Path, server: Server
) -> None:
    stream = await Stream.open(f"{server.url}/sse/groups/job.7", server.headers)
    await stream.until("keep-alive")
    try:
        for _ in range(2):  # one that is started again tells nothing twice
            printed = await follow(worker, "7", server.url, "test-key")
            assert printed == "finished\n"
        url = f"{server.url}/api/v1/groups/job.7/events"
        async with httpx.AsyncClient(headers=server.headers) as client:
            told = (await client.get(url)).json()["events"]
        events = await stream.take(len(PERCENT))
    finally:
        await stream.close()
    heard = [event.data["payload"]["data"] for event in events]
    assert heard == [{"done": percent} for percent in PERCENT]
    assert len(told) == len(PERCENT)


@pytest.mark.timeout(2 * COMPILE_SECONDS + 60)
async def test_a_worker_that_is_refused_or_cut_off_tries_again(worker: Path) -> None:
    with Busy() as busy:
        assert await follow(worker, "7", busy.url, "key") == "finished\n"
    assert len({(one.once, one.body) for one in busy.requests[:4]}) == 1
    assert min(busy.waits[:3]) >= 1
    assert len(busy.requests) == len(PERCENT) + 3


@pytest.mark.timeout(2 * COMPILE_SECONDS + 60)
async def test_a_worker_whose_key_is_refused_ends_and_says_so(
    worker: Path, server: Server
) -> None:
    printed = await follow(worker, "7", server.url, "no-key")
    assert "A valid API key is needed" in printed
    assert "finished" not in printed


@pytest.mark.timeout(2 * COMPILE_SECONDS + 60)
def test_the_program_is_formatted_as_all_are(worker: Path) -> None:
    command = ["gofmt", "-l", str(worker.with_suffix(".go"))]
    done = subprocess.run(command, capture_output=True, check=True)
    assert done.stdout == b""
