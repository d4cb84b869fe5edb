from __future__ import annotations

from sse_components.testing import pages

HTML = (
    '<section><p data-sse-component="a.B" hidden>Hel<b>lo</b> &amp;\n\n  all</p>'
    '<p data-sse-component="a.C"></p><script src="x"></script>'
    '<script src="y" data-sse-scripts data-cursor="&quot;"></script></section>'
)


def test_the_first_root_of_a_component_is_found() -> None:
    assert pages.root(HTML) == {"data-sse-component": "a.B", "hidden": ""}


def test_the_script_of_a_page_is_found() -> None:
    found = {"src": "y", "data-sse-scripts": "", "data-cursor": '"'}
    assert pages.script(HTML) == found
    assert pages.script("<p></p>") is None


def test_text_is_read_as_it_is_shown() -> None:
    assert pages.text(HTML) == "Hello & all"
