"""A server that dies under an open page, whose rows go on changing."""

from __future__ import annotations

import asyncio
import json
import signal
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Self

import pytest
from playwright.async_api import Page

from tests.browser.people import open_todo
from tests.redis_servers import RedisServer
from tests.servers import Server

pytestmark = pytest.mark.asyncio(loop_scope="session")

RETURN_SECONDS = 5
"""After which a page is right again."""
RESTARTS = 10

OWNER = "JSON.parse(document.querySelector('.todo').dataset.sseGroups)[0].slice(5)"
ROWS = """[...document.querySelectorAll('.todo li')].map((row) => [
  row.querySelector('textarea').value, row.querySelector('input').checked])"""
SHOWS = f"(rows) => JSON.stringify({ROWS}) === JSON.stringify(rows)"

WRITE = """
import json, random, select, sys
from project.demo.models import TodoItem

items = TodoItem.objects.filter(owner={owner!r})
numbers = iter(range(1_000_000))

def create():
    number = next(numbers)
    TodoItem.objects.create(owner={owner!r}, title=f"new {{number}}", position=number)

def rename():
    item = random.choice(items.all())
    item.title = f"renamed {{next(numbers)}}"
    item.save()

def check():
    item = random.choice(items.all())
    items.filter(pk=item.pk).update(done=not item.done)

def discard():
    random.choice(items.all()).delete()

def write():
    count = items.count()
    random.choice([create] * (count < 12) + [rename, check, discard] * (count > 3))()

while True:
    if not select.select([sys.stdin], [], [], 0.05)[0]:
        write()
    elif sys.stdin.readline():
        print(json.dumps([*items.values_list("title", "done")]), flush=True)
        sys.stdin.readline()
    else:
        break
"""

ADD = """() => {
  const form = Alpine.$data(document.querySelector('.todo form'));
  const add = async () => {
    for (let number = 0; !window.rests; number++) {
      await form.add(`item ${number}`).catch(() => {});
      await new Promise((go) => setTimeout(go, 50));
    }
  };
  window.added = add();
}"""


class Writer:
    """A process that goes on changing one visitor's rows until it is told to rest."""

    def __init__(self, server: Server, owner: str) -> None:
        command = WRITE.format(owner=owner)
        self._process = server.start_managing("shell", "--verbosity=0", "-c", command)

    def rest(self) -> Any:
        """Return the rows as it leaves them."""
        assert self._process.stdin and self._process.stdout
        self._next()
        return json.loads(self._process.stdout.readline())

    def go_on(self) -> None:
        self._next()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        with self._process:  # which closes its pipes, so that it ends
            pass

    def _next(self) -> None:
        assert self._process.stdin
        self._process.stdin.write("\n")
        self._process.stdin.flush()


@pytest.fixture
def server(
    request: pytest.FixtureRequest, tmp_path: Path, redis_server: RedisServer
) -> Iterator[Server]:
    """One over Redis, if the test's parameter doesn't say otherwise."""
    broker = getattr(request, "param", redis_server.url)
    server = Server(tmp_path, environment={"SSE_BROKER_URL": broker})
    server.start()
    yield server
    server.close()
    assert "Traceback" not in server.log


async def _restart(server: Server, end: signal.Signals) -> float:
    """End the server and start it again; return the time at which it is back."""
    code = await asyncio.to_thread(server.stop, end)
    assert code == (0 if end is signal.SIGTERM else -end)
    await asyncio.to_thread(server.start)
    return time.monotonic()


async def _shows(page: Page, rows: Any, returned: float) -> None:
    left = RETURN_SECONDS - (time.monotonic() - returned)
    await page.wait_for_function(SHOWS, arg=rows, timeout=left * 1000)


@pytest.mark.timeout(120)  # most of it is the server's, which starts eleven times
async def test_whatever_ends_the_server_a_page_soon_shows_what_was_written(
    page: Page, server: Server
) -> None:
    await open_todo(page)
    with Writer(server, await page.evaluate(OWNER)) as writer:
        for number in range(RESTARTS):
            end = (signal.SIGKILL, signal.SIGTERM)[number % 2]
            returned = await _restart(server, end)
            rows = await asyncio.to_thread(writer.rest)
            await _shows(page, rows, returned)
            writer.go_on()


@pytest.mark.parametrize("server", ["memory://"], indirect=True)
async def test_a_server_that_forgets_all_comes_back_to_a_page_that_is_right(
    page: Page, server: Server
) -> None:
    await open_todo(page)
    window = await page.context.new_page()
    await open_todo(window)
    await window.evaluate(ADD)
    returned = await _restart(server, signal.SIGKILL)
    await window.evaluate("window.rests = true; window.added")
    later = await page.context.new_page()
    await later.goto("/todo")
    rows = await later.evaluate(ROWS)
    assert rows
    for each in (page, window):
        await _shows(each, rows, returned)
