"""A machine as docs/deploy.md describes one: a project in a folder, and its service."""

from __future__ import annotations

import json
import os
import re
import shlex
import shutil
import signal
import subprocess
import sys
import time
import zipfile
from collections.abc import Collection, Iterator, Mapping
from configparser import ConfigParser
from contextlib import contextmanager, suppress
from copy import copy
from pathlib import Path
from urllib.error import HTTPError
from urllib.request import Request, urlopen

from tests.ports import free_port
from tests.servers import wait_until
from tests.tutorials import dependencies

COMMAND_SECONDS = 60
START_SECONDS = 40
STOP_SECONDS = 15
STARTED = "Application startup complete"
READY = "/api/v1/health/ready"
LIVE = "/api/v1/health/live"

SETTINGS = """
INSTALLED_APPS = ["sse_components", *INSTALLED_APPS, "ninja", "sse_components.api"]
MIDDLEWARE += ["sse_components.middleware.SSEComponentsMiddleware"]
ASGI_APPLICATION = "mysite.asgi.application"

"""
FASTER = """
SSE_COMPONENTS |= {"PUBLIC_GROUPS": ["news.*"], "KEEP_ALIVE_SECONDS": 1}
VERSION = 1
"""
ASGI = """
import os
from sse_components.asgi import get_asgi_application
os.environ.setdefault("DJANGO_SETTINGS_MODULE", "mysite.settings")
application = get_asgi_application()
"""
URLS = """
import time
from django.conf import settings
from django.contrib import admin
from django.http import HttpResponse, JsonResponse
from django.urls import include, path

def seen(request):
    return JsonResponse({
        "address": request.META["REMOTE_ADDR"],
        "host": request.get_host(),
        "is_secure": request.is_secure(),
        "version": settings.VERSION,
    })

def slow(request):
    time.sleep(float(request.GET["seconds"]))
    return HttpResponse("done")

urlpatterns = [
    path("seen", seen),
    path("slow", slow),
    path("admin/", admin.site.urls),
    path("", include("sse_components.urls")),
    path("api/", include("sse_components.api.urls")),
]
"""


def write_project(folder: Path, settings: str) -> None:
    """Make what the tutorial has made of mysite, with these settings at the end."""
    folder.mkdir(parents=True)
    command = [sys.executable, "-m", "django", "startproject", "mysite", str(folder)]
    subprocess.run(command, check=True, timeout=COMMAND_SECONDS, env=_bare())
    with (folder / "mysite/settings.py").open("a") as file:
        file.write(SETTINGS + settings + FASTER)
    (folder / "mysite/asgi.py").write_text(ASGI)
    (folder / "mysite/urls.py").write_text(URLS)


def _bare() -> dict[str, str]:
    return {
        name: value
        for name, value in os.environ.items()
        if not name.startswith(("DJANGO_", "SSE_", "PYTHON", "UVICORN_", "COV_"))
    }


class Machine:
    """Has `/srv/mysite` and `/etc` in a folder, and the port of 8000 as another one."""

    def __init__(self, root: Path, wheel: Path, settings: str) -> None:
        self.root = root
        self._logs = 0
        self._take_a_port()
        self.project = root / "srv/mysite"
        write_project(self.project, settings)
        packages = dependencies(root)
        zipfile.ZipFile(wheel).extractall(packages)
        self.environment = {
            "HOME": str(root),
            "LANG": "C.UTF-8",
            "PATH": os.pathsep.join([str(root / "bin"), os.environ["PATH"]]),
            "PYTHONPATH": str(packages),
            "PYTHONUNBUFFERED": "1",
        }
        programs = self.project / ".venv/bin"
        programs.mkdir(parents=True)
        (root / "bin").mkdir()
        write_program(programs / "python", f'exec {sys.executable} "$@"')
        write_program(programs / "uvicorn", f'exec {sys.executable} -m uvicorn "$@"')

    def here(self, text: str) -> str:
        """Return what a page says with this machine's folders and port."""
        text = text.replace("/srv/mysite", str(self.project))
        text = text.replace("/etc/mysite.env", str(self.root / "etc/mysite.env"))
        return re.sub(r"(:|--port )8000\b", rf"\g<1>{self.port}", text)

    def without(self, names: Collection[str]) -> Machine:
        """Return the same one, whose shell lacks some variables."""
        machine = copy(self)
        machine.environment = {
            name: value for name, value in self.environment.items() if name not in names
        }
        return machine

    def at_another_port(self) -> Machine:
        """Return the same one for a service beside that which may run."""
        machine = copy(self)
        machine._take_a_port()
        return machine

    def _take_a_port(self) -> None:
        self.port = free_port()
        self.url = f"http://localhost:{self.port}"  # the host as proxies have it

    def new_log(self) -> Path:
        """Return the file that a service writes its log to."""
        self._logs += 1
        return self.root / f"log-{self.port}-{self._logs}"

    def have(self, program: str, script: str) -> None:
        """Have a program on the PATH."""
        write_program(self.root / "bin" / program, script)

    def shell(self, commands: str, **more: str) -> str:
        """Run commands as a shell does; return what they print."""
        done = subprocess.run(
            ["bash", "-euc", commands],
            cwd=self.project,
            env=self.environment | more,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            timeout=COMMAND_SECONDS,
        )
        assert done.returncode == 0, f"{commands}\n{done.stdout}"
        return done.stdout


def write_program(path: Path, script: str) -> None:
    """Make a program of a line for the shell."""
    path.write_text(f"#!/bin/sh\n{script}\n")
    path.chmod(0o755)


def environment_of(file: str) -> dict[str, str]:
    """Read what systemd's EnvironmentFile has."""
    lines = [line for line in file.splitlines() if line and line[0] != "#"]
    return dict(line.split("=", 1) for line in lines)


def unit_of(file: str) -> Mapping[str, str]:
    """Return the section of a unit that says how it runs."""
    parser = ConfigParser(interpolation=None)
    parser.optionxform = str  # type: ignore[assignment,method-assign]
    parser.read_string(file)
    return parser["Service"]


class Running:
    """A program that runs until it is stopped."""

    def __init__(
        self,
        command: list[str],
        folder: Path,
        environment: Mapping[str, str],
        log: Path,
    ) -> None:
        self._log = log
        with log.open("ab") as file:
            self.process = subprocess.Popen(
                command,
                cwd=folder,
                env=dict(environment),
                stdout=file,
                stderr=file,
                process_group=0,  # so that no worker outlives its end
            )

    @property
    def log(self) -> str:
        return self._log.read_text()

    def wait_for(self, url: str) -> None:
        """Return when it answers."""
        wait_until(
            lambda: self.process.poll() is not None or status_of(url) is not None,
            START_SECONDS,
        )
        assert self.process.poll() is None, self.log

    def wait_for_workers(self, count: int) -> None:
        """Return when so many have started."""
        deadline = time.monotonic() + START_SECONDS
        while self.log.count(STARTED) < count:
            assert time.monotonic() < deadline, self.log
            time.sleep(0.05)

    def send(self, number: int) -> None:
        self.process.send_signal(number)

    def stop(self) -> int:
        """Ask it to end, as systemd and Docker do; return its exit code."""
        self.send(signal.SIGTERM)
        return self.process.wait(STOP_SECONDS)

    def close(self) -> None:
        """End what still runs."""
        with suppress(ProcessLookupError):
            os.killpg(self.process.pid, signal.SIGKILL)
        self.process.wait(STOP_SECONDS)


@contextmanager
def running(
    command: list[str],
    folder: Path,
    environment: Mapping[str, str],
    log: Path,
    url: str,
) -> Iterator[Running]:
    """Yield a program that answers at an address, and see that it ends in order."""
    program = Running(command, folder, environment, log)
    try:
        program.wait_for(url)
        yield program
        if program.process.poll() is None:
            assert program.stop() == 0
        assert "Traceback" not in program.log
    finally:
        program.close()


def service(machine: Machine, unit: Mapping[str, str], **more: str) -> Running:
    """Start what a unit says, as systemd does."""
    file = machine.root / unit["EnvironmentFile"].lstrip("/")
    own = environment_of(file.read_text())
    return Running(
        shlex.split(machine.here(unit["ExecStart"])),
        Path(machine.here(unit["WorkingDirectory"])),
        machine.environment | own | more,
        machine.new_log(),
    )


def status_of(
    url: str, headers: Mapping[str, str] | None = None, seconds: float = 5
) -> int | None:
    """Return the status of an answer, None if there is none."""
    try:
        with urlopen(Request(url, headers=dict(headers or {})), timeout=seconds) as got:
            return int(got.status)
    except HTTPError as error:
        error.close()
        return error.code
    except OSError:
        return None


class Dockerfile:
    """Does in folders what a Dockerfile says of an image: `/srv` is in one of them.

    The environment is that of the image before the first line.
    """

    def __init__(self, text: str, context: Path, image: Path) -> None:
        self.command: list[str] = []
        self.environment: dict[str, str] = {}
        self.folder = image
        self.port = 0
        self._context = context
        self._image = image
        lines = text.replace("\\\n", " ").splitlines()
        self._instructions = [line.split(" ", 1) for line in lines if line[:1] != "#"]
        assert self._instructions[0][0] == "FROM"

    def started(self, port: int) -> list[str]:
        """Return the command, which answers only here, at another port."""
        host, own = self.command.index("--host"), self.command.index("--port")
        assert self.command[host + 1] == "0.0.0.0"
        assert self.command[own + 1] == str(self.port)
        command = self.command.copy()
        command[host + 1], command[own + 1] = "127.0.0.1", str(port)
        return command

    def build(self) -> None:
        """Follow all that it says."""
        for name, rest in self._instructions[1:]:
            match name:
                case "ENV":
                    key, _, value = rest.partition("=")
                    self.environment[key] = value
                case "WORKDIR":
                    self.folder = self._image / rest.lstrip("/")
                    self.folder.mkdir(parents=True)
                case "COPY":
                    self._copy(*rest.split())
                case "RUN":
                    self._run(rest)
                case "EXPOSE":
                    self.port = int(rest)
                case "CMD":
                    self.command = json.loads(rest)
                case _:
                    assert name == "USER", name
                    assert int(rest), "Who isn't root"

    def _copy(self, source: str, target: str) -> None:
        found = self._context / source
        if found.is_dir():
            shutil.copytree(found, self.folder / target, dirs_exist_ok=True)
        else:
            shutil.copy(found, self.folder / target)

    def _run(self, command: str) -> None:
        done = subprocess.run(
            ["sh", "-ec", command],
            cwd=self.folder,
            env=self.environment,
            capture_output=True,
            text=True,
            timeout=COMMAND_SECONDS,
        )
        assert done.returncode == 0, f"{command}\n{done.stdout}{done.stderr}"
