"""What visitors of the demo do in its pages, and what they see there."""

from __future__ import annotations

from collections.abc import Sequence

from playwright.async_api import Locator, Page, Request, expect


async def open_chat(page: Page) -> None:
    await page.goto("/chat")
    await expect(page.get_by_role("status")).to_have_text("online")


async def join(page: Page, name: str) -> None:
    """Give a name in the chat, and be there under it."""
    await open_chat(page)
    await page.get_by_label("A name").fill(name)
    await page.get_by_role("button", name="Join").click()
    await expect(page.get_by_label(f"A message, as {name}")).to_be_visible()
    await expect(page.get_by_role("status")).to_have_text("online")


async def say(page: Page, text: str) -> None:
    field = page.get_by_label("A message")
    await field.fill(text)
    await page.get_by_role("button", name="Send").click()
    await expect(message(page, text)).to_be_visible()
    await expect(field).to_have_value("")


async def log_in_as_staff(page: Page) -> None:
    await page.goto("/staff/")
    await page.get_by_label("Password").fill("staff")
    await page.get_by_role("button", name="Log in").click()
    await page.wait_for_url("**/staff/online")


async def open_online(page: Page) -> None:
    await page.goto("/staff/online")
    await expect(page.get_by_role("status")).to_have_text("online")


async def open_todo(page: Page) -> None:
    await page.goto("/todo")
    await expect(page.get_by_role("status")).to_have_text("online")


async def add_item(page: Page, title: str) -> None:
    """Add to the list as somebody does who has the keyboard only."""
    field = page.get_by_label("What is to be done?")
    await field.fill(title)
    await field.press("Enter")
    await expect(item(page, title)).to_be_visible()


async def shows_items(page: Page, given: Sequence[str]) -> None:
    """Wait until the list has these rows, in this order."""
    titles = (
        "[...document.querySelectorAll('.todo textarea')].map(({ value }) => value)"
    )
    same = f"(given) => JSON.stringify({titles}) === JSON.stringify(given)"
    await page.wait_for_function(same, arg=list(given))


async def open_job(page: Page) -> None:
    await page.goto("/job")
    await expect(page.get_by_role("status")).to_have_text("online")


def note_posts(page: Page) -> list[str]:
    """Return what fills with the calls that a page makes, `app.Component/method`."""
    posts: list[str] = []

    def note(request: Request) -> None:
        if request.method == "POST":
            posts.append("/".join(request.url.rsplit("/", 2)[-2:]))

    page.on("request", note)
    return posts


def item(page: Page, title: str) -> Locator:
    """Return the row of the to-do list that has a title."""
    own = page.get_by_role("button", name=f"Delete: {title}", exact=True)
    return page.get_by_role("listitem").filter(has=own)


def items(page: Page) -> Locator:
    return page.get_by_role("list", name="Your list").get_by_role("listitem")


def here(page: Page, name: str) -> Locator:
    """Return a visitor's entry in the list of who is in the chat."""
    return _entries(page, "Here now", name)


def online(page: Page, name: str) -> Locator:
    return _entries(page, "Online", name)


def offline(page: Page, name: str) -> Locator:
    return _entries(page, "Offline", name)


def message(page: Page, text: str) -> Locator:
    return page.get_by_role("log").get_by_text(text, exact=True)


def _entries(page: Page, list: str, name: str) -> Locator:
    entries = page.get_by_role("list", name=list, exact=True).get_by_role("listitem")
    return entries.filter(has_text=name)
