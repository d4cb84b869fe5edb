"""The groups that nobody asks for, at a site with a user model of its own."""

from __future__ import annotations

import zlib
from base64 import urlsafe_b64decode, urlsafe_b64encode
from collections.abc import AsyncIterator, Iterator
from hashlib import sha256
from urllib.parse import parse_qs
from uuid import UUID, uuid4

import httpx
import pytest

from tests.clients import Received, Stream
from tests.e2e.visitors import Browser
from tests.servers import Server

SITE = "tests.e2e.pages_site:application"
STORES = ["db", "cached_db", "cache", "file", "signed_cookies"]
GROUP = "project.a"


@pytest.fixture(scope="module", params=STORES)
def site(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Server]:
    """A server of one process: sessions in its memory are nobody else's."""
    folder = tmp_path_factory.mktemp("site")
    environment = {
        "DJANGO_SETTINGS_MODULE": "tests.accounts.settings",
        "DATABASE_URL": f"sqlite:///{folder / 'accounts.sqlite3'}",
        "SESSIONS": request.param,
        "SESSION_FOLDER": str(tmp_path_factory.mktemp("sessions")),
    }
    site = Server(folder, ["--log-level", "debug"], environment, SITE)
    site.manage("migrate", "--run-syncdb", "--verbosity=0")
    site.start()
    yield site
    assert site.stop() == 0
    assert "Traceback" not in site.log


@pytest.fixture
async def browser() -> AsyncIterator[Browser]:
    async with Browser() as browser:
        yield browser


def session_group(browser: Browser) -> str:
    """Return the group of a session, by the rule in the protocol."""
    digest = sha256(browser.cookies["sessionid"].encode()).digest()
    return f"session.h-{urlsafe_b64encode(digest).decode()[:22]}"


async def groups(stream: Stream) -> set[str]:
    opened = await stream.next()
    assert opened.type == "stream-open"
    return set(opened.data["groups"])


# A15
async def test_a_user_is_in_four_groups_without_asking(
    site: Server, browser: Browser
) -> None:
    await browser.log_in(site, f"anna-{uuid4()}")
    assert str(UUID(browser.user)) == browser.user
    own = {
        "broadcast",
        "users",
        f"accounts.member.{browser.user}",
        session_group(browser),
    }
    by_session = await browser.connect(site, "", "sessionid")
    assert await groups(by_session) == own
    by_grant = await browser.connect(site, await browser.page(site, GROUP))
    assert await groups(by_grant) == {*own, GROUP}
    assert browser.cookies.keys() == {"sessionid", "sse_browser"}


# A15
async def test_what_is_published_to_the_automatic_groups_arrives(
    site: Server, browser: Browser
) -> None:
    await browser.log_in(site, f"anna-{uuid4()}")
    streams = [
        await browser.open(site, "", "sessionid"),
        await browser.open(site, await browser.page(site, GROUP)),
    ]
    names = [
        "broadcast",
        "users",
        f"accounts.member.{browser.user}",
        f"session.{browser.cookies['sessionid']}",
    ]
    for name in names[:3]:
        await browser.post(site, "publish", group=name)
    # Only Python knows the session by its key.
    await browser.post(site, "publish_to_session")
    for stream in streams:
        events = await stream.take(4)
        wanted = [*names[:3], session_group(browser)]
        assert [event.data["group"] for event in events] == wanted


# A16
async def test_a_visitor_with_a_session_is_in_no_group_of_users(
    site: Server, browser: Browser
) -> None:
    await browser.post(site, "visit")
    own = {"broadcast", session_group(browser)}
    assert await groups(await browser.connect(site, "", "sessionid")) == own
    query = await browser.page(site, GROUP)
    assert await groups(await browser.connect(site, query)) == {*own, GROUP}


# A16
async def test_a_visitor_without_a_session_gets_none(
    site: Server, browser: Browser
) -> None:
    query = await browser.page(site, GROUP)
    assert await groups(await browser.connect(site, query)) == {"broadcast", GROUP}
    stream = await browser.connect(site, "group=news.a")
    assert await groups(stream) == {"broadcast", "news.a"}
    assert "set-cookie" not in stream.headers
    assert browser.cookies == {}


# A15, A23
async def test_a_logout_ends_them(site: Server, browser: Browser) -> None:
    await browser.log_in(site, f"anna-{uuid4()}")
    streams = [
        await browser.open(site, "", "sessionid"),
        await browser.open(site, await browser.page(site, GROUP)),
    ]
    await browser.log_out(site)
    for stream in streams:
        last = await stream.next(1)
        assert last.type in ("stream-error", "stream-close")
        with pytest.raises(EOFError):
            await stream.next(1)


# A23
async def test_a_logout_ends_what_the_browser_had_before_its_login_too(
    site: Server, browser: Browser
) -> None:
    await browser.post(site, "visit")
    stream = await browser.open(site, await browser.page(site, GROUP))
    await browser.log_in(site, f"anna-{uuid4()}")
    await browser.log_out(site)
    last = await stream.next(1)
    assert last.type in ("stream-error", "stream-close")
    with pytest.raises(EOFError):
        await stream.next(1)


# A22
async def test_the_session_key_is_nowhere_to_be_read(
    site: Server, browser: Browser
) -> None:
    await browser.log_in(site, f"anna-{uuid4()}")
    key = browser.cookies["sessionid"]
    query = await browser.page(site, GROUP)
    assert key not in browser.html
    assert key not in query
    assert key not in _contents(parse_qs(query)["grant"][0])

    frames: list[Received] = []
    streams = [
        await browser.connect(site, query),
        await browser.connect(site, "", "sessionid"),
        await browser.connect(site, f"group=session.{key[:60]}"),  # of Python only
    ]
    for stream in streams[:2]:  # before that, what is published may come too early
        frames += await stream.until("keep-alive")
    await browser.post(site, "publish_to_session")
    for stream in streams[:2]:
        frames += await stream.until("hello")
    async with httpx.AsyncClient(headers=site.headers) as client:
        answer = await client.get(f"{site.url}/api/v1/groups")
        frames_text = answer.text
    for frame in frames:
        frames_text += "".join(f"{name}: {value}\n" for name, value in frame.fields)
    assert key not in frames_text
    assert session_group(browser) in frames_text
    assert key[:60] not in site.log


def _contents(grant: str) -> str:
    """Return what stands in a grant, which is signed and not encrypted."""
    content, _, _ = grant.rpartition(":")
    text = content.lstrip(".")
    data = urlsafe_b64decode(text + "=" * (-len(text) % 4))
    return (zlib.decompress(data) if content.startswith(".") else data).decode()
