from __future__ import annotations

import ast
import asyncio
import inspect
import re
from collections.abc import Awaitable, Callable, Iterator, Sequence
from typing import Any

import pytest
from playwright.async_api import Page, expect
from pytest_django import Settings

from sse_components import ComponentDispatcher
from tests.docs import pages
from tests.docs.conftest import OpenWindow
from tests.docs.sites import Site, files
from tests.redis_servers import RedisServer
from tests.tutorials import Block, sections

pytestmark = [pytest.mark.asyncio(loop_scope="session"), pytest.mark.alone]

PAGE = pages.Page("from-tetra.md")
REDIS = "redis://localhost:6379/0"
CHANGE = "A component, before and after"
CALLED = "What is called as it was"

SILENTLY = """
from demo.models import Todo
from sse_components.models import suppress_events
with suppress_events():
    {}
"""

Open = Callable[[str], Awaitable[Page]]


def after(diff: str) -> str:
    return _side(diff, "+")


def _side(diff: str, sign: str) -> str:
    kept = [line[1:] for line in diff.splitlines() if line[:1] in ("", " ", sign)]
    return "\n".join(kept) + "\n"


def all_blocks() -> list[Block]:
    """Return the page's blocks, of diffs what they make."""
    blocks = [b for part in sections(PAGE.path.read_text()) for b in part.blocks]
    return [Block("", after(b.text)) if b.language == "diff" else b for b in blocks]


@pytest.fixture(scope="module")
def site(
    tmp_path_factory: pytest.TempPathFactory, redis_server: RedisServer
) -> Iterator[Site]:
    folder = tmp_path_factory.mktemp("from_tetra")
    with Site(folder, files(all_blocks(), {REDIS: redis_server.url})).running() as site:
        yield site


@pytest.fixture(autouse=True)
def _this_process_may_publish(settings: Settings, redis_server: RedisServer) -> None:
    settings.SSE_COMPONENTS = {"BROKER_URL": redis_server.url}


@pytest.fixture
def open_page(open_window: OpenWindow, site: Site) -> Open:
    """Opens pages of visitors, and waits until they are live."""

    async def open_page(path: str) -> Page:
        page = await open_window(base_url=site.url)
        await page.goto(path)
        await page.wait_for_function("window.Alpine?.store('sse')?.online")
        return page

    return open_page


async def run(code: str) -> None:
    """Run code that may await at its top level, as a reader types it."""
    names: dict[str, Any] = {"ComponentDispatcher": ComponentDispatcher}
    compiled = compile(code, "docs", "exec", flags=ast.PyCF_ALLOW_TOP_LEVEL_AWAIT)
    result = eval(compiled, names)
    if inspect.iscoroutine(result):
        await result


def parts(code: str) -> tuple[str, str]:
    """Return what of a block has to be awaited, and what has to be called."""
    tree = ast.parse(code)
    imports = [node for node in tree.body if isinstance(node, ast.ImportFrom)]
    rest = [node for node in tree.body if not isinstance(node, ast.ImportFrom)]
    awaited = [node for node in rest if _awaits(node)]
    called = [node for node in rest if not _awaits(node)]
    assert awaited and called
    return _source([*imports, *awaited]), _source([*imports, *called])


def _awaits(node: ast.stmt) -> bool:
    return any(isinstance(found, ast.Await) for found in ast.walk(node))


def _source(nodes: Sequence[ast.stmt]) -> str:
    return "\n".join(ast.unparse(node) for node in nodes)


@PAGE.runs(CHANGE, "diff")
async def test_two_lines_of_a_component_change(blocks: list[Block]) -> None:
    changed = re.findall(r"^[+-].*", blocks[0].text, re.MULTILINE)
    assert changed == [
        "-from tetra import ReactiveComponent, public",
        "+from sse_components import ReactiveComponent, public",
        '+    template_name = "news/ticker.html"',
    ]


@PAGE.runs(CHANGE, "python")
async def test_the_ticker_works_as_it_is_written(
    blocks: list[Block], site: Site, open_page: Open
) -> None:
    assert "class BreakingNews" in blocks[0].text
    add = "from news.models import BreakingNews as B; B.objects.create(title='{}')"
    await asyncio.to_thread(site.shell, add.format("From the database"))
    one, other = (
        await open_page("/pages/news/page.html"),
        await open_page("/pages/news/page.html"),
    )
    for page in (one, other):
        await expect(page.locator("#ticker")).to_have_text("From the database")
    await ComponentDispatcher.data_changed("news.updates", data={"headline": "Hello"})
    for page in (one, other):
        await expect(page.locator("#ticker")).to_have_text("Hello")


@PAGE.runs(CALLED)
async def test_a_subscription_may_be_worked_out(
    blocks: list[Block], open_page: Open
) -> None:
    page = await open_page("/pages/weather/page.html")
    await ComponentDispatcher.data_changed("news.updates", data={"headline": "None"})
    await ComponentDispatcher.data_changed("news.sports", data={"headline": "4:1"})
    await expect(page.locator("#sports")).to_have_text("4:1")
    await expect(page.locator("#weather")).to_have_text("-")


@pytest.mark.parametrize("how", ["async", "sync"])
async def test_the_dispatcher_reaches_what_both_kinds_of_templates_show(
    how: str, open_page: Open
) -> None:
    awaited, called = parts(_snippet("async_to_sync("))
    page = await open_page("/pages/chat/page.html")
    for id in ("room", "bound"):
        await expect(page.locator(f"#{id}")).to_be_empty()
    if how == "async":
        await run(awaited)
    else:
        await asyncio.to_thread(exec, called, {})
    for id in ("room", "bound"):
        await expect(page.locator(f"#{id}")).to_have_text(re.compile("^Hello"))


async def test_a_notification_calls_who_listens(open_page: Open) -> None:
    page = await open_page("/pages/chat/page.html")
    await page.evaluate(
        "document.addEventListener('tetra:alert', (e) => { window.alerted = e.detail })"
    )
    await run(_snippet('event_name="tetra:alert"'))
    await expect(page.locator("#alert")).to_have_text("Closing in five minutes")
    assert await page.evaluate("alerted.data.message") == "Closing in five minutes"
    assert await page.evaluate("alerted.group") == "broadcast"


async def test_users_and_sessions_are_heard_without_a_subscription(
    open_page: Open, site: Site
) -> None:
    page = await open_page("/pages/chat/page.html")
    stranger = await open_page("/pages/chat/page.html")
    await page.goto("/login/ada")
    await page.goto("/pages/chat/page.html")
    await page.wait_for_function("window.Alpine?.store('sse')?.online")
    get = "from django.contrib.auth.models import User; print(User.objects.get().pk)"
    pk = (await asyncio.to_thread(site.shell, get.replace("get()", NAMED))).strip()
    cookies = {c.get("name"): c.get("value") for c in await page.context.cookies()}
    for group in (f"auth.user.{pk}", f"session.{cookies['sessionid']}"):
        await ComponentDispatcher.notify(group, "tetra:alert", {"message": group[:4]})
        await expect(page.locator("#alert")).to_have_text(group[:4])
    await expect(stranger.locator("#alert")).to_be_empty()


NAMED = "get(username='ada')"


async def test_the_page_knows_whether_it_is_online(open_page: Open) -> None:
    page = await open_page("/pages/chat/page.html")
    await expect(page.locator("#status")).to_have_text("online")
    await page.context.set_offline(True)
    await expect(page.locator("#status")).to_have_text("offline")
    await page.context.set_offline(False)
    await expect(page.locator("#status")).to_have_text("online")


async def test_what_is_created_is_fetched_by_its_list(
    site: Site, open_page: Open
) -> None:
    page = await open_page("/pages/demo/page.html")
    create = SILENTLY.format("Todo.objects.create(pk=123, title='By hand')")
    await asyncio.to_thread(site.shell, create)
    await expect(page.locator("#todo-123")).to_have_count(0)
    await run(_snippet("component_created("))
    await expect(page.locator("#todo-123")).to_have_text("By hand")


async def test_what_is_removed_goes_by_its_group_or_its_id(
    site: Site, open_page: Open
) -> None:
    create = "[Todo.objects.create(pk=pk, title='x') for pk in (233, 234, 235)]"
    await asyncio.to_thread(site.shell, SILENTLY.format(create))
    one = await open_page("/pages/demo/page.html")
    other = await open_page("/pages/demo/page.html")
    vanish = "Todo.objects.filter(pk__in=(234, 235)).delete()"
    await asyncio.to_thread(site.shell, SILENTLY.format(vanish))
    for page in (one, other):  # so far nothing has told them
        for pk in (234, 235):
            await expect(page.locator(f"#todo-{pk}")).to_have_count(1)
    await run(_snippet("component_removed("))
    for page in (one, other):
        await expect(page.locator("#todo-234")).to_have_count(0)
        await expect(page.locator("#todo-235")).to_have_count(1)
    await ComponentDispatcher.component_removed(
        "demo.todo", component_id="demo.TodoItem:235"
    )
    for page in (one, other):
        await expect(page.locator("#todo-235")).to_have_count(0)
        await expect(page.locator("#todo-233")).to_have_count(1)


async def test_a_reactive_model_tells_of_its_rows(site: Site, open_page: Open) -> None:
    page = await open_page("/pages/demo/page.html")
    load = "from demo.models import Todo; "
    create = "Todo.objects.create(pk=7, title='New')"
    await asyncio.to_thread(site.shell, load + create)
    await expect(page.locator("#todo-7")).to_have_text("New")
    change = "t = Todo.objects.get(pk=7); t.title = 'Changed'; t.save()"
    await asyncio.to_thread(site.shell, load + change)
    await expect(page.locator("#todo-7")).to_have_text("Changed")
    await asyncio.to_thread(site.shell, load + "Todo.objects.get(pk=7).delete()")
    await expect(page.locator("#todo-7")).to_have_count(0)


@PAGE.runs("What the project needs")
async def test_what_the_project_needs_is_enough(
    blocks: list[Block], site: Site, open_page: Open
) -> None:
    found = await asyncio.to_thread(site.manage, "check")
    assert "no issues" in found
    await open_page("/pages/chat/page.html")
    assert "Opened" in site.server.log


async def test_the_imports_of_the_table_are_those_of_the_library() -> None:
    row = re.compile(r"\| `from tetra.*\| `(from sse_components[^`]*)`", re.MULTILINE)
    found = row.findall(PAGE.path.read_text())
    assert len(found) == 3
    for line in found:
        exec(line, {})


def _snippet(call: str) -> str:
    """Return the block that has a call."""
    (found,) = (
        block.text
        for part in sections(PAGE.path.read_text())
        for block in part.blocks
        if call in block.text
    )
    return found
