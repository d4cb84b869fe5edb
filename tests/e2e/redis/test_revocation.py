from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import AsyncExitStack
from uuid import uuid4

import pytest

from tests.clients import Received, Stream
from tests.e2e.redis.conftest import NewPair
from tests.e2e.redis.publisher import Publisher
from tests.e2e.visitors import Browser
from tests.redis_servers import RedisServer
from tests.servers import Server

AT_ONCE = 1
"""Seconds in which all processes know, by the acceptance list."""
BACK_SECONDS = 5
SESSION_ONLY = "sessionid"


@pytest.fixture(scope="module")
def sites(
    tmp_path_factory: pytest.TempPathFactory, new_pair_of_pages: NewPair
) -> Iterator[list[Server]]:
    redis = RedisServer(tmp_path_factory.mktemp("redis"))
    redis.start()
    try:
        with new_pair_of_pages(redis.url) as sites:
            yield sites
    finally:
        redis.close()


NewBrowser = Callable[..., Browser]
"""Makes one, which may have cookies already."""


@pytest.fixture
async def new_browser() -> AsyncIterator[NewBrowser]:
    async with AsyncExitStack() as stack:
        browsers: list[Browser] = []

        def new_browser(cookies: dict[str, str] | None = None) -> Browser:
            browsers.append(Browser(cookies))
            stack.push_async_exit(browsers[-1])
            return browsers[-1]

        yield new_browser


@pytest.fixture
def name() -> str:
    """Of a user whom no other test has anything to do with."""
    return f"anna-{uuid4().hex}"


@pytest.fixture
def group() -> str:
    return f"project.{uuid4().hex}"


async def is_over(stream: Stream, *before: str) -> Received:
    """Return the last frame of a stream that ends, after keep-alives at most."""
    while (last := await stream.next()).type in ("keep-alive", *before):
        pass
    with pytest.raises(EOFError):
        await stream.next()
    return last


async def ends(stream: Stream, seconds: float = AT_ONCE) -> Received:
    """Return the last frame of a stream that ends soon."""
    async with asyncio.timeout(seconds):
        return await is_over(stream)


async def is_revoked(stream: Stream, seconds: float = AT_ONCE) -> None:
    """Wait for the end of a stream that doesn't come back."""
    last = await ends(stream, seconds)
    assert (last.type, last.id) == ("stream-error", "error")
    assert last.data["condition"] == "revoked"


async def is_to_be_granted_anew(stream: Stream, seconds: float = AT_ONCE) -> None:
    """Wait for the end of a stream that comes back, and finds out what is left."""
    last = await ends(stream, seconds)
    assert last.type == "stream-close"
    assert last.data["reason"] == "regrant"


async def is_refused(browser: Browser, server: Server, query: str) -> None:
    """Check that a grant of before is worth nothing, at a server."""
    last = await ends(await browser.connect(server, query), 10)
    assert last.type == "stream-error"
    assert last.data["condition"] == "grant_expired"


async def goes_on(
    publisher: Publisher, server: Server, group: str, *streams: Stream
) -> None:
    """Check that streams get what is published, and next."""
    (id,) = await publisher.publish(server, group)
    for stream in streams:
        event = await stream.next()
        while event.type == "keep-alive":
            event = await stream.next()
        assert event.id == id


# A23
async def test_a_logout_at_one_server_ends_the_streams_of_its_browser_at_both(
    sites: list[Server],
    publisher: Publisher,
    new_browser: NewBrowser,
    name: str,
    group: str,
) -> None:
    a, b = sites
    mine, another = new_browser(), new_browser()
    await mine.log_in(a, name)
    await another.log_in(b, name)
    query = await mine.page(a, group)
    kept = await another.page(b, group)
    before = new_browser(mine.cookies)
    streams = [await mine.open(server, query) for server in sites]
    streams += [await mine.open(b), await mine.open(b, "", SESSION_ONLY)]
    others = [await another.open(server, kept) for server in sites]
    await another.open(b, "", SESSION_ONLY)

    await mine.log_out(a)
    for stream in streams:
        last = await ends(stream)  # of the session or of the browser, what comes first
        assert last.data.get("reason", "regrant") == "regrant"
        assert last.data.get("condition", "revoked") == "revoked"
    await goes_on(publisher, a, group, *others)

    assert mine.cookies == {}
    for server in sites:
        await is_refused(before, server, query)
        again = await before.connect(server, "")
        assert (await again.next()).data["groups"] == ["broadcast"]
        await another.open(server, kept)


# A23
async def test_no_stream_that_opens_at_the_moment_of_a_logout_is_left(
    sites: list[Server], new_browser: NewBrowser, name: str, group: str
) -> None:
    a, b = sites

    async def opens_after(
        browser: Browser, seconds: float, query: str, *cookies: str
    ) -> None:
        await asyncio.sleep(seconds)
        stream = await browser.connect(b, query, *cookies)
        opened = await stream.next()
        if opened.type != "stream-open":
            assert opened.type in ("stream-error", "stream-close")
        elif opened.data["groups"] != ["broadcast"]:
            await is_over(stream)

    for _ in range(10):
        mine = new_browser()
        await mine.log_in(a, name)
        query = await mine.page(a, group)
        before = new_browser(mine.cookies)
        async with asyncio.timeout(10):
            await asyncio.gather(
                mine.log_out(a),
                *(opens_after(before, n / 500, query) for n in range(10)),
                *(opens_after(before, n / 500, "", SESSION_ONLY) for n in range(10)),
            )


# A23
@pytest.mark.parametrize("what", ["change_password", "deactivate", "delete"])
async def test_what_is_saved_of_a_user_ends_all_streams_of_the_user(
    sites: list[Server],
    publisher: Publisher,
    new_browser: NewBrowser,
    name: str,
    group: str,
    what: str,
) -> None:
    a, b = sites
    browsers = [new_browser(), new_browser()]
    bystander = new_browser()
    streams, queries = [], []
    for browser, server in zip(browsers, sites, strict=True):
        await browser.log_in(server, name)
        queries.append(await browser.page(server, group))
        streams += [await browser.open(at, queries[-1]) for at in sites]
        streams += [await browser.open(b), await browser.open(b, "", SESSION_ONLY)]
    await bystander.log_in(a, f"not-{name}")
    others = [await bystander.open(b, await bystander.page(a, group))]
    nobody = new_browser()
    others.append(await nobody.open(b, await nobody.page(a, group)))

    await new_browser().post(a, what, name=name)
    for stream in streams:
        await is_revoked(stream)
    await goes_on(publisher, a, group, *others)
    for browser, query in zip(browsers, queries, strict=True):
        for server in sites:
            await is_refused(browser, server, query)
            again = await browser.connect(server, "", SESSION_ONLY)
            names = (await again.next()).data["groups"]
            assert not any(name.startswith("auth.user") for name in names)
            assert "users" not in names


# A23
async def test_what_is_saved_of_a_user_otherwise_ends_nothing(
    sites: list[Server],
    publisher: Publisher,
    new_browser: NewBrowser,
    name: str,
    group: str,
) -> None:
    a, b = sites
    mine = new_browser()
    await mine.log_in(a, name)
    query = await mine.page(a, group)
    stream = await mine.open(b, query)
    await new_browser().post(a, "save", name=name)
    await goes_on(publisher, a, group, stream)
    await mine.open(b, query)


# A23
async def test_a_session_that_a_command_deletes_ends_its_streams(
    sites: list[Server],
    publisher: Publisher,
    new_browser: NewBrowser,
    name: str,
    group: str,
) -> None:
    a, b = sites
    mine, another = new_browser(), new_browser()
    await mine.log_in(a, name)
    await another.log_in(a, name)
    query = await mine.page(a, group)
    streams = [await mine.open(server, query) for server in sites]
    streams.append(await mine.open(b, "", SESSION_ONLY))
    other = await another.open(b, await another.page(a, group))

    key = mine.cookies["sessionid"]
    delete = (
        "from django.contrib.sessions.models import Session; "
        f"Session.objects.filter(session_key='{key}').delete()"
    )
    await asyncio.to_thread(a.manage, "shell", "--verbosity=0", "-c", delete)
    for stream in streams:
        await is_to_be_granted_anew(stream)
    await goes_on(publisher, a, group, other)
    for server in sites:
        await is_refused(mine, server, query)
        again = await mine.connect(server, "", SESSION_ONLY)
        assert (await again.next()).data["groups"] == ["broadcast"]


# A23
async def test_a_revoked_group_is_denied_to_the_streams_that_come_back(
    sites: list[Server],
    publisher: Publisher,
    new_browser: NewBrowser,
    name: str,
    group: str,
) -> None:
    a, b = sites
    project, other = f"{group}.chat", f"other-{group}"
    browsers = [new_browser(), new_browser()]
    bystander = new_browser()
    revoked, queries = [], []
    for browser in browsers:
        await browser.log_in(a, name)
        queries.append(await browser.page(a, project, other))
        revoked += [await browser.open(at, queries[-1]) for at in sites]
    unconcerned = [await browsers[0].open(b, await browsers[0].page(a, other))]
    await bystander.log_in(a, f"not-{name}")
    unconcerned.append(await bystander.open(b, await bystander.page(a, project, other)))

    await new_browser().post(a, "revoke", name=name, pattern=f"{group}.**")
    for stream in revoked:
        await is_to_be_granted_anew(stream)
    await goes_on(publisher, a, other, *unconcerned)
    for browser, query in zip(browsers, queries, strict=True):
        for server in sites:
            stream = await browser.connect(server, query)
            opened = (await stream.until("keep-alive"))[0]
            assert opened.type == "stream-open"
            assert opened.data["denied"] == [project]
            assert other in opened.data["groups"]
            assert project not in opened.data["groups"]
            await publisher.publish(a, project)
            await goes_on(publisher, a, other, stream)

    # It was no ban: what is rendered from now on is decided anew.
    query = await browsers[0].page(a, project, other)
    stream = await browsers[0].open(b, query)
    await goes_on(publisher, a, project, stream)


# A23
async def test_a_pattern_is_denied_of_which_one_group_was_revoked(
    sites: list[Server],
    publisher: Publisher,
    new_browser: NewBrowser,
    name: str,
    group: str,
) -> None:
    a, b = sites
    mine = new_browser()
    await mine.log_in(a, name)
    query = await mine.page(a, f"{group}.*", "news.a")
    stream = await mine.open(b, query)
    await mine.post(a, "revoke", name=name, pattern=f"{group}.7")
    await is_to_be_granted_anew(stream)
    stream = await mine.connect(b, query)
    assert (await stream.until("keep-alive"))[0].data["denied"] == [f"{group}.*"]
    await publisher.publish(a, f"{group}.7", f"{group}.8")
    await goes_on(publisher, a, "news.a", stream)


# A23
async def test_no_pattern_revokes_what_nobody_has_granted(
    sites: list[Server],
    publisher: Publisher,
    new_browser: NewBrowser,
    name: str,
    group: str,
) -> None:
    a, b = sites
    mine = new_browser()
    await mine.log_in(a, name)
    granted = await mine.open(b, await mine.page(a, group))
    own = await mine.page(a, f"auth.user.{mine.user}.notes")
    unconcerned = [
        await mine.open(b, "", SESSION_ONLY),
        await mine.open(b, own),
    ]
    for pattern in ("**", "*", "session.*", "auth.user.*", "auth.**"):
        await mine.post(a, "revoke", name=name, pattern=pattern)
    await is_to_be_granted_anew(granted)
    await goes_on(publisher, a, f"auth.user.{mine.user}", *unconcerned)
    stream = await mine.connect(b, own)
    assert (await stream.next()).data["denied"] == []


# A23
async def test_a_user_who_is_disconnected_comes_back_with_a_new_page_only(
    sites: list[Server],
    publisher: Publisher,
    new_browser: NewBrowser,
    name: str,
    group: str,
) -> None:
    a, b = sites
    mine, bystander = new_browser(), new_browser()
    await mine.log_in(a, name)
    await bystander.log_in(a, f"not-{name}")
    query = await mine.page(a, group)
    streams = [await mine.open(server, query) for server in sites]
    streams += [await mine.open(b), await mine.open(b, "", SESSION_ONLY)]
    other = await bystander.open(b, await bystander.page(a, group))

    await new_browser().post(a, "disconnect", name=name)
    for stream in streams:
        await is_revoked(stream)
    await goes_on(publisher, a, group, other)
    for server in sites:
        await is_refused(mine, server, query)
    stream = await mine.open(b, await mine.page(a, group))
    await goes_on(publisher, a, group, stream)


# A23
async def test_a_server_that_was_restarted_knows_what_was_revoked_before(
    sites: list[Server],
    publisher: Publisher,
    new_browser: NewBrowser,
    name: str,
    group: str,
) -> None:
    a, b = sites
    gone, limited, logged_out = new_browser(), new_browser(), new_browser()
    await gone.log_in(a, name)
    await limited.log_in(a, f"limited-{name}")
    await logged_out.log_in(a, f"out-{name}")
    queries = [await gone.page(a, group), await limited.page(a, group, "news.a")]
    out = await logged_out.page(a, group)
    before = new_browser(logged_out.cookies)
    await gone.post(a, "disconnect", name=name)
    await gone.post(a, "revoke", name=f"limited-{name}", pattern=group)
    assert await asyncio.to_thread(b.stop) == 0
    await logged_out.log_out(a)  # which it hears nothing of

    await asyncio.to_thread(b.start)
    await is_refused(gone, b, queries[0])
    stream = await limited.connect(b, queries[1])
    assert (await stream.next()).data["denied"] == [group]
    await is_refused(before, b, out)


# A23
@pytest.mark.parametrize("is_empty_afterwards", [True, False])
async def test_a_logout_while_redis_is_away_counts_soon_after_its_return(
    redis: RedisServer,
    new_pair_of_pages: NewPair,
    publisher: Publisher,
    new_browser: NewBrowser,
    name: str,
    group: str,
    is_empty_afterwards: bool,
) -> None:
    mine, another = new_browser(), new_browser()
    with new_pair_of_pages(redis.url) as (a, b):
        await mine.log_in(a, name)
        await another.log_in(a, name)
        query = await mine.page(a, group)
        streams = [await mine.open(server, query) for server in (a, b)]
        streams.append(await mine.open(b, "", SESSION_ONLY))
        other = await another.open(b, await another.page(a, group))

        if is_empty_afterwards:
            redis.kill()
        else:
            redis.pause()
        await mine.log_out(a)
        if is_empty_afterwards:
            redis.start()
        else:
            redis.go_on()
        async with asyncio.timeout(BACK_SECONDS):
            for stream in streams:
                last = await is_over(stream, "stream-reset")
                assert last.data.get("reason", "regrant") == "regrant"
                assert last.data.get("condition", "revoked") == "revoked"
        (id,) = await publisher.insist(a, group)
        while (event := await other.next()).id != id:
            assert event.type in ("keep-alive", "stream-reset")
