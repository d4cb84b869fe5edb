from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import asynccontextmanager
from typing import Any

import channels
import httpx
import pytest
from playwright.async_api import Page, expect
from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import InvalidStatus

from tests.clients import Stream
from tests.docs import pages
from tests.docs.conftest import OpenWindow
from tests.docs.sites import Site, files
from tests.tutorials import Block, sections

pytestmark = [pytest.mark.asyncio(loop_scope="session"), pytest.mark.alone]

PAGE = pages.Page("from-channels.md")

ROOM = """
from chat.models import Room
from django.contrib.auth.models import User
room, _ = Room.objects.get_or_create(pk=1, name="Tea")
for name in ("ada", "bob"):
    room.members.add(User.objects.get_or_create(username=name)[0])
"""
TELL = """
from django.contrib.auth.models import User
from {} import tell
tell(User.objects.get(username="ada"), "{}")
"""
SECONDS = 10

OpenAs = Callable[[str], Awaitable[Page]]


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    blocks = [b for part in sections(PAGE.path.read_text()) for b in part.blocks]
    folder = tmp_path_factory.mktemp("from_channels")
    with Site(folder, files(blocks, {})).running() as site:
        site.run(ROOM)
        yield site


@pytest.fixture
def open_as(open_window: OpenWindow, site: Site) -> OpenAs:
    """Opens the room as a user, and waits until it is live."""

    async def open_as(name: str) -> Page:
        page = await open_window(base_url=site.url)
        await page.goto(f"/login/{name}")
        await page.goto("/chat/1")
        await page.wait_for_function("window.Alpine?.store('sse')?.online")
        return page

    return open_as


def cookie(site: Site, name: str) -> dict[str, str]:
    response = httpx.get(f"{site.url}/login/{name}")
    return {"Cookie": f"sessionid={response.cookies['sessionid']}"}


@asynccontextmanager
async def consumer(
    site: Site, path: str, name: str | None
) -> AsyncIterator[ClientConnection]:
    """Connect to a consumer as the page of a user does, or of nobody."""
    headers = {"Origin": site.url} | (cookie(site, name) if name else {})
    url = f"ws{site.url.removeprefix('http')}/ws/{path}"
    async with connect(url, additional_headers=headers) as connection:
        yield connection


async def heard(connection: ClientConnection) -> Any:
    async with asyncio.timeout(SECONDS):
        return json.loads(await connection.recv())


async def test_the_version_is_the_one_that_was_looked_at() -> None:
    assert f"channels {channels.__version__}" in PAGE.path.read_text()


@PAGE.runs("A notification for one user")
async def test_a_notification_reaches_its_user_before_and_after(
    blocks: list[Block], site: Site, open_as: OpenAs
) -> None:
    assert len(blocks) == 3
    ada, bob = await open_as("ada"), await open_as("bob")
    async with (
        consumer(site, "notifications", "ada") as old,
        consumer(site, "notifications", "bob") as other,
    ):
        tell = TELL.format("before.notifications", "As before")
        await asyncio.to_thread(site.run, tell)
        assert await heard(old) == {"message": "As before"}
        tell = TELL.format("notifications.tell", "As now")
        await asyncio.to_thread(site.run, tell)
        await expect(ada.locator("#notification")).to_have_text("As now")
        await expect(bob.locator("#notification")).to_be_empty()
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(0.2):
                await other.recv()


@PAGE.runs("A chat room")
async def test_what_is_said_in_the_room_is_heard_before_and_after(
    blocks: list[Block], site: Site, open_as: OpenAs
) -> None:
    assert len(blocks) == 6
    async with (
        consumer(site, "chat/1", "ada") as ada,
        consumer(site, "chat/1", "bob") as bob,
    ):
        await ada.send(json.dumps({"text": "Hello"}))
        for connection in (ada, bob):
            assert await heard(connection) == {"author": "ada", "text": "Hello"}
    async with consumer(site, "chat/1", "bob") as late:
        assert await heard(late) == {"author": "ada", "text": "Hello"}
    one, other = await open_as("ada"), await open_as("bob")
    await one.locator("[name=draft]").fill("Hello again")
    await one.get_by_role("button").click()
    for page in (one, other):
        await expect(page.locator("#messages li").last).to_have_text("ada: Hello again")
        await expect(page.locator("#messages li").first).to_have_text("ada: Hello")
    await expect(one.locator("[name=draft]")).to_have_value("")


async def test_strangers_are_let_in_by_neither(site: Site) -> None:
    with pytest.raises(InvalidStatus, match="403"):
        async with consumer(site, "chat/1", "eve"):
            pass
    with pytest.raises(InvalidStatus, match="403"):
        async with consumer(site, "notifications", None):
            pass
    eve = cookie(site, "eve")
    page = await asyncio.to_thread(httpx.get, f"{site.url}/chat/1", headers=eve)
    assert page.status_code == 403
    stream = await Stream.open(f"{site.url}/sse/stream?group=chat.room.1", eve)
    try:
        assert (await stream.next()).data["denied"] == ["chat.room.1"]
    finally:
        await stream.close()


@PAGE.runs("Who is here")
async def test_who_is_here_is_known_before_and_after(
    blocks: list[Block], site: Site, open_as: OpenAs
) -> None:
    assert len(blocks) == 3
    async with consumer(site, "presence", "ada") as watching:
        assert await heard(watching) == {"online": True}
        async with consumer(site, "presence", "bob"):
            assert await heard(watching) == {"online": True}
        assert await heard(watching) == {"online": False}
    ada, bob = await open_as("ada"), await open_as("bob")
    for page in (ada, bob):
        await expect(page.locator("#here")).to_have_text("adabob")


@PAGE.runs("Both in one project")
async def test_both_are_served_by_one_process(
    blocks: list[Block], site: Site, open_as: OpenAs
) -> None:
    assert len(blocks) == 5
    page = await open_as("ada")
    async with consumer(site, "notifications", "ada") as old:
        await asyncio.to_thread(site.run, TELL.format("both", "To all"))
        assert await heard(old) == {"message": "To all"}
        await expect(page.locator("#notification")).to_have_text("To all")


async def test_our_websocket_is_beside_those_of_channels(site: Site) -> None:
    url = f"ws{site.url.removeprefix('http')}/sse/ws"
    headers = {"Origin": site.url}
    async with connect(url, additional_headers=headers) as connection:
        assert (await heard(connection))["type"] == "stream-open"
    with pytest.raises(InvalidStatus, match="403"):
        async with connect(f"{url}/nothing", additional_headers=headers):
            pass


async def test_another_site_s_page_reaches_neither(site: Site) -> None:
    foreign = {"Origin": "https://elsewhere.example"} | cookie(site, "ada")
    for path in ("/sse/ws", "/ws/notifications"):
        url = f"ws{site.url.removeprefix('http')}{path}"
        with pytest.raises(InvalidStatus, match="403"):
            async with connect(url, additional_headers=foreign):
                pass


@PAGE.runs("Tests")
async def test_the_tests_pass(blocks: list[Block], site: Site) -> None:
    assert len(blocks) == 1
    await asyncio.to_thread(site.manage, "test", "chat.tests")
