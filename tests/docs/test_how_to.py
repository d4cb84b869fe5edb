from __future__ import annotations

import asyncio
import json
import re
from collections.abc import Awaitable, Callable, Iterator, Sequence
from typing import Any

import pytest
from playwright.async_api import BrowserContext, Page, expect

from tests.clients import Stream
from tests.docs import pages
from tests.docs.conftest import OpenWindow
from tests.docs.how_to.site import Site
from tests.redis_servers import RedisServer
from tests.servers import wait_until
from tests.tutorials import Block, sections

pytestmark = [
    pytest.mark.asyncio(loop_scope="session"),
    pytest.mark.timeout(120),
]

PAGE = pages.Page("how-to.md")
FRESH = """
from django.contrib.auth.models import Group, User
from shop.models import *
"""
JOIN = "user.groups.add(Group.objects.get_or_create(name='sales')[0])"
WHOLE_SITE = """
from django.conf import settings
from django.test import Client, override_settings

def seen(client, pk):
    cache = "django.middleware.cache.{}CacheMiddleware".format
    middleware = [cache("Update"), *settings.MIDDLEWARE, cache("FetchFrom")]
    with override_settings(MIDDLEWARE=middleware):
        first = client.get("/page/prices")
        Product.objects.filter(pk=pk).update(price=5)
        again = client.get("/page/prices").content.decode()
    return "private" in first["Cache-Control"], again.partition("Tea: ")[2][0]

client = Client(headers={"host": "localhost"})
client.force_login(User.objects.get(username="ada"))
"""
SOON = 15_000
"""Milliseconds that a page may take where others use the machine too."""

Visit = Callable[..., Awaitable[Page]]


@pytest.fixture(scope="module")
def site(
    tmp_path_factory: pytest.TempPathFactory, redis_server: RedisServer
) -> Iterator[Site]:
    """What the whole page makes, with two users and some products."""
    blocks = [
        block for part in sections(PAGE.path.read_text()) for block in part.blocks
    ]
    site = Site(tmp_path_factory.mktemp("how-to"), blocks, redis_server.url)
    with site.running():
        yield site


@pytest.fixture
def visit(site: Site, open_window: OpenWindow) -> Visit:
    """Opens a page in a browser of its own, and as a user if that is named."""

    async def visit(path: str, user: str = "", **options: Any) -> Page:
        page = await open_window(base_url=site.url, **options)
        if user:
            await _log_in(site, page.context, user)
        await page.goto(path)
        return page

    return visit


def _products(*prices: int) -> str:
    rows = [f"Product(name='Tea', price={price})" for price in prices]
    create = f"print(*[p.pk for p in Product.objects.bulk_create([{','.join(rows)}])])"
    return f"{FRESH}Product.objects.all().delete()\n{create}"


def _user(name: str, more: str = "") -> str:
    return f"{FRESH}user, _ = User.objects.get_or_create(username={name!r})\n{more}"


def _session(site: Site, name: str) -> str:
    login = """
from django.test import Client
client = Client(headers={"host": "localhost"})
client.force_login(user)
print(client.cookies["sessionid"].value)
"""
    return site.python(_user(name, login))


async def _cookie(site: Site, name: str) -> dict[str, str]:
    key = await asyncio.to_thread(_session, site, name)
    return {"Cookie": f"sessionid={key}"}


async def _log_in(site: Site, context: BrowserContext, name: str) -> None:
    key = await asyncio.to_thread(_session, site, name)
    await context.add_cookies([{"name": "sessionid", "value": key, "url": site.url}])


async def _reprice(page: Page, pk: str, price: int) -> None:
    token = await page.locator("[data-sse-scripts]").get_attribute("data-csrf")
    address = f"/reprice/{pk}/{price}"
    answer = await page.request.post(address, headers={"X-CSRFToken": token or ""})
    assert answer.ok


async def _live(page: Page) -> None:
    await page.wait_for_function(
        "window.Alpine?.store('sse')?.online === true", timeout=SOON
    )


async def _python(site: Site, code: str) -> str:
    return await asyncio.to_thread(site.python, FRESH + code)


@PAGE.runs("Publish from a view, a signal or a command")
async def test_a_page_follows_what_views_signals_and_commands_publish(
    blocks: Sequence[Block], site: Site, visit: Visit
) -> None:
    pk = await asyncio.to_thread(site.python, _products(3))
    page = await visit("/page/prices")
    await _live(page)
    price = page.get_by_role("listitem")
    await expect(price).to_have_text("Tea: 3")
    await _reprice(page, pk, 4)
    await expect(price).to_have_text("Tea: 4", timeout=SOON)
    await _python(site, f"Product.objects.get(pk={pk}).save()")
    await _python(site, f"p = Product.objects.get(pk={pk}); p.price = 50; p.save()")
    await expect(price).to_have_text("Tea: 50", timeout=SOON)
    await asyncio.to_thread(site.run, "python manage.py reprice 10")
    await expect(price).to_have_text("Tea: 55", timeout=SOON)


@PAGE.runs("Publish from a task queue worker")
async def test_a_worker_reaches_a_page_and_survives_without_a_broker(
    blocks: Sequence[Block], site: Site, visit: Visit
) -> None:
    pk = await asyncio.to_thread(site.python, _products(3))
    page = await visit("/page/prices")
    await _live(page)
    task = f"from shop.tasks import import_prices; import_prices({{{pk}: 7}})"
    await _python(site, task)
    await expect(page.get_by_role("listitem")).to_have_text("Tea: 7", timeout=SOON)
    away = "SSE_BROKER_URL=redis://127.0.0.1:1/0 python manage.py shell -c"
    await asyncio.to_thread(site.run, f"{away} '{task.replace(': 7', ': 8')}'")
    assert await _python(site, "print(Product.objects.get().price)") == "8"


@PAGE.runs("Tell one user something")
async def test_a_toast_is_shown_to_one_user_in_all_windows_and_to_nobody_else(
    blocks: Sequence[Block], site: Site, visit: Visit
) -> None:
    ada = await visit("/page/toasts", "ada")
    also_ada = await visit("/page/toasts", "ada")
    bob = await visit("/page/toasts", "bob")
    for page in (ada, also_ada, bob):
        await _live(page)
    tell = "from shop.toasts import tell_user; tell_user(user, '<b>Paid</b>')"
    await asyncio.to_thread(site.python, _user("ada", tell))
    for page in (ada, also_ada):
        await expect(page.get_by_role("status")).to_contain_text(
            "<b>Paid</b>", timeout=SOON
        )
    await asyncio.to_thread(site.python, _user("bob", tell.replace("Paid", "Sent")))
    await expect(bob.get_by_role("status")).to_contain_text("Sent", timeout=SOON)
    await expect(bob.get_by_role("status")).not_to_contain_text("Paid")
    await ada.get_by_role("button", name="Close").click()
    await expect(ada.get_by_role("status")).to_be_empty()


@PAGE.runs("Show how far a job is")
async def test_progress_is_shown_as_it_is_made_and_to_who_comes_later(
    blocks: Sequence[Block], site: Site, visit: Visit
) -> None:
    pk = await _python(site, "print(Import.objects.create().pk)")
    page = await visit(f"/import/{pk}")
    await _live(page)
    text = page.locator("span")
    await expect(text).to_have_text("0 %")
    asked: list[str] = []
    page.on("request", lambda request: asked.append(request.url))
    half = f"job = Import.objects.get(pk={pk}); job.done = 50; "
    await _python(site, half + "job.save(update_fields=['done'])")
    await expect(text).to_have_text("50 %", timeout=SOON)
    assert not asked
    later = await visit(f"/import/{pk}")
    await expect(later.locator("span")).to_have_text("50 %")
    await _python(site, f"from shop.tasks import run_import; run_import({pk})")
    for one in (page, later):
        await expect(one.locator("span")).to_have_text("Done.", timeout=SOON)


@PAGE.runs("Show a list whose rows belong to a user")
async def test_a_list_shows_and_hears_its_users_rows_and_no_others(
    blocks: Sequence[Block], site: Site, visit: Visit
) -> None:
    ada, bob = await visit("/page/orders", "ada"), await visit("/page/orders", "bob")
    for page in (ada, bob):
        await _live(page)
        await page.reload()  # a pattern that is new to the broker is reset once
        await _live(page)
    heard = [_fetches(page) for page in (ada, bob)]
    order = "Order.objects.create(customer=user, title='Tea')"
    await asyncio.to_thread(site.python, _user("ada", order))
    await expect(ada.get_by_role("listitem")).to_have_text("Tea", timeout=SOON)
    change = "o = Order.objects.get(); o.title = 'Green tea'; o.save()"
    await _python(site, change)
    await expect(ada.get_by_role("listitem")).to_have_text("Green tea", timeout=SOON)
    await expect(bob.get_by_role("listitem")).to_have_count(0)
    assert len(heard[0]) == 2
    assert not heard[1]
    await _python(site, "Order.objects.get().delete()")
    await expect(ada.get_by_role("listitem")).to_have_count(0, timeout=SOON)


def _fetches(page: Page) -> list[str]:
    """Note which components fetch."""
    fetched: list[str] = []

    def note(url: str) -> None:
        if url.endswith("_refresh"):
            fetched.append(url)

    page.on("request", lambda request: note(request.url))
    return fetched


@PAGE.runs("Decide who may hear a group")
async def test_who_is_in_the_team_may_hear_its_groups(
    blocks: Sequence[Block], site: Site
) -> None:
    await asyncio.to_thread(site.python, _user("keeper", JOIN))
    for name, is_allowed in (("keeper", True), ("ada", False), ("", False)):
        cookie = await _cookie(site, name) if name else {}
        for group in ("team.sales", "team.sales.orders"):
            stream = await Stream.open(f"{site.url}/sse/groups/{group}", cookie)
            opened = await stream.next()
            await stream.close()
            assert opened.type == ("stream-open" if is_allowed else "stream-error")


@PAGE.runs("Keep what the visitor is typing")
async def test_what_is_typed_stays_while_the_list_grows(
    blocks: Sequence[Block], site: Site, visit: Visit
) -> None:
    page = await visit("/page/comments")
    await _live(page)
    field = page.get_by_label("Comment")
    await field.press_sequentially("half a sen")
    for text in ("one", "two"):
        await _python(site, f"Comment.objects.create(text={text!r})")
        await expect(page.get_by_text(text, exact=True)).to_be_visible(timeout=SOON)
    await expect(field).to_have_value("half a sen")
    await expect(field).to_be_focused()
    await field.press_sequentially("tence")
    await field.press("Enter")
    await expect(page.get_by_role("listitem")).to_have_text(
        ["one", "two", "half a sentence"], timeout=SOON
    )
    await expect(field).to_have_value("")


@PAGE.runs("Say that the page is offline")
async def test_a_page_says_that_it_is_offline_and_no_longer_when_it_is_back(
    blocks: Sequence[Block], site: Site, visit: Visit
) -> None:
    page = await visit("/page/offline")
    await _live(page)
    said = page.get_by_text("You are offline")
    await expect(said).to_be_hidden()
    assert await asyncio.to_thread(site.server.stop) == 0
    try:
        await expect(said).to_be_visible(timeout=SOON)
    finally:
        await asyncio.to_thread(site.server.start)
    await expect(said).to_be_hidden(timeout=SOON)
    await _live(page)


@PAGE.runs("Show who is here")
async def test_who_comes_and_goes_is_shown(
    blocks: Sequence[Block], site: Site, visit: Visit
) -> None:
    ada = await visit("/page/present", "ada")
    people = ada.get_by_role("listitem")
    await expect(people).to_have_text(["ada"], timeout=SOON)
    bob = await visit("/page/present", "bob")
    await expect(people).to_have_count(2, timeout=SOON)
    await expect(bob.get_by_role("listitem")).to_have_count(2, timeout=SOON)
    await bob.context.close()
    await expect(people).to_have_text(["ada"], timeout=SOON)


@PAGE.runs("Listen without components")
async def test_pages_without_components_hear_a_public_group(
    blocks: Sequence[Block], site: Site, visit: Visit
) -> None:
    plain, typed = await visit("/page/plain"), await visit("/page/typed")
    await expect(plain.locator("#headline")).to_have_text("Nothing yet.")
    publish = "from sse_components import ComponentDispatcher as D; "
    publish += "D.sync.data_changed('news.updates', {'headline': 'Hello'})"
    for page, text in ((plain, "Hello"), (typed, "news.updates: Hello")):
        async with asyncio.timeout(
            30
        ):  # a stream without a cursor begins when it opens
            while await page.locator("#headline").text_content() != text:
                await _python(site, publish)
    assert await plain.evaluate("window.Alpine === undefined")


@PAGE.runs("Put a live page into a cache")
async def test_what_comes_out_of_a_cache_fetches_once_and_is_live(
    blocks: Sequence[Block], site: Site, visit: Visit
) -> None:
    pk = await asyncio.to_thread(site.python, _products(3))
    for path in ("/cached", "/page/fragment"):
        first = await visit(path, "ada")
        await _live(first)
        await _python(site, f"Product.objects.filter(pk={pk}).update(price=4)")
        other = await visit(path, "bob")
        assert "Tea: 3" in await (await other.request.get(path)).text()
        fetched = _fetches(other)
        await other.reload()
        await _live(other)
        await expect(other.get_by_role("listitem")).to_have_text("Tea: 4", timeout=SOON)
        await _reprice(other, pk, 3)
        for page in (first, other):
            await expect(page.get_by_role("listitem")).to_have_text(
                "Tea: 3", timeout=SOON
            )
        assert len(fetched) == 2
    assert await _python(site, WHOLE_SITE + f"print(*seen(client, {pk}))") == "True 5"


@PAGE.runs("Show times and words in the visitor's own way")
async def test_a_refresh_keeps_the_language_and_the_time_zone_of_the_page(
    blocks: Sequence[Block], site: Site, visit: Visit
) -> None:
    german = await visit("/page/opening", locale="de-DE")
    await german.context.add_cookies(
        [{"name": "timezone", "value": "Europe/Berlin", "url": site.url}]
    )
    await german.goto("/page/opening")
    english = await visit("/page/opening", locale="en-GB")
    texts = {german: "Dienstag, 1 Dezember 2026, 09:00"}
    texts[english] = "Tuesday, 1 December 2026, 08:00"
    for page, text in texts.items():
        await _live(page)
        await expect(page.locator("p")).to_have_text(text)
        await page.locator("p").evaluate("p => p.firstChild.data = 'old'")
    publish = "from sse_components import ComponentDispatcher as D; "
    await _python(site, publish + "D.sync.data_changed('shop.opening')")
    for page, text in texts.items():
        await expect(page.locator("p")).to_have_text(text, timeout=SOON)


@PAGE.runs("End a user's streams everywhere")
@pytest.mark.parametrize(
    ("name", "group"), [("eve", "team.sales.orders"), ("adam", "team.sales")]
)
async def test_a_users_streams_end_and_groups_are_taken_from_them(
    blocks: Sequence[Block], site: Site, name: str, group: str
) -> None:
    await asyncio.to_thread(site.python, _user(name, JOIN))
    cookie = await _cookie(site, name)
    url = f"{site.url}/sse/stream?group=news.updates&group={group}"
    do = "from shop.people import *\nteam = Group.objects.get(name='sales')\n"
    acts = {
        "look_again(user)": ("stream-error", "revoked"),
        "take_from_team(user, team)": ("stream-close", "regrant"),
        "lock_out(user)": ("stream-error", "revoked"),
    }
    for act, (frame, reason) in acts.items():
        stream = await Stream.open(url, cookie)
        opened = await stream.next()
        assert "auth.user" in json.dumps(opened.data["groups"])
        assert (group in opened.data["denied"]) == act.startswith("lock")
        await stream.until("keep-alive")
        await asyncio.to_thread(site.python, _user(name, do + act))
        (*_, ended) = await stream.until(frame)
        assert reason in (ended.data.get("condition"), ended.data.get("reason"))
        await stream.close()
    stream = await Stream.open(url, cookie)
    assert "auth.user" not in json.dumps((await stream.next()).data["groups"])
    await stream.close()


@PAGE.runs("Keep a chart that another script draws")
async def test_a_chart_stays_and_follows_the_data(
    blocks: Sequence[Block], site: Site, visit: Visit
) -> None:
    await asyncio.to_thread(site.python, _products(3, 1))
    page = await visit("/page/chart")
    await _live(page)
    drawn, total = page.locator("#chart pre"), page.locator("figcaption")
    await expect(drawn).to_have_text("###\n#")
    await drawn.evaluate("pre => window.same = pre")
    change = "Product.objects.update(price=2)\n"
    change += "from sse_components import ComponentDispatcher as D\n"
    await _python(site, change + "D.sync.data_changed('shop.chart')")
    await expect(total).to_have_text("Total: 4", timeout=SOON)
    await expect(drawn).to_have_text("##\n##")
    push = "from sse_components import ComponentDispatcher as D\n"
    push += "D.sync.data_changed('shop.chart', {'points': [5]})"
    await _python(site, push)
    await expect(drawn).to_have_text("#####", timeout=SOON)
    assert await drawn.evaluate("pre => window.same === pre && pre.isConnected")


@PAGE.runs("Test it")
async def test_the_test_runs(blocks: Sequence[Block], site: Site) -> None:
    (command,) = [block.text for block in blocks if block.language == "sh"]
    printed = await asyncio.to_thread(site.run, command.strip())
    assert re.search(r"Ran 1 test in .*\n\nOK", printed)


@PAGE.runs("Find out why nothing arrives")
async def test_the_doctor_the_stream_and_the_log_say_what_is_wrong(
    blocks: Sequence[Block], site: Site
) -> None:
    doctor, curl = [block.text.strip() for block in blocks if block.language == "sh"]
    (shown,) = [block.text for block in blocks if block.language == "text"]
    assert "ok       event" in await asyncio.to_thread(site.run, doctor)
    heard = await asyncio.to_thread(site.run, curl)
    for line in shown.strip().splitlines():
        for part in line.split("…"):
            assert part in heard
    wait_until(lambda: "Opened" in site.server.log)


async def test_the_checks_have_nothing_to_say_of_the_whole(site: Site) -> None:
    assert "no issues" in await asyncio.to_thread(site.run, "python manage.py check")
