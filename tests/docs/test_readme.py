"""The README, done word for word: its two commands, and its quick start."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import time
import zipfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import pytest
from playwright.async_api import Page as Window
from playwright.async_api import expect

from tests import fresh
from tests.docs.conftest import OpenWindow
from tests.docs.pages import Page
from tests.ports import free_port
from tests.redis_servers import RedisServer
from tests.servers import ROOT
from tests.tutorials import Block, Reader
from tests.wheels import build_wheel

PAGE = Page("../README.md")
INSTALL_SECONDS = 240
STOP_SECONDS = 10
SLOW = 20_000
"""Milliseconds for a page, whatever else runs."""

REDIS = '# mysite/settings.py, at the end\nSSE_COMPONENTS["BROKER_URL"]'
NUMBER = r"(?<![\w,.])\d[\d,.]*"
MANAGE = (["check", "--fail-level", "WARNING"], ["makemigrations", "--check"])
NOTHING_ELSE = """
import importlib.util
import sse_components.api.apps
assert "site-packages" in sse_components.api.apps.__file__
for name in ("api", "project", "tests", "hatch_build"):
    assert importlib.util.find_spec(name) is None, name
"""


@pytest.fixture
def wheel(tmp_path: Path) -> Path:
    folder = tmp_path / "wheel"
    folder.mkdir()
    return build_wheel(folder)


@pytest.fixture
def reader(tmp_path: Path, wheel: Path, redis_server: RedisServer) -> Iterator[Reader]:
    """Somebody who has the wheel, and whose pip downloads what it depends on."""
    markdown = PAGE.path.read_text()
    begin, end = markdown.index("## Quick start"), markdown.index("## Where to read")
    instead = {"redis://localhost:6379/0": redis_server.url}
    pins = ROOT / "constraints.txt"
    reader = Reader(markdown[begin:end], tmp_path, wheel, instead, pins)
    yield reader
    reader.stop()
    print(reader.log)  # shown if the test has failed
    assert "Traceback" not in reader.log


# A76
@pytest.mark.timeout(2 * INSTALL_SECONDS)
@pytest.mark.asyncio(loop_scope="session")
@PAGE.runs("Quick start")
async def test_the_quick_start_leads_where_it_says(
    blocks: list[Block],
    open_window: OpenWindow,
    reader: Reader,
    wheel: Path,
    tmp_path: Path,
) -> None:
    reader.follow("Quick start", until="curl -N ")
    _look_at_what_is_installed(wheel, tmp_path)
    windows = [await _open(open_window, reader.url) for _ in range(2)]
    for window in windows:
        await _shows(window, "Nothing new.")
    await _open(open_window, f"{reader.url}/hello")
    for window in windows:
        await _shows(window, "Hello")
    reader.follow("Quick start", until=REDIS)
    for window in windows:
        await _shows(window, "Hello from curl")
    reader.stop()
    for window in windows:
        await _is_online(window, "false")
    reader.follow("Quick start", until="python manage.py shell")
    for window in windows:
        await _is_online(window, "true")
    reader.follow("Quick start")
    for window in windows:
        await _shows(window, "Hello from a shell")
    assert reader.is_done


def _look_at_what_is_installed(wheel: Path, home: Path) -> None:
    """See that it is the wheel, all of it, and nothing else of this checkout."""
    folder = home / "reader"
    (packages,) = (folder / ".venv/lib").glob("python3*/site-packages")
    with zipfile.ZipFile(wheel) as archive:
        names = [name for name in archive.namelist() if ".dist-info/" not in name]
        for name in names:
            assert (packages / name).read_bytes() == archive.read(name), name
    assert "sse_components/py.typed" in names
    assert any(name.endswith("/manifest.json") for name in names)
    python = [str(folder / ".venv/bin/python"), "-W", "error"]
    for arguments in (["-c", NOTHING_ELSE], *(["manage.py", *one] for one in MANAGE)):
        _run([*python, *arguments], folder, fresh.environment(home))


def _run(command: list[str], folder: Path, environment: dict[str, str]) -> None:
    done = subprocess.run(
        command, cwd=folder, env=environment, capture_output=True, text=True
    )
    assert done.returncode == 0, f"{command}\n{done.stdout}{done.stderr}"


# A75: its other command, `make test`, is a part of `make check`, which is what
# .ci/run runs on a clean checkout.
@pytest.mark.timeout(2 * INSTALL_SECONDS)
@pytest.mark.asyncio(loop_scope="session")
@PAGE.runs("Try it")
async def test_one_command_shows_the_demo_and_there_is_one_for_the_tests(
    blocks: list[Block], open_window: OpenWindow, tmp_path: Path
) -> None:
    ((show, address), (tests, _)) = (
        re.split(r"\s+# ", line) for line in blocks[0].text.splitlines()
    )
    assert address.startswith("http://127.0.0.1:8000")
    clone, home = tmp_path / "clone", tmp_path / "home"
    home.mkdir()
    _copy_the_tree(clone)
    environment = fresh.environment(home)
    _run([*tests.split(), "--dry-run", "--always-make"], clone, environment)
    port = free_port()
    url = f"http://127.0.0.1:{port}"
    environment |= {"PORT": str(port)}
    with _running(show.split(), clone, environment) as log:
        curl = _wait_for(r"^curl .+$", log)
        _wait_for("Application startup complete", log)
        window = await _open(open_window, f"{url}/")
        await _is_online(window, "true")
        assert url in curl
        _run(["bash", "-euc", curl], home, environment)
        tickers = window.locator("[data-sse-component$=Ticker]")
        await expect(tickers).to_contain_text(2 * ["Hello from curl"], timeout=SLOW)
    assert "Traceback" not in log.read_text()


def _copy_the_tree(folder: Path) -> None:
    """Make what a clone would have, with what isn't committed yet."""
    listed = subprocess.run(
        ["git", "ls-files", "-co", "--exclude-standard", "-z"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=True,
    )
    for name in filter(None, listed.stdout.split("\0")):
        if (ROOT / name).exists():  # and isn't about to be removed
            (folder / name).parent.mkdir(parents=True, exist_ok=True)
            (folder / name).write_bytes((ROOT / name).read_bytes())


@contextmanager
def _running(
    command: list[str], folder: Path, environment: dict[str, str]
) -> Iterator[Path]:
    """Run a command as a terminal does, and press Ctrl-C; gives its output."""
    path = folder.parent / "log"
    with path.open("wb") as log:
        process = subprocess.Popen(
            command,
            cwd=folder,
            env=environment,
            stdout=log,
            stderr=log,
            process_group=0,
        )
    try:
        yield path
        os.killpg(process.pid, signal.SIGINT)
        process.wait(timeout=STOP_SECONDS)
    finally:
        with suppress(ProcessLookupError):  # all have ended
            os.killpg(process.pid, signal.SIGKILL)
        process.wait(timeout=STOP_SECONDS)
        print(path.read_text())  # shown if the test has failed


def _wait_for(pattern: str, log: Path) -> str:
    deadline = time.monotonic() + INSTALL_SECONDS
    while not (found := re.search(pattern, log.read_text(), re.MULTILINE)):
        assert time.monotonic() < deadline, f"{pattern} isn't printed"
        assert "Error" not in log.read_text(), log.read_text()
        time.sleep(0.1)
    return found[0]


async def _open(open_window: OpenWindow, url: str) -> Window:
    window = await open_window()
    await window.goto(url)
    return window


async def _shows(window: Window, text: str) -> None:
    await expect(window.get_by_role("heading")).to_have_text(text, timeout=SLOW)


async def _is_online(window: Window, value: str) -> None:
    script = f"window.Alpine?.store('sse')?.online === {value}"
    await window.wait_for_function(script, timeout=SLOW)


def test_the_numbers_of_the_table_are_those_of_the_page() -> None:
    readme, page = PAGE.path.read_text(), (ROOT / "docs/performance.md").read_text()
    rows = re.findall(r"^\| .+ \((W\d+)\) \| (.+)$", readme, re.MULTILINE)
    assert len(rows) > 5
    for workload, cells in rows:
        told = re.findall(rf"^\| {workload} \|.+", page, re.MULTILINE)
        known = set(re.findall(NUMBER, "".join(told)))
        assert set(re.findall(NUMBER, cells)) - {workload} <= known, workload
