from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sse_components.components.markup import NotOneRoot, with_attributes
from tests.components.pages import root

MARK = {"data-x": "1"}


@pytest.mark.parametrize(
    ("html", "marked"),
    [
        ("<p>a</p>", '<p data-x="1">a</p>'),
        ("<p\n class=a>a</p>", '<p data-x="1"\n class=a>a</p>'),
        ("<P>a</P>", '<P data-x="1">a</P>'),
        ("\n  <p>a</p>\n", '\n  <p data-x="1">a</p>\n'),
        ("\r\n<p>a</p>", '\r\n<p data-x="1">a</p>'),
        ("<div><div>a</div><div>b</div></div>", None),
        ("<div><p>a<p>b</div>", None),
        ("<ul><li>a<li>b</ul>", None),
        ("<div><br><img src=x><input/></div>", None),
        ("<div>a &amp; b < c</div>", None),
        ('<div title="</div>">a</div>', None),
        ("<div><!-- </div> --></div>", None),
        ("<script>'</div><p>'</script>", None),
        ("<my-element>a</my-element>", None),
        ("<input>", '<input data-x="1">'),
        ("<input/>", '<input data-x="1"/>'),
        ("<br >", '<br data-x="1" >'),
        ("<img src='>'>", "<img data-x=\"1\" src='>'>"),
        # Without an end tag.
        ("<p>a", None),
        ("<p>a<br>b <b>c</b>", None),
        ("<li>a", None),
        ("<li>a<ul><li>b<li>c</ul>", None),
        ("<li>a<ul><li>b</li></ul></li>", None),
        ("<li><div>a</div><p>b<p>c", None),
        ("<dd>a<dl><dt>b<dd>c</dl>", None),
        ("<p>a<button><div>b</div><p>c</button>d</p>", None),
        ("<option value=a>a", None),
        ("<optgroup label=a><option>b<option>c</optgroup>", None),
        # Of a table.
        ("<tr><td>a<td>b", None),
        ("<tr><td>a</td><td>b</td></tr>", None),
        ("<tr><td><table><tr><td>a</table></td></tr>", None),
        ("<td>a</td>", None),
        ("<td><table><tr><td>a<th>b<tr><td>c</table>", None),
        ("<th>a", None),
        ("<tbody><tr><td>a<tr><td>b", None),
        ("<thead><tr><th>a</thead>", None),
        # Of an SVG, where a slash closes.
        ("<svg><path d=''/><path d=''/></svg>", None),
        ("<svg/>", '<svg data-x="1"/>'),
        ("<svg><svg/><g><g/></g></svg>", None),
        ("<circle r='1'/>", "<circle data-x=\"1\" r='1'/>"),
        ("<g><circle r='1'/></g>", None),
        ("<linearGradient><stop/></linearGradient>", None),
        (
            "<p><svg><title>a</title><foreignObject><div>b</div></foreignObject></svg>",
            None,
        ),
        # In which tags are text.
        ("<div><textarea></div><p></textarea></div>", None),
        ("<textarea></div><textarea></textarea>", None),
        ("<div><style></div></style></div>", None),
        ("<div><template><div></div></template></div>", None),
        ("<template><p>a</p><p>b</p></template>", None),
        ("<input></input>", '<input data-x="1"></input>'),
    ],
)
def test_one_element_of_any_kind_is_a_root(html: str, marked: str | None) -> None:
    name = html.strip()[1:].replace("/", " ").replace(">", " ").split()[0]
    expected = marked or html.replace(f"<{name}", f'<{name} data-x="1"', 1)
    assert with_attributes(html, MARK) == expected


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ("<!doctype html>\n", ""),
        ("<!DOCTYPE html><!-- a -->\n\t\f\r\n", "\n<!-- b --> "),
        ("<?xml version='1.0'?>", ""),
        ("<!---->", "<!-- > -->"),
    ],
)
def test_what_shows_nothing_may_stand_around_a_root(before: str, after: str) -> None:
    html = with_attributes(f"{before}<p>a</p>{after}", MARK)
    assert html == f'{before}<p data-x="1">a</p>{after}'


def test_comments_may_stand_around_a_root() -> None:
    html = "<!-- <p>before</p> -->\n<p>a</p>\n<!-- after -->"
    assert with_attributes(html, MARK) == (
        '<!-- <p>before</p> -->\n<p data-x="1">a</p>\n<!-- after -->'
    )


@pytest.mark.parametrize(
    ("html", "fault"),
    [
        ("", "no element"),
        ("text", "no element"),
        ("<!-- only this -->", "no element"),
        ("<p>a</p><p>b</p>", "second element, <p>"),
        ("<div>a</div><br>", "second element, <br>"),
        ("<input><input>", "second element, <input>"),
        ("<div><div>a</div></div><div>b</div>", "second element, <div>"),
        ("before <p>a</p>", "text"),
        ("<p>a</p> after", "text"),
        ("<p>a</p>&amp;", "text"),
        ("<p>a</p>&am", "text"),
        ("<input> after", "text"),
        ("<p>a</p><!-- c --> after", "text"),
        ("<p>a</p>&nbsp;", "text"),
        ("<p>a</p>\N{NO-BREAK SPACE}", "text"),
        # A browser ends the first one there.
        ("<p>a<p>b", "second element, <p>, ends its root, <p>"),
        ("<p>a<div>b</div></p>", "second element, <div>, ends its root, <p>"),
        ("<p><b>a<ul><li>b</ul></b></p>", "second element, <ul>"),
        ("<p>a<hr>b", "second element, <hr>"),
        ("<p><button>a</button><section>b</section>", "second element, <section>"),
        ("<li>a<li>b", "second element, <li>"),
        ("<li><p>a<li>b", "second element, <li>"),
        ("<li><ul><li>a</ul><li>b", "second element, <li>"),
        ("<dt>a<dd>b", "second element, <dd>"),
        ("<option>a<option>b", "second element, <option>"),
        ("<option>a<optgroup>", "second element, <optgroup>"),
        ("<td>a<td>b", "second element, <td>"),
        ("<td>a<tr><td>b", "second element, <tr>"),
        ("<th>a</th><td>b</td>", "second element, <td>"),
        ("<tr><td>a<tr><td>b", "second element, <tr>"),
        ("<tr><td>a</tr><tr><td>b</tr>", "second element, <tr>"),
        ("<thead><tr><th>a<tbody><tr><td>b", "second element, <tbody>"),
        ("<circle/><circle/>", "second element, <circle>"),
        ("<svg/>a", "text"),
        # It would hold what comes after it on the page, or end what it is in.
        ("<div>a", "its root, <div>, isn't closed"),
        ("<div/>", "its root, <div>, isn't closed"),
        ("<div><div>a</div>", "its root, <div>, isn't closed"),
        ("<div>a<!-- </div>", "its root, <div>, isn't closed"),
        ("<ul><li>a", "its root, <ul>, isn't closed"),
        ("<g><circle/>", "its root, <g>, isn't closed"),
        ("<p>a</p></div>", "a stray </div>"),
        ("<p>a</p></p>", "a stray </p>"),
        ("<br></br>", "a stray </br>"),
        ("</div><p>a</p>", "a stray </div>"),
    ],
)
def test_anything_beside_the_root_is_refused(html: str, fault: str) -> None:
    with pytest.raises(NotOneRoot, match=fault):
        with_attributes(html, MARK)


def test_an_attribute_of_ours_that_is_there_already_is_refused() -> None:
    with pytest.raises(NotOneRoot, match="an attribute of ours: data-x"):
        with_attributes('<p data-x="2">a</p>', MARK)
    with pytest.raises(NotOneRoot, match="an attribute of ours: data-x"):
        with_attributes("<p DATA-X>a</p>", MARK)


def test_an_attribute_of_ours_may_stand_further_inside() -> None:
    html = '<div><p data-x="2">a</p></div>'
    assert with_attributes(html, MARK) == '<div data-x="1"><p data-x="2">a</p></div>'


# A27
@given(st.text())
def test_no_value_gets_out_of_its_attribute(value: str) -> None:
    html = with_attributes(
        '<p class="a">b</p>', {"data-sse-component": "x.Y", "data-sse-groups": value}
    )
    assert html.count("<") == 2
    found = root(html)
    assert list(found) == ["data-sse-component", "data-sse-groups", "class"]
    # A browser reads CR LF as LF, NUL as U+FFFD; what else there is comes back.
    assert found["data-sse-groups"] == value
