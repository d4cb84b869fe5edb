"""`manage.py runserver` in a process of its own, of a project of its own."""

from __future__ import annotations

import asyncio
import errno
import os
import re
import signal
import socket
import subprocess
import sys
import time
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager, closing, contextmanager, suppress
from pathlib import Path

import httpx
import pytest
from websockets.asyncio.client import connect
from websockets.typing import Origin

from tests.clients import Follower, Stream
from tests.servers import ROOT, wait_until

START_SECONDS = 20
STOP_SECONDS = 10
END_SECONDS = 4
"""What may pass between Ctrl-C and the end of the process."""

GROUP = "news.updates"
KEY = {"Authorization": "Bearer test-key"}
PROJECT = {
    "manage.py": """
import os, sys
from django.core.management import execute_from_command_line
os.environ.setdefault("DJANGO_SETTINGS_MODULE", "little.settings")
execute_from_command_line(sys.argv)
""",
    "little/__init__.py": "",
    "little/settings.py": """
import os
DEBUG = not os.environ.get("NO_DEBUG")
ALLOWED_HOSTS = ["*"]
DATABASES = {"default": {"ENGINE": "django.db.backends.sqlite3", "NAME": ":memory:"}}
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"
INSTALLED_APPS = [
    "sse_components",
    "django.contrib.auth",
    "django.contrib.contenttypes",
    "django.contrib.staticfiles",
    "api",
    "little",
]
MIDDLEWARE = ["sse_components.middleware.SSEComponentsMiddleware"]
ROOT_URLCONF = "little.urls"
SECRET_KEY = "for a test"
SSE_API_KEY = "test-key"
SSE_COMPONENTS = {"PUBLIC_GROUPS": ["news.*"]}
STATIC_URL = "static/"
USE_TZ = True
if "ASGI" in os.environ:
    ASGI_APPLICATION = os.environ["ASGI"]
""",
    "little/urls.py": """
from django.http import HttpResponse
from django.urls import include, path
from little.version import VERSION
import pathlib, time

def slow(request):
    pathlib.Path("has_begun").touch()
    time.sleep(60)

urlpatterns = [
    path("slow", slow),
    path("version", lambda request: HttpResponse(VERSION)),
    path("api/", include("api.urls")),
    path("", include("sse_components.urls")),
]
""",
    "little/version.py": "VERSION = 'one'",
    "little/static/little/file.txt": "static",
    "little/asgi.py": """
from sse_components.asgi import get_asgi_application
ours = get_asgi_application()

async def application(scope, receive, send):
    if scope.get("path") == "/mine":
        await send({"type": "http.response.start", "status": 418, "headers": []})
        await send({"type": "http.response.body"})
    else:
        await ours(scope, receive, send)

async def without_lifespan(scope, receive, send):
    assert scope["type"] != "lifespan"
    await ours(scope, receive, send)

async def failing(scope, receive, send):
    await send({"type": "lifespan.startup.failed", "message": "It is too early."})
""",
}


class Runserver:
    """A process that was started in a terminal, so that Ctrl-C reaches all of it."""

    def __init__(self, folder: Path, process: subprocess.Popen[bytes]) -> None:
        self.folder = folder
        self._process = process

    @property
    def log(self) -> str:
        """All that has been printed."""
        return (self.folder / "log").read_text()

    @property
    def url(self) -> str:
        found = re.search(r"development server at (http://\S+:\d+)/\n", self.log)
        return found[1] if found else ""

    def wait_for_start(self) -> None:
        def has_begun() -> bool:
            assert self._process.poll() is None, self.log
            return bool(self.url)

        wait_until(has_begun, START_SECONDS)

    def wait_for_end(self) -> int:
        """Return the exit code of a process that ends by itself."""
        return self._process.wait(timeout=START_SECONDS)

    def press_ctrl_c(self) -> int:
        os.killpg(self._process.pid, signal.SIGINT)
        return self._process.wait(timeout=STOP_SECONDS)

    def terminate(self) -> int:
        """End the process that was started, as who knows no other does."""
        self._process.terminate()
        return self._process.wait(timeout=STOP_SECONDS)

    def is_empty(self) -> bool:
        """Whether no process of it runs: those that have ended may be waited for."""
        for stat in Path("/proc").glob("[0-9]*/stat"):
            with suppress(FileNotFoundError, ProcessLookupError):  # ended meanwhile
                state, _, group = stat.read_text().rpartition(")")[2].split()[:3]
                if int(group) == self._process.pid and state != "Z":
                    return False
        return True

    def kill(self) -> None:
        with suppress(ProcessLookupError):  # all have ended
            os.killpg(self._process.pid, signal.SIGKILL)
        self._process.wait(timeout=STOP_SECONDS)


NewRunserver = Callable[..., Runserver]


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    for name, source in PROJECT.items():
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text(source)
    return tmp_path


@pytest.fixture
def new_runserver(folder: Path) -> Iterator[NewRunserver]:
    """Starts it with arguments, and with variables of its environment."""
    started = []

    def new_runserver(*arguments: str, **environment: str) -> Runserver:
        own = {
            "DJANGO_SETTINGS_MODULE": "little.settings",
            "PYTHONPATH": str(ROOT),
            "PYTHONUNBUFFERED": "1",
            # Django doesn't wait for the process that it kills at Ctrl-C.
            "PYTHONWARNINGS": "error,ignore:subprocess:ResourceWarning",
        }
        with (folder / "log").open("wb") as log:
            process = subprocess.Popen(
                [sys.executable, "manage.py", "runserver", *arguments],
                cwd=folder,
                env=os.environ | own | environment,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                process_group=0,
            )
        started.append(Runserver(folder, process))
        return started[-1]

    yield new_runserver
    for one in started:
        one.kill()


def free_port() -> int:
    with closing(socket.create_server(("127.0.0.1", 0))) as free:
        port: int = free.getsockname()[1]
    return port


async def ready(server: Runserver) -> Runserver:
    """Wait until it listens: what connects then is answered."""
    await asyncio.to_thread(server.wait_for_start)
    return server


async def get(server: Runserver, path: str) -> httpx.Response:
    async with httpx.AsyncClient(timeout=10) as client:
        return await client.get(f"{server.url}{path}")


async def publish(server: Runserver, number: int) -> str:
    """Publish over REST and return the id."""
    path = f"{server.url}/api/v1/groups/{GROUP}/data-changed"
    async with httpx.AsyncClient(headers=KEY, timeout=10) as client:
        answer = await client.post(path, json={"data": {"number": number}})
    assert answer.status_code == 202, answer.text
    return str(answer.json()["id"])


async def change(server: Runserver) -> None:
    """Change the code until that is seen: the reloader may only begin to watch it."""

    def is_seen() -> bool:
        if "version.py changed, reloading" in server.log:
            return True
        (server.folder / "little/version.py").write_text("VERSION = 'two'")
        return False

    await asyncio.to_thread(wait_until, is_seen)


@asynccontextmanager
async def stream(server: Runserver, query: str = "") -> AsyncIterator[Stream]:
    opened = await Stream.open(f"{server.url}/sse/groups/{GROUP}{query}")
    try:
        await opened.until("keep-alive")
        yield opened
    finally:
        await opened.close()


@contextmanager
def at_most(seconds: float) -> Iterator[None]:
    begun = time.monotonic()
    yield
    assert time.monotonic() - begun < seconds


# A12
@pytest.mark.parametrize("asgi", ["", "application", "without_lifespan"])
async def test_a_stream_gets_what_is_published_over_rest(
    new_runserver: NewRunserver, asgi: str
) -> None:
    own = {"ASGI": f"little.asgi.{asgi}"} if asgi else {}
    server = await ready(new_runserver("--noreload", "0", **own))
    async with stream(server) as opened:
        id = await publish(server, 7)
        (event,) = await opened.take(1)
    assert event.id == id
    assert event.data["payload"]["data"] == {"number": 7}
    assert (await get(server, "/mine?a=b")).status_code == (
        418 if asgi == "application" else 404
    )
    assert server.press_ctrl_c() == 0
    if asgi != "without_lifespan":  # which isn't told to end
        assert "Traceback" not in server.log


async def test_what_is_asked_for_is_logged_as_by_djangos_own_but_no_query_of_a_stream(
    new_runserver: NewRunserver,
) -> None:
    own = {"ASGI": "little.asgi.without_lifespan"}
    server = await ready(new_runserver("--noreload", "0", **own))
    async with stream(server, "?grant=secret"):
        await get(server, "/version?a=b")
        await get(server, "/nothing")
    assert server.press_ctrl_c() == 0
    for line in (
        f'"GET /sse/groups/{GROUP} HTTP/1.1" 200\n',
        '"GET /version?a=b HTTP/1.1" 200\n',
        '"GET /nothing HTTP/1.1" 404\n',
    ):
        assert re.search(
            r"^\[[\w/]+ [\d:]+\] " + re.escape(line), server.log, re.MULTILINE
        )
    assert "secret" not in server.log
    assert server.log.count('"GET /version') == 1


LOGGING = """
LOGGING = {
    "version": 1,
    "disable_existing_loggers": False,
    "handlers": {"file": {"class": "logging.FileHandler", "filename": "access.log"}},
    "loggers": {
        "uvicorn.access": {"handlers": ["file"], "level": "INFO", "propagate": False}
    },
}
"""


async def test_a_project_may_log_requests_as_it_likes(
    new_runserver: NewRunserver, folder: Path
) -> None:
    with (folder / "little/settings.py").open("a") as settings:
        settings.write(LOGGING)
    server = await ready(new_runserver("--noreload", "0"))
    async with stream(server, "?grant=secret"):
        pass
    assert server.press_ctrl_c() == 0
    assert f'"GET /sse/groups/{GROUP} HTTP' not in server.log
    logged = (folder / "access.log").read_text()
    assert logged.count(f'"GET /sse/groups/{GROUP} HTTP/1.1" 200') == 1
    assert "secret" not in logged


async def test_a_websocket_is_not_compressed(new_runserver: NewRunserver) -> None:
    server = await ready(new_runserver("--noreload", "0"))
    address = f"ws{server.url.removeprefix('http')}/sse/ws?group={GROUP}"
    # It offers to, as browsers do.
    async with connect(address, proxy=None, origin=Origin(server.url)) as connection:
        assert connection.response
        assert "Sec-WebSocket-Extensions" not in connection.response.headers


@pytest.mark.parametrize(
    ("options", "environment", "status"),
    [
        ([], {}, 200),
        (["--nostatic"], {}, 404),
        ([], {"NO_DEBUG": "1"}, 404),
        (["--insecure"], {"NO_DEBUG": "1"}, 200),
    ],
    ids=["debug", "nostatic", "no debug", "insecure"],
)
async def test_static_files_are_served_when_django_would(
    new_runserver: NewRunserver,
    options: list[str],
    environment: dict[str, str],
    status: int,
) -> None:
    server = await ready(new_runserver("--noreload", "0", *options, **environment))
    answer = await get(server, "/static/little/file.txt")
    assert answer.status_code == status
    assert (answer.text == "static") is (status == 200)


async def test_a_project_without_static_files_needs_none(
    new_runserver: NewRunserver, folder: Path
) -> None:
    settings = folder / "little/settings.py"
    kept = settings.read_text().replace('"django.contrib.staticfiles",', "")
    settings.write_text(kept.replace("STATIC_URL", "OTHER"))
    server = await ready(new_runserver("--noreload", "0"))
    async with stream(server):
        assert (await get(server, "/version")).text == "one"


async def test_after_a_change_the_new_code_is_served_and_the_stream_comes_back(
    new_runserver: NewRunserver,
) -> None:
    server = await ready(new_runserver(str(free_port())))
    async with Follower(f"{server.url}/sse/groups/{GROUP}") as follower:
        assert (await get(server, "/version")).text == "one"
        await change(server)
        await follower.until(lambda: bool(follower.endings))
        await follower.until(lambda: len(follower.types("stream-open")) > 1)
        assert (await get(server, "/version")).text == "two"
        id = await publish(server, 1)
        await follower.until(lambda: id in follower.ids)
    assert server.press_ctrl_c() == 0
    wait_until(server.is_empty)
    assert "Traceback" not in server.log


async def test_a_change_does_not_wait_for_a_view(
    new_runserver: NewRunserver, folder: Path
) -> None:
    server = await ready(new_runserver(str(free_port())))
    waiting = asyncio.create_task(get(server, "/slow"))
    await asyncio.to_thread(wait_until, (folder / "has_begun").exists)
    await change(server)
    with pytest.raises((httpx.RemoteProtocolError, httpx.ReadError)):
        await waiting
    await asyncio.to_thread(wait_until, lambda: server.log.count(server.url) == 2)
    assert (await get(server, "/version")).text == "two"
    assert "Traceback" not in server.log


@pytest.mark.parametrize("options", [[], ["--noreload"]], ids=["reload", "noreload"])
async def test_ctrl_c_ends_it_at_once_though_a_stream_is_open(
    new_runserver: NewRunserver, options: list[str]
) -> None:
    server = await ready(new_runserver("0", *options))
    async with stream(server) as opened:
        with at_most(END_SECONDS):
            assert await asyncio.to_thread(server.press_ctrl_c) == 0
        if options:
            (farewell,) = await opened.until("stream-close")
            assert farewell.data["reason"] == "shutdown"
    wait_until(server.is_empty)
    assert "Traceback" not in server.log


@pytest.mark.parametrize("options", [[], ["--noreload"]], ids=["reload", "noreload"])
async def test_a_supervisor_ends_it_and_nothing_is_left(
    new_runserver: NewRunserver, options: list[str]
) -> None:
    server = await ready(new_runserver("0", *options))
    async with stream(server):
        with at_most(END_SECONDS):
            assert await asyncio.to_thread(server.terminate) == 0
    wait_until(server.is_empty)


@pytest.mark.parametrize("options", [[], ["--noreload"]], ids=["reload", "noreload"])
def test_a_port_that_is_taken_is_told_as_django_does(
    new_runserver: NewRunserver, options: list[str]
) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        server = new_runserver(str(taken.getsockname()[1]), *options)
        assert server.wait_for_end() == 1
    assert "Error: That port is already in use." in server.log
    assert "Traceback" not in server.log


@pytest.mark.skipif(not socket.has_dualstack_ipv6(), reason="There is no IPv6 here")
@pytest.mark.parametrize("address", ["[::1]:0", "[::]:0"])
async def test_it_listens_at_an_ipv6_address(
    new_runserver: NewRunserver, address: str
) -> None:
    server = await ready(new_runserver("--noreload", address))
    port = server.url.rpartition(":")[2]
    hosts = ["[::1]", "127.0.0.1"] if address == "[::]:0" else ["[::1]"]
    async with httpx.AsyncClient() as client:
        for host in hosts:
            answer = await client.get(f"http://{host}:{port}/version")
            assert answer.text == "one"


async def test_below_static_files_it_is_djangos_own_which_the_check_says(
    new_runserver: NewRunserver, folder: Path
) -> None:
    settings = folder / "little/settings.py"
    names = '"sse_components",', '"django.contrib.staticfiles",'
    swapped = settings.read_text().replace(names[0], "", 1)
    settings.write_text(swapped.replace(names[1], "".join(names[::-1])))
    server = await ready(new_runserver("--noreload", "0"))
    assert "(sse_components.W031)" in server.log
    assert (await get(server, "/version")).headers["Server"].startswith("WSGIServer")


def test_an_application_that_is_not_there_is_told(new_runserver: NewRunserver) -> None:
    server = new_runserver("--noreload", "0", ASGI="little.asgi.aplication")
    assert server.wait_for_end() == 1
    assert "ASGI_APPLICATION = 'little.asgi.aplication' can't be imported" in server.log


def test_an_application_that_does_not_start_ends_it(
    new_runserver: NewRunserver,
) -> None:
    server = new_runserver("--noreload", "0", ASGI="little.asgi.failing")
    assert server.wait_for_end() == 3
    assert "It is too early." in server.log
    assert "Traceback" not in server.log


def test_nobody_waits_for_an_application_that_did_not_start(
    new_runserver: NewRunserver,
) -> None:
    port = free_port()
    server = new_runserver(str(port), ASGI="little.asgi.failing")
    server.wait_for_start()

    def is_refused() -> bool:
        with socket.socket() as one:
            one.settimeout(1)
            return one.connect_ex(("127.0.0.1", port)) == errno.ECONNREFUSED

    wait_until(is_refused)
    assert "It is too early." in server.log
    assert server.press_ctrl_c() == 0  # until then it waits for a change of the code
