"""A reader who does what a tutorial says, in a folder of their own, word for word.

A block is one of three things, as its language and its first line tell:

- `sh`: commands, which are run. `uvicorn` goes on beside those that follow, until it is
  started again, or a block begins with `# stop the server`; `curl -N` until the end of
  its section.
- `text`: what the block before it has printed, or while `curl -N` goes on, what that
  prints sooner or later. `…` stands for anything.
- any other language: a file, whose name its first line has as a comment. Behind the
  name, `, at the end` adds to the file, `, in place of X` changes the class X in it.
"""

from __future__ import annotations

import ast
import os
import re
import signal
import subprocess
import sysconfig
import time
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from importlib.metadata import entry_points
from pathlib import Path

from tests import fresh
from tests.ports import free_port

COMMAND_SECONDS = 60
DOWNLOAD_SECONDS = 240
START_SECONDS = 20
STOP_SECONDS = 10
HEAR_SECONDS = 10

PRINTED_URL = "http://127.0.0.1:8000"
RUNS = b"Uvicorn running on "
STARTED = b"Application startup complete"

_BLOCK = re.compile(r"^```(\w*)\n(.*?)^```$", re.DOTALL | re.MULTILINE)
_NAME = re.compile(
    r"(?:# |\{# )(?P<name>[\w/.]+)"
    r"(?P<added>, at the end)?(?:, in place of (?P<replaced>\w+))?(?: #\})?"
)
_SCRIPT = """#!/usr/bin/env python
import sys
from {module} import {function}
if __name__ == "__main__":
    sys.exit({function}())
"""


@dataclass(frozen=True, slots=True)
class Block:
    """What stands between two fences."""

    language: str
    text: str


@dataclass(frozen=True, slots=True)
class Section:
    """A heading, and the blocks below it."""

    title: str
    blocks: list[Block]


def sections(markdown: str) -> list[Section]:
    """Return the sections of a page that have blocks."""
    found = []
    for part in re.split(r"^## ", markdown, flags=re.MULTILINE):
        title, _, text = part.partition("\n")
        blocks = [Block(*groups) for groups in _BLOCK.findall(text)]
        assert len(blocks) * 2 == text.count("```"), f"A fence is odd below {title!r}"
        found.append(Section(title, blocks))
    return [section for section in found if section.blocks]


class Listener:
    """A command that goes on to print, and has begun to."""

    def __init__(
        self, command: str, environment: Mapping[str, str], printed: Path
    ) -> None:
        self._printed = printed
        with printed.open("wb") as file:
            self._process = subprocess.Popen(
                ["bash", "-euc", command],
                env=environment,
                stdin=subprocess.DEVNULL,
                stdout=file,
                process_group=0,
            )
        self.wait_for("…")

    def wait_for(self, expected: str) -> None:
        """Return when it has printed that, and fail if it doesn't."""
        deadline = time.monotonic() + HEAR_SECONDS
        while True:
            may_go_on = self._process.poll() is None and time.monotonic() < deadline
            printed = self._printed.read_text()
            if printed and _is_like(printed, expected):
                return
            if not may_go_on:
                self.close()
                raise AssertionError(_difference(expected, printed))
            time.sleep(0.05)

    def close(self) -> None:
        """Press Ctrl-C."""
        with suppress(ProcessLookupError):  # it has ended
            os.killpg(self._process.pid, signal.SIGTERM)
        self._process.wait(timeout=STOP_SECONDS)


class Reader:
    """Follows a tutorial, one section after the other, and leaves nothing out."""

    def __init__(
        self,
        markdown: str,
        folder: Path,
        wheel: Path,
        instead: Mapping[str, str] | None = None,
        constraints: Path | None = None,
    ) -> None:
        """`instead` has what the reader writes in the place of what is printed.

        What the wheel depends on is there already; with constraints pip downloads it.
        """
        self._sections = sections(markdown)
        self._folder = folder / "reader"
        self._folder.mkdir()
        self._log_file = folder / "log"
        port = free_port()
        self.url = f"http://127.0.0.1:{port}"
        self._instead = {PRINTED_URL: self.url, **(instead or {})}
        self._environment = _environment(folder, wheel, constraints)
        self._environment["UVICORN_PORT"] = str(port)
        self._seconds = DOWNLOAD_SECONDS if constraints else COMMAND_SECONDS
        self._printed = ""
        self._listener: Listener | None = None
        self._command: list[str] = []
        self._server: subprocess.Popen[bytes] | None = None

    @property
    def is_done(self) -> bool:
        """Whether all has been followed."""
        return not self._sections

    @property
    def log(self) -> str:
        """All that the server has printed."""
        return self._log_file.read_text() if self._log_file.exists() else ""

    def follow(self, title: str, until: str | None = None) -> None:
        """Do what the next section says, which has to be this one.

        `until` is how the block begins before which to stop, and to go on later.
        """
        section = self._sections[0]
        assert section.title == title
        while blocks := section.blocks:
            if until and blocks[0].text.startswith(until):
                return
            self._do(blocks.pop(0))
        self._stop_listening()
        self._sections.pop(0)

    def start(self) -> None:
        """Start the server with the last command that did, and again if it runs."""
        self.stop()
        with self._log_file.open("ab") as log:
            begin = log.tell()
            self._server = subprocess.Popen(
                self._command,
                cwd=self._folder,
                env=self._environment,
                stdout=log,
                stderr=log,
                process_group=0,  # as a terminal has it
            )
        deadline = time.monotonic() + START_SECONDS
        while not self._has_started(self._log_file.read_bytes()[begin:]):
            assert self._server.poll() is None, f"uvicorn has exited:\n{self.log}"
            assert time.monotonic() < deadline, f"uvicorn is silent:\n{self.log}"
            time.sleep(0.05)
        self._printed = self._log_file.read_bytes()[begin:].decode()

    def stop(self) -> None:
        """Press Ctrl-C, if a server runs."""
        self._stop_listening()
        if self._server is None:
            return
        server, self._server = self._server, None
        os.killpg(server.pid, signal.SIGINT)
        try:
            code = server.wait(timeout=STOP_SECONDS)
        except subprocess.TimeoutExpired:
            os.killpg(server.pid, signal.SIGKILL)
            raise
        assert code in (0, -signal.SIGINT), self.log

    def _stop_listening(self) -> None:
        if self._listener:
            self._listener.close()
            self._listener = None

    def _has_started(self, printed: bytes) -> bool:
        """Whether the server and each of its workers say so."""
        _, _, workers = " ".join(self._command).partition("--workers ")
        count = int(workers.partition(" ")[0] or 1)
        return RUNS in printed and printed.count(STARTED) >= count

    def _do(self, block: Block) -> None:
        text = block.text
        for printed, written in self._instead.items():
            text = text.replace(printed, written)
        if block.language == "sh":
            self._run(text)
        elif block.language != "text":
            self._write(text)
        elif self._listener:
            self._listener.wait_for(text)
        else:
            _check_printed(text, self._printed)

    def _run(self, commands: str) -> None:
        if commands.startswith("uvicorn "):
            self._command = commands.split()
            self.start()
            return
        if commands.startswith("curl -N "):
            path = self._folder.parent / "heard"
            self._listener = Listener(commands, self._environment, path)
            return
        if commands.startswith("# stop the server"):
            self.stop()
        done = subprocess.run(
            ["bash", "-euc", commands],
            cwd=self._folder,
            env=self._environment,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            timeout=self._seconds,
        )
        assert done.returncode == 0, f"{commands}\n{done.stdout}"
        self._printed = done.stdout

    def _write(self, text: str) -> None:
        first, _, rest = text.partition("\n")
        found = _NAME.fullmatch(first)
        assert found, f"A block doesn't say what it is:\n{text}"
        path = self._folder / found["name"]
        if found["added"]:
            path.write_text(f"{path.read_text()}\n{rest}")
        elif found["replaced"]:
            path.write_text(_replaced(path.read_text(), found["replaced"], rest))
        else:
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text)


def _replaced(source: str, name: str, text: str) -> str:
    """Return Python code with another class in the place of one."""
    classes = [one for one in ast.parse(source).body if isinstance(one, ast.ClassDef)]
    (old,) = [one for one in classes if one.name == name]
    lines = source.splitlines(keepends=True)
    lines[old.lineno - 1 : old.end_lineno] = [text]
    return "".join(lines)


def _check_printed(expected: str, printed: str) -> None:
    assert _is_like(printed, expected), _difference(expected, printed)


def _difference(expected: str, printed: str) -> str:
    return f"It should have printed\n{expected}\nand has printed\n{printed}"


def _is_like(printed: str, expected: str) -> bool:
    parts = (re.escape(part) for part in expected.strip().split("…"))
    found = "\n".join(line.rstrip() for line in printed.strip().splitlines())
    return re.fullmatch(".*?".join(parts), found, re.DOTALL) is not None


def _environment(folder: Path, wheel: Path, constraints: Path | None) -> dict[str, str]:
    found = fresh.environment(folder)
    links = f"{wheel.parent} {found.get('PIP_FIND_LINKS', '')}"
    if constraints:
        installing = {"PIP_CONSTRAINT": str(constraints)}
    else:
        _add_commands(folder / "bin")
        installing = {"PIP_NO_INDEX": "1", "PYTHONPATH": str(dependencies(folder))}
    path = f"{folder / 'reader/.venv/bin'}{os.pathsep}{found['PATH']}"
    return found | installing | {"PATH": path, "PIP_FIND_LINKS": links}


def dependencies(folder: Path) -> Path:
    """Return a folder with all that is installed here, except for this checkout.

    pip finds it there, and has nothing left to download.
    """
    path = folder / "dependencies"
    path.mkdir()
    for installed in {sysconfig.get_path("purelib"), sysconfig.get_path("platlib")}:
        for entry in Path(installed).iterdir():
            if not entry.name.startswith("django_sse_components"):
                (path / entry.name).symlink_to(entry)
    return path


def _add_commands(folder: Path) -> None:
    """Add the commands that pip would have brought with the dependencies."""
    for name in ("django-admin", "uvicorn"):
        (point,) = entry_points(group="console_scripts", name=name)
        text = _SCRIPT.format(module=point.module, function=point.attr)
        (folder / name).write_text(text)
        (folder / name).chmod(0o755)
