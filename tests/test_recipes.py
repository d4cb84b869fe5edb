"""Every example of docs/api.md, run against a server: what it prints, what it does."""

from __future__ import annotations

import asyncio
import json
import os
import subprocess
import sys
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Sequence
from contextlib import AsyncExitStack, ExitStack, asynccontextmanager
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import httpx
import pytest

from tests.clients import Received, Stream
from tests.components.pages import page as rendered
from tests.components.pages import root
from tests.proxies import Proxy
from tests.recipes import page
from tests.recipes.busy import Busy
from tests.recipes.page import LANGUAGES, Example, assert_printed
from tests.recipes.systems import SECONDS, System
from tests.servers import ROOT, Server

FOLLOWED: set[tuple[str, str]] = set()
"""Titles of sections, and languages."""
SHOPS = "/sse/stream?group=shop.berlin&group=shop.wien"
FIRST_USER = 2
"""Who is logged in first: the demo has one user."""
LANGUAGES_OF_BLOCKS = {*LANGUAGES, "django", "go", "json", "text"}
FILES = {
    "settings.py",
    "urls.py",
    "sse_api.py",
    "sse_api.mjs",
    "progress.go",  # tests/thorough/test_go.py
    "shop/components.py",
}

SITE_SETTINGS = """
from project.settings import *
INSTALLED_APPS = [app for app in INSTALLED_APPS if app not in ("ninja", "api")]
ROOT_URLCONF = "urls"
"""
SITE_URLS = """
from django.urls import include, path
urlpatterns = [path("", include("sse_components.urls"))]
"""
IN_THE_WHEEL = "sse_components.api"


def followed(title: str, *languages: str) -> list[Example]:
    """Return the examples of a section, of which a test sees that they are right."""
    found = page.examples(title)
    if languages:
        found = [example for example in found if example.language in languages]
    FOLLOWED.update((title, example.language) for example in found)
    return found


def follows(title: str, *languages: str) -> Callable[..., Any]:
    """Have a test get each example of a section."""
    found = followed(title, *languages)
    names = [example.language for example in found]
    return pytest.mark.parametrize("example", found, ids=names)


INSTALL = followed("Install")
KEYS = followed("Keys")
SHARED = followed("What the examples share")
HEARD = followed("See which groups are heard")


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    environment = {
        "SSE_PUBLIC_GROUPS": "chat.*,news.*,shop.*",
        "SSE_PRESENCE_GRACE_SECONDS": "0.2",
    }
    folder = tmp_path_factory.mktemp("server")
    with Server(folder, environment=environment).running() as server:
        yield server


@pytest.fixture(scope="module", autouse=True)  # the examples name them
def people(server: Server) -> dict[str, dict[str, str]]:
    """The headers of users by their primary keys."""
    logged_in = server.log_in(8)
    return {str(pk): one for pk, one in enumerate(logged_in, FIRST_USER)}


@pytest.fixture(scope="module")
def key(server: Server) -> str:
    (creation,) = SHARED
    return managed(server.database_url, creation.text).strip()


@pytest.fixture
def system(server: Server, key: str, tmp_path: Path) -> System:
    return System(tmp_path, server.url, key)


def managed(database_url: str, commands: str, **environment: str) -> str:
    """Run management commands as the page has them; return what they print."""
    path = os.pathsep.join([str(Path(sys.executable).parent), os.environ["PATH"]])
    given = {
        "DATABASE_URL": database_url,
        "DJANGO_SETTINGS_MODULE": "project.settings",
        "PATH": path,
    }
    done = subprocess.run(
        ["bash", "-euc", commands],
        cwd=ROOT,
        env=given | environment,
        capture_output=True,
        text=True,
        timeout=SECONDS,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


@asynccontextmanager
async def listening(
    server: Server, path: str, headers: dict[str, str] | None = None
) -> AsyncIterator[Stream]:
    """Hear what comes from now on."""
    stream = await Stream.open(f"{server.url}{path}", headers)
    try:
        opened = await stream.until("keep-alive")
        assert opened[0].type == "stream-open"
        assert not opened[0].data["denied"]
        yield stream
    finally:
        await stream.close()


async def until_online(server: Server, user: str, is_online: bool) -> None:
    async def is_so() -> bool:
        status = await ask(server, f"/users/{user}/status")
        return bool(status["online"] == is_online)

    await until(is_so)


async def until(condition: Callable[[], Awaitable[bool]]) -> None:
    """Return when something has become true, whose truth nobody announces."""
    async with asyncio.timeout(10):
        while True:
            if await condition():
                return
            await asyncio.sleep(0.05)


async def ask(
    server: Server, path: str, method: str = "GET", body: Any = None
) -> dict[str, Any]:
    async with httpx.AsyncClient(headers=server.headers) as client:
        url = f"{server.url}/api/v1{path}"
        answer = await client.request(method, url, json=body)
    assert answer.is_success, answer.text
    found: dict[str, Any] = answer.json()
    return found


async def heard(server: Server, stream: Stream, group: str) -> list[Received]:
    """Return all that has come up to what is published now."""
    change = {"data": {"last": True}}
    last = await ask(server, f"/groups/{group}/data-changed", "POST", change)
    events: list[Received] = []
    while not events or events[-1].id != last["id"]:
        events += await stream.take(1)
    return events[:-1]


def brief(events: Sequence[Received]) -> list[tuple[str, str, Any]]:
    return [(one.type, one.data["group"], one.data["payload"]) for one in events]


def test_all_that_the_page_shows_is_run() -> None:
    found = list(page.blocks())
    assert {block.language for _, block in found} == LANGUAGES_OF_BLOCKS
    assert page.files().keys() == FILES
    examples = {
        (title, one.language) for title, _ in found for one in page.examples(title)
    }
    assert examples == FOLLOWED


def test_the_recipes_are_in_each_language() -> None:
    titles = [title for title, language in FOLLOWED if language == "js"]
    assert len(titles) == 10
    for title in titles:
        assert [one.language for one in page.examples(title)] == [*LANGUAGES], title


def test_the_api_is_installed_as_the_page_says(tmp_path: Path) -> None:
    files = {
        name: page.files()[name].replace(IN_THE_WHEEL, "api")
        for name in ("settings.py", "urls.py")
    }
    (tmp_path / "settings.py").write_text(SITE_SETTINGS + files["settings.py"])
    (tmp_path / "urls.py").write_text(SITE_URLS + files["urls.py"])
    (migration,) = INSTALL
    printed = managed(
        f"sqlite:///{tmp_path}/db.sqlite3",
        f"{migration.text}\npython manage.py sse_openapi",
        DJANGO_SETTINGS_MODULE="settings",
        PYTHONPATH=f"{tmp_path}{os.pathsep}{ROOT}",
    )
    assert "Applying sse_components_api.0001_initial... OK" in printed
    assert '"/api/v1/events"' in printed


async def test_a_key_is_made_rotated_listed_and_revoked(server: Server) -> None:
    creation, changes = KEYS
    key = managed(server.database_url, creation.text).strip()
    assert await status_of(server, key, "news.local.sport") == 202
    assert await status_of(server, key, "shop.berlin") == 403
    new_key, *table, revoked = managed(server.database_url, changes.text).splitlines()
    (row,) = [line.split() for line in table if line.startswith("stock ")]
    assert "publish,read" in row
    assert "news.**" in row
    assert revoked == "stock is revoked: within a second nobody takes it."
    for one in (key, new_key):
        await until_status(server, one, 401)


async def until_status(server: Server, key: str, status: int) -> None:
    async def is_so() -> bool:
        return await status_of(server, key, "news.updates") == status

    await until(is_so)


async def status_of(server: Server, key: str, group: str) -> int:
    async with httpx.AsyncClient(headers={"X-API-Key": key}) as client:
        url = f"{server.url}/api/v1/groups/{group}/data-changed"
        return (await client.post(url, json={})).status_code


@follows("Errors")
async def test_an_error_says_where_it_is(example: Example, system: System) -> None:
    printed = await system.run(example.language, example.text)
    assert_printed(example, printed, system.url)


# They are tried again with the same key, so that the change is published once.
async def test_who_is_refused_or_cut_off_tries_again(tmp_path: Path) -> None:
    _, *examples = page.examples("Tell one user")
    with ExitStack() as stack:
        servers = [stack.enter_context(Busy()) for _ in examples]
        printed = await asyncio.gather(
            *(
                System(tmp_path, busy.url, "key").run(one.language, one.text)
                for one, busy in zip(examples, servers, strict=True)
            )
        )
    for text, busy in zip(printed, servers, strict=True):
        assert json.loads(text) == busy.ANSWER
        assert len(busy.requests) == 4
        assert len({(one.path, one.once, one.body) for one in busy.requests}) == 1
        assert min(busy.waits) >= 1


@follows("Publish a change")
async def test_a_change_is_heard_once(
    example: Example, system: System, server: Server
) -> None:
    async with listening(server, "/sse/groups/news.updates") as stream:
        text = example.text.replace("headline-4711", f"headline-{example.language}")
        first = await system.run(example.language, text)
        again = await system.run(example.language, text)
        events = await heard(server, stream, "news.updates")
    assert_printed(example, first, system.url)
    assert json.loads(again) == json.loads(first) | {"duplicate": True}
    payload = {"data": {"headline": "Hello"}, "update": False}
    assert brief(events) == [("component.data_changed", "news.updates", payload)]
    assert [event.id for event in events] == [json.loads(first)["id"]]


@follows("Tell one user")
async def test_one_user_is_told(
    example: Example, system: System, server: Server, people: dict[str, dict[str, str]]
) -> None:
    async with listening(server, "/sse/stream", people["7"]) as stream:
        printed = await system.run(example.language, example.text)
        (event,) = await stream.take(1)
    assert_printed(example, printed, system.url)
    assert event.id == json.loads(printed)["id"]
    data = {"message": "Your order is on its way"}
    payload = {"event_name": "tetra:alert", "data": data}
    assert brief([event]) == [("notify", "auth.user.7", payload)]


@follows("Publish many at once")
async def test_of_a_batch_each_event_is_heard_and_has_a_result(
    example: Example, system: System, server: Server, people: dict[str, dict[str, str]]
) -> None:
    async with listening(server, SHOPS, people["7"]) as stream:
        text = example.text.replace("closing-2026", f"closing-{example.language}")
        printed = await system.run(example.language, text)
        again = await system.run(example.language, text)
        events = await heard(server, stream, "shop.wien")
    assert_printed(example, printed, system.url)
    closed = {"data": {"open": False}, "update": False}
    alert = {"event_name": "tetra:alert", "data": {"message": "Closed"}}
    assert brief(events) == [
        ("component.data_changed", "shop.berlin", closed),
        ("component.data_changed", "shop.wien", closed),
        ("notify", "auth.user.7", alert),
    ]
    results = [json.loads(one)["results"][:3] for one in (printed, again)]
    assert [one["id"] for one in results[0]] == [event.id for event in events]
    assert results[1] == [one | {"duplicate": True} for one in results[0]]


@follows("See who is online")
async def test_who_is_online_is_seen(
    example: Example, system: System, server: Server, people: dict[str, dict[str, str]]
) -> None:
    await until_online(server, "7", False)
    async with listening(server, "/sse/stream", people["7"]):
        await until_online(server, "7", True)
        printed = await system.run(example.language, example.text)
    assert_printed(example, printed, system.url)


@follows("See who is in a group")
async def test_who_is_in_a_group_is_seen(
    example: Example, system: System, server: Server, people: dict[str, dict[str, str]]
) -> None:
    await until_online(server, "7", False)
    async with listening(server, "/sse/stream?group=chat.lobby", people["7"]):
        await until_online(server, "7", True)
        printed = await system.run(example.language, example.text)
    assert_printed(example, printed, system.url)


@follows("Hear who comes and goes", "sh")
async def test_who_comes_is_heard_by_a_shell(
    example: Example, system: System, server: Server, people: dict[str, dict[str, str]]
) -> None:
    await until_online(server, "7", False)
    async with system.started(example.language, example.text) as process:
        assert process.stdout
        await line_of(process.stdout, "event: stream-open")
        async with listening(server, "/sse/stream", people["7"]):
            await line_of(process.stdout, "event: presence.online")
            said = await line_of(process.stdout, "data: ")
    assert json.loads(said.removeprefix("data: "))["payload"]["user"] == "7"


# While the connection is cut, the user leaves.
@follows("Hear who comes and goes", "python", "js")
async def test_who_comes_and_goes_is_heard_over_a_lost_connection(
    example: Example,
    key: str,
    server: Server,
    people: dict[str, dict[str, str]],
    tmp_path: Path,
) -> None:
    await until_online(server, "7", False)
    proxy = Proxy(server.port)
    await proxy.start()
    system = System(tmp_path, f"http://127.0.0.1:{proxy.port}", key)
    async with AsyncExitStack() as stack:
        stack.push_async_callback(proxy.stop)
        started = system.started(example.language, example.text)
        output = (await stack.enter_async_context(started)).stdout
        assert output
        shown = [await line_of(output) for _ in range(2)]
        async with listening(server, "/sse/stream", people["7"]):
            shown.append(await line_of(output))
            proxy.cut()
        await until_online(server, "7", False)
        proxy.mend()
        shown.append(await line_of(output))
    assert shown == example.printed.splitlines()


async def line_of(output: asyncio.StreamReader, beginning: str = "") -> str:
    """Return the next line that begins so."""
    async with asyncio.timeout(SECONDS):
        while line := (await output.readline()).decode():
            if line.startswith(beginning):
                return line.rstrip()
    raise EOFError


def test_the_progress_of_a_job_is_bound_in_the_page() -> None:
    (tag,) = [block.text for _, block in page.blocks() if block.language == "django"]
    exec(page.files()["shop/components.py"], {"__name__": "shop.components"})
    html = rendered(tag, order=SimpleNamespace(job_number=7))
    found = root(html)
    assert found["data-sse-groups"] == '["job.7"]'
    assert json.loads(found["data-sse-props"]) == {"done": 0}
    assert ':value="done" value="0"' in html


@follows("Give a client without a session a stream")
async def test_who_has_a_grant_hears_what_it_is_for(
    example: Example, system: System, server: Server
) -> None:
    printed = await system.run(example.language, example.text)
    assert_printed(example, printed, system.url)
    path = json.loads(printed)["stream_url"].removeprefix(server.url)
    await until_online(server, "7", False)
    async with listening(server, path) as stream:
        await until_online(server, "7", True)
        for group in ("project.5", "project.5.board"):
            assert await heard(server, stream, group) == []


@follows("Throw a user out")
async def test_a_user_loses_all_streams_and_another_some_groups(
    example: Example, system: System, server: Server, people: dict[str, dict[str, str]]
) -> None:
    wish = {"groups": ["project.5.board", "project.6.board"], "user": "9"}
    grant = (await ask(server, "/grants", "POST", wish))["stream_url"]
    path = grant.removeprefix(server.url)
    async with (
        listening(server, "/sse/stream", people["7"]) as one,
        listening(server, path) as other,
    ):
        assert await system.run(example.language, example.text) == ""
        (last,) = await one.until("stream-error")
        assert last.data["condition"] == "revoked"
        (last,) = await other.until("stream-close")
        assert last.data["reason"] == "regrant"
    stream = await Stream.open(grant)
    opened = await stream.next()
    await stream.close()
    assert opened.data["denied"] == ["project.5.board"]
    assert "project.6.board" in opened.data["groups"]


@follows("Read what was missed")
async def test_what_was_missed_is_read(
    example: Example, system: System, server: Server
) -> None:
    last_id = (await ask(server, "/groups/shop.orders"))["last_id"]
    created = {"data": {"pk": 123}}
    await ask(server, "/groups/shop.orders/component-created", "POST", created)
    printed = await system.run(example.language, example.text, LAST_ID=last_id)
    assert_printed(example, printed, system.url)


# The server counts every few seconds, so all of them are run after one wait.
async def test_which_groups_are_heard_is_seen(server: Server, system: System) -> None:
    wanted = json.loads(HEARD[0].printed)

    async def is_known() -> bool:
        return bool(await ask(server, "/groups?prefix=shop.") == wanted)

    async with AsyncExitStack() as stack:
        for name in ("shop.orders", "shop.orders", "shop.*"):
            path = f"/sse/stream?group={name}"
            await stack.enter_async_context(listening(server, path))
        await until(is_known)
        for example in HEARD:
            printed = await system.run(example.language, example.text)
            assert_printed(example, printed, system.url)
