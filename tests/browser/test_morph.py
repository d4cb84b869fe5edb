"""New HTML takes the place of old, and leaves the visitor's part of it alone.

The built bundle runs in Chromium on a page of the test's own, with one component; its
method `swap` is answered with the HTML that the test gives.
"""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from html import escape
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio
from playwright.async_api import Browser, Page, Route, expect

pytestmark = pytest.mark.asyncio(loop_scope="session")

DIST = Path(__file__).parent.parent.parent / "static" / "dist"
SAFARI = "delete Element.prototype.moveBefore"


class Stage:
    """A page with one component, whose HTML is what it is told."""

    def __init__(self, page: Page) -> None:
        self.page = page

    async def show(self, inner: str, *, before: str = "", **props: object) -> None:
        self.props = props
        (bundle,) = DIST.glob("sse-components.*.js")

        async def answer(route: Route) -> None:
            if route.request.url.endswith(".js"):
                await route.fulfill(path=bundle)
            else:
                script = (
                    f"<script>{before}</script><script src=/bundle.js defer "
                    "data-sse-scripts data-stream=off data-components=/></script>"
                )
                html = f"<!doctype html>{script}<body>{self._root(inner)}"
                await route.fulfill(body=html, content_type="text/html")

        await self.page.route("**/*", answer)
        await self.page.goto("http://stage.test/")
        await self.page.wait_for_function("window.Alpine?.store('sse')")
        await self.page.evaluate(
            "window.$ = (selector) => document.querySelector(selector);"
            "window.data = (selector) => Alpine.$data($(selector));0"
        )

    async def swap(self, inner: str, **props: object) -> None:
        """Call the method, and answer with new HTML."""
        self.props |= props
        await self.page.evaluate(
            "async (answer) => {"
            "  window.fetch = async () => Response.json(answer);"
            "  await data('#root').swap();"
            "  await Alpine.nextTick();"
            "}",
            self.answer(inner),
        )

    def answer(self, inner: str) -> dict[str, object]:
        """Return what the method is answered with."""
        return {
            "html": self._root(inner),
            "props": self.props,
            "result": None,
            "client": [],
            "grant": None,
            "position": "e:1",
        }

    async def js(self, code: str) -> Any:
        return await self.page.evaluate(f"() => {code}")

    def _root(self, inner: str) -> str:
        props = escape(json.dumps(self.props))
        return (
            '<div id="root" data-sse-component="t.Stage" data-sse-id="t.Stage" '
            'data-sse-groups="[]" data-sse-position="e:1" '
            """data-sse-methods='{"swap":{}}' """
            f'data-sse-props="{props}" key="t.Stage" x-data="sse">{inner}</div>'
        )


@pytest_asyncio.fixture(loop_scope="session")
async def stage(browser: Browser) -> AsyncIterator[Stage]:
    """A test fails if the page logs an error."""
    context = await browser.new_context()
    context.set_default_timeout(5_000)
    page = await context.new_page()
    errors: list[str] = []
    page.on("pageerror", lambda error: errors.append(str(error)))
    yield Stage(page)
    await context.close()
    assert not errors


def item(key: str, text: str = "old") -> str:
    return f"""
    <li key="{key}" id="item-{key}" x-data="{{ mine: 'fresh' }}">
      <b>{text}</b> <span x-text="mine"></span>
      <input value="server"> <textarea>server</textarea>
      <input type="checkbox"> <select><option>a<option>b</select>
      <details><summary>s</summary>d</details>
      <div class="scroller" style="height:20px;overflow:auto">{"x<br>" * 20}</div>
    </li>"""


def items(keys: str, text: str = "old") -> str:
    return f"<ul>{''.join(item(key, text) for key in keys)}</ul>"


TOUCH = """{
  for (const li of document.querySelectorAll('li')) {
    const key = li.getAttribute('key');
    Alpine.$data(li).mine = 'mine' + key;
    li.querySelector('input').value = 'typed' + key;
    li.querySelector('textarea').value = 'typed' + key;
    li.querySelector('[type=checkbox]').checked = true;
    li.querySelector('select').selectedIndex = 1;
    li.querySelector('details').open = true;
    li.querySelector('.scroller').scrollTop = 30;
    li.remembered = key;
  }
  const field = $('#item-2 input');
  field.focus();
  field.setSelectionRange(2, 4);
}"""
STATE = """[...document.querySelectorAll('li')].map((li) => ({
  key: li.getAttribute('key'),
  same: li.remembered === li.getAttribute('key'),
  text: li.querySelector('b').textContent,
  mine: li.querySelector('span').textContent,
  input: li.querySelector('input').value,
  area: li.querySelector('textarea').value,
  checked: li.querySelector('[type=checkbox]').checked,
  selected: li.querySelector('select').selectedIndex,
  open: li.querySelector('details').open,
  scroll: li.querySelector('.scroller').scrollTop,
  focus: li.contains(document.activeElement),
  caret: li.contains(document.activeElement) && document.activeElement.selectionEnd,
}))"""


def touched(key: str) -> dict[str, object]:
    return {
        "key": key,
        "same": True,
        "text": "new",
        "mine": f"mine{key}",
        "input": f"typed{key}",
        "area": f"typed{key}",
        "checked": True,
        "selected": 1,
        "open": True,
        "scroll": 30,
        "focus": key == "2",
        "caret": key == "2" and 4,
    }


def fresh(key: str) -> dict[str, object]:
    return {
        "key": key,
        "same": False,
        "text": "new",
        "mine": "fresh",
        "input": "server",
        "area": "server",
        "checked": False,
        "selected": 0,
        "open": False,
        "scroll": 0,
        "focus": False,
        "caret": False,
    }


@pytest.mark.parametrize("keys", ["123", "312", "132", "321", "0123", "23", "420", "2"])
async def test_a_list_keeps_what_the_visitor_did_in_it(stage: Stage, keys: str) -> None:
    await stage.show(items("123"))
    await stage.js(TOUCH)
    await stage.swap(items(keys, "new"))
    wanted = [touched(key) if key in "123" else fresh(key) for key in keys]
    assert await stage.js(STATE) == wanted


@pytest.mark.parametrize("keys", ["312", "132", "321", "0123", "23", "420"])
async def test_a_browser_that_cannot_move_nodes_keeps_all_but_scrolling(
    stage: Stage, keys: str
) -> None:
    await stage.show(items("123"), before=SAFARI)
    await stage.js(TOUCH)
    await stage.swap(items(keys, "new"))
    wanted = [touched(key) if key in "123" else fresh(key) for key in keys]
    found = await stage.js(STATE)
    for state in [*found, *wanted]:
        del state["scroll"]
    assert found == wanted


async def test_rows_after_a_loop_stay_rows(stage: Stage) -> None:
    def html(*keys: str) -> str:
        rows = "".join(f'<li key="{key}">{key}</li>' for key in keys)
        loop = '<template x-for="n in numbers" :key="n"><li x-text="n"></li></template>'
        return f"<ul>{loop}{rows}</ul>"

    await stage.show(html("a", "b"), numbers=[1, 2])
    await stage.js("{ document.querySelectorAll('li')[3].remembered = true; }")
    await stage.swap(html("c", "b", "a"))
    await expect(stage.page.locator("li")).to_have_text(["1", "2", "c", "b", "a"])
    assert await stage.js("document.querySelectorAll('li')[3].remembered")
    await stage.js("{ data('#root').numbers = [2, 3, 4]; }")
    await expect(stage.page.locator("li")).to_have_text(["2", "3", "4", "c", "b", "a"])


async def test_a_condition_keeps_what_it_shows(stage: Stage) -> None:
    def html(text: str) -> str:
        condition = '<template x-if="open"><p>shown</p></template>'
        return f"{condition}<p>{text}</p>"

    await stage.show(html("old"), open=True)
    await stage.swap(html("new"))
    await expect(stage.page.locator("p")).to_have_text(["shown", "new"])
    await stage.js("{ data('#root').open = false; }")
    await expect(stage.page.locator("p")).to_have_text(["new"])


async def test_what_was_hidden_stays_hidden(stage: Stage) -> None:
    def html(text: str) -> str:
        return f'<p x-data="{{ open: false }}" x-show="open">{text}</p>'

    await stage.show(html("old"))
    await stage.swap(html("new"))
    await expect(stage.page.locator("p")).to_be_hidden()
    assert await stage.js("$('p').textContent") == "new"
    await stage.js("{ data('p').open = true; }")
    await expect(stage.page.locator("p")).to_be_visible()


async def test_a_changed_click_handler_is_the_one_that_runs(stage: Stage) -> None:
    def html(step: int) -> str:
        return f'<button @click="count += {step}" x-text="count"></button>'

    await stage.show(html(1), count=0)
    await stage.page.click("button")
    await stage.swap(html(10), count=1)
    await stage.page.click("button")
    await expect(stage.page.locator("button")).to_have_text("11")


async def test_bound_and_plain_classes_agree(stage: Stage) -> None:
    def html(plain: str) -> str:
        return f'<p class="{plain}" :class="on && \'bound\'"></p>'

    await stage.show(html("a"), on=True)
    await stage.swap(html("b"))
    assert await stage.js("[...$('p').classList].sort()") == ["b", "bound"]
    await stage.js("{ data('#root').on = false; }")
    await expect(stage.page.locator("p")).to_have_class("b")


async def test_local_state_is_not_reset(stage: Stage) -> None:
    def html(text: str) -> str:
        return f'<p x-data="{{ n: 1 }}"><i x-text="n"></i><b>{text}</b></p>'

    await stage.show(html("old"))
    await stage.js("{ data('p').n = 5; }")
    await stage.swap(html("new"))
    await expect(stage.page.locator("i")).to_have_text("5")
    await expect(stage.page.locator("b")).to_have_text("new")


async def test_what_was_teleported_is_patched_where_it_is(stage: Stage) -> None:
    def html(text: str) -> str:
        inner = f'<p class="far">{text} <i x-text="name"></i></p>'
        return f'<template x-teleport="body">{inner}</template>'

    await stage.show(html("old"), name="x")
    await stage.swap(html("new"))
    await expect(stage.page.locator("body > p.far")).to_have_text("new x")
    await expect(stage.page.locator("p.far")).to_have_count(1)


async def test_a_modelled_field_follows_its_property(stage: Stage) -> None:
    html = '<input x-model="title" value="ignored">'
    await stage.show(html, title="server")
    await stage.page.fill("input", "typed")
    await stage.page.evaluate("document.activeElement.blur()")
    await stage.swap(html)
    await expect(stage.page.locator("input")).to_have_value("server")
    await stage.swap(html, title="newer")
    await expect(stage.page.locator("input")).to_have_value("newer")


@pytest.mark.parametrize("tag", ["input", "textarea"])
async def test_a_clean_field_follows_the_server_and_a_dirty_one_does_not(
    stage: Stage, tag: str
) -> None:
    def html(value: str) -> str:
        if tag == "input":
            return f'<input id="a" value="{value}"><input id="b" value="{value}">'
        return f'<textarea id="a">{value}</textarea><textarea id="b">{value}</textarea>'

    await stage.show(html("old"))
    await stage.page.fill("#b", "typed")
    await stage.page.evaluate("document.activeElement.blur()")
    await stage.swap(html("new"))
    await expect(stage.page.locator("#a")).to_have_value("new")
    await expect(stage.page.locator("#b")).to_have_value("typed")
    await stage.page.fill("#b", "new")  # what the server says: it is clean again
    await stage.page.evaluate("document.activeElement.blur()")
    await stage.swap(html("newer"))
    await expect(stage.page.locator("#b")).to_have_value("newer")


async def test_a_box_that_was_ticked_stays_ticked(stage: Stage) -> None:
    def html(checked: str) -> str:
        box = f'<input type="checkbox" {checked}>'
        return f"<p>{box}</p><p>{box}</p>"

    await stage.show(html(""))
    await stage.page.locator("input").nth(0).check()
    await stage.swap(html(""))
    await expect(stage.page.locator("input").nth(0)).to_be_checked()
    await expect(stage.page.locator("input").nth(1)).not_to_be_checked()
    await stage.swap(html("checked"))
    await expect(stage.page.locator("input").nth(1)).to_be_checked()


async def test_a_choice_survives_a_new_option(stage: Stage) -> None:
    def html(*values: str) -> str:
        options = "".join(f"<option value={value}>{value}" for value in values)
        return f"<select>{options}</select>"

    await stage.show(html("a", "b", "c"))
    await stage.page.select_option("select", "c")
    await stage.swap(html("x", "a", "c"))
    await expect(stage.page.locator("select")).to_have_value("c")
    await expect(stage.page.locator("option")).to_have_text(["x", "a", "c"])


async def test_an_alert_above_a_form_leaves_the_focus_in_it(stage: Stage) -> None:
    form = '<form><input id="field" value="server"></form>'
    await stage.show(f"<div>intro</div>{form}")
    await stage.page.fill("#field", "typed")
    await stage.swap(f'<div>intro</div><div class="alert">!</div>{form}')
    await expect(stage.page.locator("#field")).to_be_focused()
    await expect(stage.page.locator("#field")).to_have_value("typed")


async def test_a_wrapper_follows_the_keyed_element_in_it(stage: Stage) -> None:
    def wrapped(key: str) -> str:
        return f'<div><input key="{key}" value="server"></div>'

    await stage.show(wrapped("a"))
    await stage.page.fill("input", "typed")
    await stage.swap(wrapped("b") + wrapped("a"))
    await expect(stage.page.locator("input").nth(0)).to_have_value("server")
    await expect(stage.page.locator("input").nth(1)).to_have_value("typed")
    assert await stage.js("document.activeElement.getAttribute('key')") == "a"


async def test_rows_of_a_table_are_rows(stage: Stage) -> None:
    def html(keys: str) -> str:
        rows = "".join(f'<tr key="{key}"><td>{key}</td></tr>' for key in keys)
        return f"<table><tbody>{rows}</tbody></table>"

    await stage.show(html("abc"))
    await stage.swap(html("cdab"))
    await expect(stage.page.locator("td")).to_have_text(["c", "d", "a", "b"])


async def test_the_same_key_twice_is_shown_twice(stage: Stage) -> None:
    await stage.show('<p key="a">1</p><p key="a">2</p>')
    await stage.swap('<p key="a">3</p><p key="a">4</p><p key="a">5</p>')
    await expect(stage.page.locator("p")).to_have_text(["3", "4", "5"])


async def test_details_and_dialogs_are_the_visitors_until_the_server_changes_them(
    stage: Stage,
) -> None:
    def html(details: str = "", dialog: str = "") -> str:
        return f"<details {details}>d</details><dialog {dialog}>d</dialog>"

    await stage.show(html())
    await stage.js("{ $('details').open = true; $('dialog').showModal(); }")
    await stage.swap(html())
    assert await stage.js("[$('details').open, $('dialog').open]") == [True, True]
    await stage.swap(html("open", "open"))
    await stage.swap(html())
    assert await stage.js("[$('details').open, $('dialog').open]") == [False, False]


async def test_svg_stays_svg(stage: Stage) -> None:
    def html(*radii: int) -> str:
        circles = "".join(f'<circle r="{radius}"/>' for radius in radii)
        return f'<svg viewBox="0 0 9 9">{circles}</svg>'

    await stage.show(html(1))
    await stage.swap(html(2, 3))
    assert await stage.js(
        "[...document.querySelectorAll('circle')].map((c) =>"
        " [c instanceof SVGCircleElement, c.getAttribute('r')])"
    ) == [[True, "2"], [True, "3"]]


async def test_text_that_is_being_edited_is_left_alone(stage: Stage) -> None:
    await stage.show('<p contenteditable class="a">old</p>')
    await stage.page.locator("p").focus()
    await stage.page.keyboard.type("typed")
    await stage.swap('<p contenteditable class="b">new</p>')
    assert "typed" in await stage.page.locator("p.b").inner_text()
    await stage.page.evaluate("document.activeElement.blur()")
    await stage.swap('<p contenteditable class="b">newer</p>')
    await expect(stage.page.locator("p")).to_have_text("newer")


async def test_what_is_permanent_is_left_alone(stage: Stage) -> None:
    await stage.show("<p data-sse-permanent>mine</p><p>old</p>")
    await stage.swap("<p data-sse-permanent>theirs</p><p>new</p>")
    await expect(stage.page.locator("p")).to_have_text(["mine", "new"])


async def test_a_component_inside_takes_newer_html_only(stage: Stage) -> None:
    def html(position: int, text: str) -> str:
        props = escape(json.dumps({"text": text}))
        return (
            '<section data-sse-component="t.Inner" data-sse-id="t.Inner" '
            f'data-sse-groups="[]" data-sse-position="e:{position}" key="t.Inner" '
            f'data-sse-props="{props}" x-data="sse">'
            f'<i>{text}</i> <b x-text="text"></b></section>'
        )

    inner = stage.page.locator("section")
    await stage.show(html(5, "first"))
    await stage.swap(html(4, "later"))  # by a process that lags behind
    await expect(inner).to_have_text("later later")
    await stage.page.evaluate(
        "window.answers = [];"
        "window.fetch = () => new Promise((answer) => answers.push(answer));"
        "for (const _ of 'ab') data('#root').swap(); 0"
    )
    for number, (position, text) in ((1, (9, "newest")), (0, (6, "older"))):
        answer = stage.answer(html(position, text))
        await stage.page.evaluate(
            "([number, answer]) => answers[number](Response.json(answer))",
            [number, answer],
        )
        await stage.page.wait_for_timeout(50)
    await expect(inner).to_have_text("newest newest")


async def test_random_edits_give_exactly_the_new_html(stage: Stage) -> None:
    await stage.show("<main></main>")
    wrong = await stage.page.evaluate(
        """async () => {
          let seed = 7;
          const random = (n) => (seed = (seed * 48271) % 2147483647) % n;
          const tree = (depth) => {
            const keys = [...'abcdefgh'].sort(() => random(3) - 1).slice(random(7));
            const child = (key) => {
              const tag = ['p', 'div', 'section', 'i'][random(4)];
              const inside = depth && tag !== 'p' ? tree(depth - 1) : String(random(9));
              const attributes = random(3) ? ` key="${key}${depth}"` : '';
              return `<${tag}${attributes} class="c${random(3)}">${inside}</${tag}>`;
            };
            const space = () => ['', ' ', 'text', '<!--note-->'][random(4)];
            return keys.map((key) => child(key) + space()).join('');
          };
          const wrong = [];
          for (let round = 0; round < 300; round++) {
            const clone = $('#root').cloneNode(false);
            clone.innerHTML = tree(2);
            const html = clone.outerHTML;
            const answer = { html, props: {}, client: [], position: 'e:1' };
            window.fetch = async () => Response.json(answer);
            await data('#root').swap();
            if ($('#root').innerHTML !== clone.innerHTML) wrong.push([round, html]);
          }
          return wrong.slice(0, 1);
        }"""
    )
    assert wrong == []
