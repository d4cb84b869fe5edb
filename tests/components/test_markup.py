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
    ],
)
def test_one_element_of_any_kind_is_a_root(html: str, marked: str | None) -> None:
    name = html.strip()[1:].replace("/", " ").replace(">", " ").split()[0]
    expected = marked or html.replace(f"<{name}", f'<{name} data-x="1"', 1)
    assert with_attributes(html, MARK) == expected


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
