"""Clients that are not ours, used as their documentation says.

Each is a function of an address and a record: a context in which the client follows the
address, comes back by its own means, and puts all that it hears into the record.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import AbstractAsyncContextManager, asynccontextmanager, suppress
from pathlib import Path, PurePosixPath
from urllib.parse import urljoin, urlsplit

import httpx
from httpx_sse import aconnect_sse
from ld_eventsource import SSEClient  # type: ignore[import-untyped]
from ld_eventsource.actions import Event  # type: ignore[import-untyped]
from ld_eventsource.config import ErrorStrategy  # type: ignore[import-untyped]
from playwright.async_api import BrowserContext, Page, Route

import hatch_build
from tests.independent.records import Record

Client = Callable[[str, Record], AbstractAsyncContextManager[None]]

FOLDER = Path(__file__).parent
NODE_MODULES = FOLDER / "node_modules"
FETCH_EVENT_SOURCE = NODE_MODULES / "@microsoft/fetch-event-source/lib/esm"
SHIPPED = "/static/django_eventstream/"
LISTEN = """(url) => {{
    const source = {source};
    for (const type of [
        "stream-open", "stream-reset", "stream-close", "component.data_changed",
    ]) {{
        source.addEventListener(type, (event) => heard(type, event.lastEventId));
    }}
}}"""
FETCH = """async (url) => {
    const library = await import("/fetch-event-source/index.js");
    library.fetchEventSource(url, {
        onmessage: ({ event, id }) => heard(event, id),
        onclose() { throw new Error("Come back") },  // as its README shows
    });
}"""


def in_node(script: str) -> Client:
    """Return what a script makes that prints what it hears."""

    @asynccontextmanager
    async def client(url: str, record: Record) -> AsyncIterator[None]:
        node = hatch_build.node()
        assert node, "There is no Node.js"
        process = await asyncio.create_subprocess_exec(
            node, script, url, cwd=FOLDER, stdout=asyncio.subprocess.PIPE
        )
        reading = asyncio.create_task(_read(process, record))
        try:
            yield
        finally:
            with suppress(ProcessLookupError):  # it has ended by itself
                process.terminate()
            await process.wait()
            await reading

    return client


async def _read(process: asyncio.subprocess.Process, record: Record) -> None:
    assert process.stdout
    async for line in process.stdout:
        record.add(*json.loads(line))


@asynccontextmanager
async def httpx_sse(url: str, record: Record) -> AsyncIterator[None]:
    following = asyncio.create_task(_follow_with_httpx(url, record))
    try:
        yield
    finally:
        following.cancel()
        with suppress(asyncio.CancelledError):
            await following


async def _follow_with_httpx(url: str, record: Record) -> None:
    """Come back as its README shows: it leaves that to who uses it."""
    last_event_id = ""
    retry = 0
    async with httpx.AsyncClient(timeout=None) as client:
        while True:
            headers = {"Last-Event-ID": last_event_id} if last_event_id else {}
            with suppress(httpx.TransportError):
                async with aconnect_sse(client, "GET", url, headers=headers) as source:
                    async for sse in source.aiter_sse():
                        last_event_id = sse.id
                        retry = retry if sse.retry is None else sse.retry
                        record.add(sse.event, sse.id)
            await asyncio.sleep(retry / 1000)


@asynccontextmanager
async def launchdarkly_eventsource(url: str, record: Record) -> AsyncIterator[None]:
    loop = asyncio.get_running_loop()
    client = SSEClient(url, error_strategy=ErrorStrategy.always_continue())
    is_over = False

    def follow() -> None:
        for action in client.all:
            if is_over:
                return
            if isinstance(action, Event):
                id = action.last_event_id or ""
                loop.call_soon_threadsafe(record.add, action.event, id)

    following = asyncio.create_task(asyncio.to_thread(follow))
    try:
        yield
    finally:
        is_over = True
        client.close()
        await following


def in_chromium(
    context: BrowserContext,
    source: str,
    scripts: Sequence[str] = (),
    has_its_own: bool = True,
) -> Client:
    """Return what a page makes, after some of the scripts of django-eventstream.

    The page can also be in a browser that has no EventSource of its own.
    """

    @asynccontextmanager
    async def client(url: str, record: Record) -> AsyncIterator[None]:
        async with _page(context, url, record) as page:
            if not has_its_own:
                await page.evaluate("delete window.EventSource")
            for name in scripts:
                await page.add_script_tag(url=SHIPPED + name)
            await page.evaluate(LISTEN.format(source=source), url)
            yield

    return client


def reconnecting(context: BrowserContext, has_its_own: bool = True) -> Client:
    """Return the client that django-eventstream ships."""
    scripts = ["eventsource.min.js", "reconnecting-eventsource.js"]
    source = "new ReconnectingEventSource(url)"
    return in_chromium(context, source, scripts, has_its_own)


def fetch_event_source(context: BrowserContext) -> Client:
    """Return the one of @microsoft/fetch-event-source: it wants a document."""

    @asynccontextmanager
    async def client(url: str, record: Record) -> AsyncIterator[None]:
        async with _page(context, url, record) as page:
            await page.route("**/fetch-event-source/*", _serve_module)
            await page.evaluate(FETCH, url)
            yield

    return client


async def _serve_module(route: Route) -> None:
    """Its modules import each other without a suffix, as bundlers allow."""
    name = PurePosixPath(urlsplit(route.request.url).path).stem
    path = FETCH_EVENT_SOURCE / f"{name}.js"
    await route.fulfill(path=path, content_type="text/javascript")


@asynccontextmanager
async def _page(
    context: BrowserContext, url: str, record: Record
) -> AsyncIterator[Page]:
    """Open a page of the origin, whose scripts report by calling `heard`."""
    page = await context.new_page()
    errors: list[str] = []
    page.on("pageerror", lambda error: errors.append(str(error)))
    try:
        await page.goto(urljoin(url, "/bare"))
        await page.expose_function("heard", record.add)
        yield page
    finally:
        await page.close()
    assert not errors
