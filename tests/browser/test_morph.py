"""New HTML takes the place of old, and leaves the visitor's part of it alone.

The built bundle runs in each browser on a page of the test's own, with one component;
its method `swap` is answered with the HTML that the test gives.
"""

from __future__ import annotations

import json
import shutil
from collections.abc import AsyncIterator
from html import escape
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio

from tests.browser.chromium import Chromium
from tests.browser.firefox import Firefox, FirefoxTab
from tests.browser.tabs import Tab

pytestmark = pytest.mark.asyncio(loop_scope="session")

DIST = Path(__file__).parent.parent.parent / "static" / "dist"
SAFARI = "delete Element.prototype.moveBefore"


class Stage:
    """A page with one component, whose HTML is what it is told."""

    def __init__(self, tab: Tab, folder: Path) -> None:
        self.tab = tab
        self._folder = folder

    async def show(self, inner: str, *, before: str = "", **props: object) -> None:
        self.props = props
        (bundle,) = DIST.glob("sse-components.*.js")
        shutil.copy(bundle, self._folder / "bundle.js")
        page = self._folder / "page.html"
        page.write_text(
            f"<!doctype html><meta charset=utf-8><script>{before}</script>"
            "<script src=bundle.js defer data-sse-scripts data-stream=off "
            f"data-components=/></script><body>{self._root(inner)}"
        )
        await self.tab.open(page.as_uri())
        await self.tab.until("window.Alpine?.store('sse')")
        await self.tab.js(
            "{ window.$ = (selector) => document.querySelector(selector);"
            "  window.$$ = (selector) => [...document.querySelectorAll(selector)];"
            "  window.data = (selector) => Alpine.$data($(selector)); }"
        )

    async def swap(self, inner: str, **props: object) -> None:
        """Call the method, and answer with new HTML."""
        self.props |= props
        answer = json.dumps(self.answer(inner))
        await self.js(
            f"{{ window.fetch = async () => Response.json({answer});"
            "  return data('#root').swap(); }"
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
        """Return a value; when this returns the page shows what has come of it."""
        return await self.tab.js(
            f"(async () => {{ const value = await (() => {code})();"
            "  await Alpine.nextTick();"
            "  return value; })()"
        )

    async def fill(self, selector: str, text: str) -> None:
        """Type into a field, in the place of all that is in it."""
        await self.js(f"{{ $('{selector}').focus(); $('{selector}').select(); }}")
        await self.tab.type(text)

    async def blur(self) -> None:
        await self.js("document.activeElement.blur()")

    async def click(self, selector: str) -> None:
        await self.js(f"$('{selector}').click()")

    async def texts(self, selector: str) -> list[str]:
        """Return what is to be read in some elements."""
        return [str(text) for text in await self._all(selector, "innerText")]

    async def values(self, selector: str) -> list[str]:
        """Return what is in some fields."""
        return [str(value) for value in await self._all(selector, "value")]

    async def _all(self, selector: str, name: str) -> Any:
        return await self.js(f"$$('{selector}').map((found) => found.{name})")

    def _root(self, inner: str) -> str:
        props = escape(json.dumps(self.props))
        return (
            '<div id="root" data-sse-component="t.Stage" data-sse-id="t.Stage" '
            'data-sse-groups="[]" data-sse-position="e:1" '
            """data-sse-methods='{"swap":{}}' """
            f'data-sse-props="{props}" key="t.Stage" x-data="sse">{inner}</div>'
        )


@pytest.fixture(params=["chromium", "firefox"])
def each_browser(request: pytest.FixtureRequest) -> Chromium | Firefox:
    browser: Chromium | Firefox = request.getfixturevalue(request.param)
    return browser


@pytest_asyncio.fixture(loop_scope="session")
async def stage(
    each_browser: Chromium | Firefox, tmp_path: Path
) -> AsyncIterator[Stage]:
    """A test fails if the page logs an error."""
    tab = await each_browser.new_tab()
    yield Stage(tab, tmp_path)
    await tab.close()
    assert tab.errors == []


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
  for (const li of $$('li')) {
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
STATE = """$$('li').map((li) => ({
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


def without_scrolling(states: list[dict[str, object]]) -> list[dict[str, object]]:
    return [state | {"scroll": None} for state in states]


@pytest.mark.parametrize("keys", ["123", "312", "132", "321", "0123", "23", "420", "2"])
async def test_a_list_keeps_what_the_visitor_did_in_it(stage: Stage, keys: str) -> None:
    await stage.show(items("123"))
    await stage.js(TOUCH)
    await stage.swap(items(keys, "new"))
    wanted = [touched(key) if key in "123" else fresh(key) for key in keys]
    found = await stage.js(STATE)
    if isinstance(stage.tab, FirefoxTab):  # moving loses scroll positions in it
        found, wanted = without_scrolling(found), without_scrolling(wanted)
    assert found == wanted


@pytest.mark.parametrize("keys", ["312", "132", "321", "0123", "23", "420"])
async def test_a_browser_that_cannot_move_nodes_keeps_all_but_scrolling(
    stage: Stage, keys: str
) -> None:
    await stage.show(items("123"), before=SAFARI)
    await stage.js(TOUCH)
    await stage.swap(items(keys, "new"))
    wanted = [touched(key) if key in "123" else fresh(key) for key in keys]
    found = await stage.js(STATE)
    assert without_scrolling(found) == without_scrolling(wanted)


async def test_rows_after_a_loop_stay_rows(stage: Stage) -> None:
    def html(*keys: str) -> str:
        rows = "".join(f'<li key="{key}">{key}</li>' for key in keys)
        loop = '<template x-for="n in numbers" :key="n"><li x-text="n"></li></template>'
        return f"<ul>{loop}{rows}</ul>"

    await stage.show(html("a", "b"), numbers=[1, 2])
    await stage.js("{ $$('li')[3].remembered = true; }")
    await stage.swap(html("c", "b", "a"))
    assert await stage.texts("li") == ["1", "2", "c", "b", "a"]
    assert await stage.js("$$('li')[3].remembered")
    await stage.js("{ data('#root').numbers = [2, 3, 4]; }")
    assert await stage.texts("li") == ["2", "3", "4", "c", "b", "a"]


async def test_a_condition_keeps_what_it_shows(stage: Stage) -> None:
    def html(text: str) -> str:
        condition = '<template x-if="open"><p>shown</p></template>'
        return f"{condition}<p>{text}</p>"

    await stage.show(html("old"), open=True)
    await stage.swap(html("new"))
    assert await stage.texts("p") == ["shown", "new"]
    await stage.js("{ data('#root').open = false; }")
    assert await stage.texts("p") == ["new"]


async def test_what_was_hidden_stays_hidden(stage: Stage) -> None:
    def html(text: str) -> str:
        return f'<p x-data="{{ open: false }}" x-show="open">{text}</p>'

    await stage.show(html("old"))
    await stage.swap(html("new"))
    assert await stage.js("$('p').textContent") == "new"
    assert await stage.js("$('p').checkVisibility()") is False
    await stage.js("{ data('p').open = true; }")
    await stage.tab.until("$('p').checkVisibility()")


async def test_a_changed_click_handler_is_the_one_that_runs(stage: Stage) -> None:
    def html(step: int) -> str:
        return f'<button @click="count += {step}" x-text="count"></button>'

    await stage.show(html(1), count=0)
    await stage.click("button")
    await stage.swap(html(10), count=1)
    await stage.click("button")
    assert await stage.texts("button") == ["11"]


async def test_bound_and_plain_classes_agree(stage: Stage) -> None:
    def html(plain: str) -> str:
        return f'<p class="{plain}" :class="on && \'bound\'"></p>'

    await stage.show(html("a"), on=True)
    await stage.swap(html("b"))
    assert await stage.js("[...$('p').classList].sort()") == ["b", "bound"]
    await stage.js("{ data('#root').on = false; }")
    assert await stage.js("[...$('p').classList]") == ["b"]


async def test_local_state_is_not_reset(stage: Stage) -> None:
    def html(text: str) -> str:
        return f'<p x-data="{{ n: 1 }}"><i x-text="n"></i><b>{text}</b></p>'

    await stage.show(html("old"))
    await stage.js("{ data('p').n = 5; }")
    await stage.swap(html("new"))
    assert await stage.texts("i") == ["5"]
    assert await stage.texts("b") == ["new"]


async def test_local_state_is_reset_by_a_new_literal(stage: Stage) -> None:
    def html(number: int) -> str:
        return f'<p x-data="{{ n: {number}, m: 1 }}" x-text="n + m"></p>'

    await stage.show(html(1))
    await stage.js("{ data('p').m = 5; }")
    await stage.swap(html(2))
    assert await stage.texts("p") == ["3"]
    await stage.js("{ data('p').m = 5; }")
    assert await stage.texts("p") == ["7"]


async def test_what_was_teleported_is_patched_where_it_is(stage: Stage) -> None:
    def html(text: str) -> str:
        inner = f'<p class="far">{text} <i x-text="name"></i></p>'
        return f'<template x-teleport="body">{inner}</template>'

    await stage.show(html("old"), name="x")
    await stage.swap(html("new"))
    assert await stage.texts("body > p.far") == ["new x"]
    assert await stage.texts("p.far") == ["new x"]


async def test_a_modelled_field_follows_its_property(stage: Stage) -> None:
    html = '<input x-model="title" value="ignored">'
    await stage.show(html, title="server")
    await stage.fill("input", "typed")
    await stage.blur()
    await stage.swap(html)
    assert await stage.values("input") == ["server"]
    await stage.swap(html, title="newer")
    assert await stage.values("input") == ["newer"]


@pytest.mark.parametrize("tag", ["input", "textarea"])
async def test_a_clean_field_follows_the_server_and_a_dirty_one_does_not(
    stage: Stage, tag: str
) -> None:
    def html(value: str) -> str:
        if tag == "input":
            return f'<input id="a" value="{value}"><input id="b" value="{value}">'
        return f'<textarea id="a">{value}</textarea><textarea id="b">{value}</textarea>'

    await stage.show(html("old"))
    await stage.fill("#b", "typed")
    await stage.blur()
    await stage.swap(html("new"))
    assert await stage.values("#a") == ["new"]
    assert await stage.values("#b") == ["typed"]
    await stage.fill("#b", "new")  # what the server says: it is clean again
    await stage.blur()
    await stage.swap(html("newer"))
    assert await stage.values("#b") == ["newer"]


async def test_a_box_that_was_ticked_stays_ticked(stage: Stage) -> None:
    def html(checked: str) -> str:
        box = f'<input type="checkbox" {checked}>'
        return f"<p>{box}</p><p>{box}</p>"

    await stage.show(html(""))
    await stage.click("input")
    await stage.swap(html(""))
    assert await stage.js("$$('input').map(({ checked }) => checked)") == [True, False]
    await stage.swap(html("checked"))
    assert await stage.js("$$('input').map(({ checked }) => checked)") == [True, True]


async def test_a_choice_survives_a_new_option(stage: Stage) -> None:
    def html(*values: str) -> str:
        options = "".join(f"<option value={value}>{value}" for value in values)
        return f"<select>{options}</select>"

    await stage.show(html("a", "b", "c"))
    await stage.js("{ $('select').value = 'c'; }")
    await stage.swap(html("x", "a", "c"))
    assert await stage.values("select") == ["c"]
    assert await stage.texts("option") == ["x", "a", "c"]


async def test_a_choice_that_nobody_has_made_follows_the_server(stage: Stage) -> None:
    def html(chosen: str) -> str:
        options = "".join(
            f"<option {'selected' * (value == chosen)}>{value}" for value in "abc"
        )
        radios = "".join(
            f"<input type=radio name=n value={value} {'checked' * (value == chosen)}>"
            for value in "abc"
        )
        return f"<select>{options}</select>{radios}"

    chosen = "[$('select').value, $('[type=radio]:checked').value]"
    await stage.show(html("a"))
    await stage.swap(html("b"))
    assert await stage.js(chosen) == ["b", "b"]
    await stage.js("{ $('select').value = 'c'; $('[type=radio][value=c]').click(); }")
    await stage.swap(html("b"))
    assert await stage.js(chosen) == ["c", "c"]


async def test_a_file_that_was_chosen_stays_chosen(stage: Stage) -> None:
    def html(name: str) -> str:
        return f'<input type="file" class="{name}">'

    await stage.show(html("old"))
    await stage.js(
        "{ const chosen = new DataTransfer();"
        "  chosen.items.add(new File(['x'], 'a.txt'));"
        "  $('input').files = chosen.files; }"
    )
    await stage.swap(html("new"))
    assert await stage.js("$('input.new').files[0].name") == "a.txt"


async def test_an_alert_above_a_form_leaves_the_focus_in_it(stage: Stage) -> None:
    form = '<form><input id="field" value="server"></form>'
    await stage.show(f"<div>intro</div>{form}")
    await stage.fill("#field", "typed")
    await stage.swap(f'<div>intro</div><div class="alert">!</div>{form}')
    assert await stage.js("document.activeElement.id") == "field"
    assert await stage.values("#field") == ["typed"]


async def test_more_elements_of_a_kind_are_as_many_as_the_server_says(
    stage: Stage,
) -> None:
    await stage.show("<p>one</p><p class=two>two</p>")
    await stage.swap("<p>zero</p><p>one</p><p class=two>two</p>")
    assert await stage.texts("p") == ["zero", "one", "two"]
    assert await stage.texts("p.two") == ["two"]
    await stage.swap("<p>two</p>")
    assert await stage.texts("p") == ["two"]


async def test_an_element_that_is_new_comes_alive(stage: Stage) -> None:
    await stage.show("<p>old</p>", count=0)
    await stage.swap('<a @click="count++" x-text="count"></a>')
    await stage.click("a")
    assert await stage.texts("a") == ["1"]


async def test_what_is_played_in_a_frame_goes_on_when_the_frame_is_moved(
    stage: Stage,
) -> None:
    def html(keys: str) -> str:
        frames = (f'<li key="{k}"><iframe srcdoc="a film"></iframe></li>' for k in keys)
        return f"<ul>{''.join(frames)}</ul>"

    await stage.show(html("ab"))
    # What Firefox has in a frame before it has loaded is another window.
    film = "frame.contentDocument.body?.textContent === 'a film'"
    await stage.tab.until(f"$$('iframe').every((frame) => {film})")
    await stage.js("{ $$('iframe').forEach((f, n) => f.contentWindow.played = n); }")
    await stage.swap(html("bca"))
    played = "$$('iframe').map((frame) => frame.contentWindow.played ?? null)"
    can_move = await stage.js("'moveBefore' in Element.prototype")
    assert await stage.js(played) == [1 if can_move else None, None, 0]


async def test_a_wrapper_follows_the_keyed_element_in_it(stage: Stage) -> None:
    def wrapped(key: str) -> str:
        return f'<div><input key="{key}" value="server"></div>'

    await stage.show(wrapped("a"))
    await stage.fill("input", "typed")
    await stage.swap(wrapped("b") + wrapped("a"))
    assert await stage.values("input") == ["server", "typed"]
    assert await stage.js("document.activeElement.getAttribute('key')") == "a"


async def test_rows_of_a_table_are_rows(stage: Stage) -> None:
    def html(keys: str) -> str:
        rows = "".join(f'<tr key="{key}"><td>{key}</td></tr>' for key in keys)
        return f"<table><tbody>{rows}</tbody></table>"

    await stage.show(html("abc"))
    await stage.swap(html("cdab"))
    assert await stage.texts("td") == ["c", "d", "a", "b"]


async def test_the_same_key_twice_is_shown_twice(stage: Stage) -> None:
    await stage.show('<p key="a">1</p><p key="a">2</p>')
    await stage.swap('<p key="a">3</p><p key="a">4</p><p key="a">5</p>')
    assert await stage.texts("p") == ["3", "4", "5"]


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
        "$$('circle').map((c) => [c instanceof SVGCircleElement, c.getAttribute('r')])"
    ) == [[True, "2"], [True, "3"]]


async def test_text_that_is_being_edited_is_left_alone(stage: Stage) -> None:
    await stage.show('<p contenteditable class="a">old</p>')
    await stage.js("$('p').focus()")
    await stage.tab.type("typed")
    await stage.swap('<p contenteditable class="b">new</p>')
    (edited,) = await stage.texts("p.b")
    assert "typed" in edited
    await stage.blur()
    await stage.swap('<p contenteditable class="b">newer</p>')
    assert await stage.texts("p") == ["newer"]


async def test_what_is_permanent_is_left_alone(stage: Stage) -> None:
    await stage.show("<p data-sse-permanent>mine</p><p>old</p>")
    await stage.swap("<p data-sse-permanent>theirs</p><p>new</p>")
    assert await stage.texts("p") == ["mine", "new"]


async def test_a_component_inside_takes_newer_html_only(stage: Stage) -> None:
    def html(position: int, text: str) -> str:
        props = escape(json.dumps({"text": text}))
        return (
            '<section data-sse-component="t.Inner" data-sse-id="t.Inner" '
            f'data-sse-groups="[]" data-sse-position="e:{position}" key="t.Inner" '
            f'data-sse-props="{props}" x-data="sse">'
            f'<i>{text}</i> <b x-text="text"></b></section>'
        )

    await stage.show(html(5, "first"))
    await stage.swap(html(4, "later"))  # by a process that lags behind
    assert await stage.texts("section") == ["later later"]
    await stage.js(
        "{ window.answers = [];"
        "  window.fetch = () => new Promise((answer) => answers.push(answer));"
        "  window.swaps = [data('#root').swap(), data('#root').swap()]; }"
    )
    for number, (position, text) in ((1, (9, "newest")), (0, (6, "older"))):
        answer = json.dumps(stage.answer(html(position, text)))
        await stage.js(
            f"{{ answers[{number}](Response.json({answer})); return swaps[{number}]; }}"
        )
    assert await stage.texts("section") == ["newest newest"]


async def test_random_edits_give_exactly_the_new_html(stage: Stage) -> None:
    await stage.show("<main></main>")
    wrong = await stage.js(
        """(async () => {
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
            const name = (child) => child.nodeName + child.getAttribute('key');
            const keyed = $$('#root > [key]').map((child) => [name(child), child]);
            const old = new Map(keyed);
            await data('#root').swap();
            for (const child of $('#root').children) {
              const same = old.get(name(child)) ?? child;
              if (same !== child) wrong.push([round, name(child)]);
            }
            if ($('#root').innerHTML !== clone.innerHTML) wrong.push([round, html]);
          }
          return wrong.slice(0, 1);
        })()"""
    )
    assert wrong == []
