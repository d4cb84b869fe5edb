"""The project that the blocks of docs/how-to.md make together."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Self

from tests.servers import ROOT, Server
from tests.tutorials import Block

COMMAND_SECONDS = 60
CURL_TIMED_OUT = 28
"""The exit code of curl where an endless stream had to be cut."""

_NAME = re.compile(r"(?:# |\{# |<!-- )(?P<name>[\w/]+\.\w+)(?: #\}| -->)?")
_SETTINGS = "mysite/settings.py"
_DICT = f"# {_SETTINGS}\nSSE_COMPONENTS = "
"""How a block begins whose keys are some of several blocks'."""
_WORKER = """
import contextlib, io, json, sys, traceback
sys.stderr = io.StringIO()
import django
django.setup()
for line in sys.stdin:
    printed = io.StringIO()
    with contextlib.redirect_stdout(printed):
        try:
            exec(compile(json.loads(line), "<test>", "exec"), {})
            fault = ""
        except Exception:
            fault = traceback.format_exc()
    print(json.dumps([printed.getvalue(), fault]), flush=True)
"""
"""Runs each line of code that it is given."""

# What the tutorial has a reader do, with what the tests' machine needs.
_FILES = {
    _SETTINGS: """
import os

from project.settings import *

INSTALLED_APPS = [app for app in INSTALLED_APPS if app != "project.demo"] + ["shop"]
ROOT_URLCONF = "mysite.urls"
ASGI_APPLICATION = "mysite.asgi.application"
merged = {
    "BROKER_URL": os.environ["SSE_BROKER_URL"],
    "KEY_PREFIX": "how-to",
    "PRESENCE_GRACE_SECONDS": 1,
}
""",
    "manage.py": """
import sys

from django.core.management import execute_from_command_line

execute_from_command_line(sys.argv)
""",
    "mysite/asgi.py": """
from sse_components.asgi import get_asgi_application

application = get_asgi_application()
""",
    "mysite/urls.py": """
from django.shortcuts import render
from django.urls import include, path

from shop import views


def page(request, name):
    return render(request, f"shop/{name}.html", {"headline": "Nothing yet."})


urlpatterns = [
    path("page/<str:name>", page),
    path("reprice/<int:pk>/<int:price>", views.reprice),
    path("import/<int:pk>", views.show_import),
    path("cached", views.cached),
    path("", include("sse_components.urls")),
    path("api/", include("api.urls")),
]
""",
}


class Site:
    """Runs under uvicorn, and has commands run beside it, as a worker is."""

    def __init__(self, folder: Path, blocks: Sequence[Block], broker_url: str) -> None:
        self._folder = folder / "site"
        for name, text in _FILES.items():
            self._add(name, text)
        for package in ("shop", "shop/management", "shop/management/commands"):
            self._add(f"{package}/__init__.py", "")
        self._environment = {
            "DATABASE_URL": f"sqlite:///{folder / 'site.sqlite3'}",
            "DJANGO_SETTINGS_MODULE": "mysite.settings",
            "PYTHONPATH": os.pathsep.join([str(self._folder), str(ROOT)]),
            "SSE_BROKER_URL": broker_url,
        }
        for block in blocks:
            if block.language not in ("sh", "text"):
                self._add(_name_of(block), block.text)
                if block.text.startswith(_DICT):
                    self._add(_SETTINGS, "merged |= SSE_COMPONENTS")
        self._add(_SETTINGS, "SSE_COMPONENTS = merged")
        application = "mysite.asgi:application"
        self.server = Server(folder, [], self._environment, application)
        self.run("python manage.py makemigrations shop && python manage.py migrate")

    @property
    def url(self) -> str:
        return self.server.url

    @contextmanager
    def running(self) -> Iterator[Self]:
        """Have the server run, and a worker beside it."""
        worker = self._start([sys.executable, "-c", _WORKER])
        self._worker = worker
        try:
            with self.server.running():
                yield self
        finally:
            worker.communicate()

    def python(self, code: str) -> str:
        """Run code in the worker, another process than the server's."""
        assert self._worker.stdin and self._worker.stdout
        self._worker.stdin.write(json.dumps(code) + "\n")
        self._worker.stdin.flush()
        printed, fault = json.loads(self._worker.stdout.readline())
        assert not fault, fault
        return str(printed).strip()

    def run(self, command: str) -> str:
        """Run a command as it is printed, and return what it prints."""
        words = command.replace("http://127.0.0.1:8000", self.url)
        process = self._start(["bash", "-euc", words])
        printed, _ = process.communicate(timeout=COMMAND_SECONDS)
        assert process.returncode in (0, CURL_TIMED_OUT), f"{words}\n{printed}"
        return printed

    def _start(self, command: Sequence[str]) -> subprocess.Popen[str]:
        path = [str(Path(sys.executable).parent), os.environ["PATH"]]
        return subprocess.Popen(
            command,
            cwd=self._folder,
            env=os.environ | self._environment | {"PATH": os.pathsep.join(path)},
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )

    def _add(self, name: str, text: str) -> None:
        path = self._folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        with path.open("a") as file:
            file.write(f"{text}\n")


def _name_of(block: Block) -> str:
    """Return the file that a block is."""
    first = block.text.partition("\n")[0]
    found = _NAME.fullmatch(first)
    assert found, f"A block doesn't say what it is: {first}"
    return found["name"]
