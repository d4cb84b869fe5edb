"""What a browser finds in HTML: component roots, the page's script, text."""

from __future__ import annotations

from html.parser import HTMLParser

Attributes = dict[str, str]


def root(html: str) -> Attributes:
    """Return the attributes of the first component root."""
    return _first(html, "data-sse-component") or {}


def script(html: str) -> Attributes | None:
    """Return the attributes of the script that opens the page's stream."""
    return _first(html, "data-sse-scripts")


def text(html: str) -> str:
    """Return the text of all elements, with single spaces."""
    return " ".join("".join(_read(html).texts).split())


class _Reader(HTMLParser):
    def __init__(self) -> None:
        super().__init__()
        self.elements: list[Attributes] = []
        self.texts: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.append({name: value or "" for name, value in attrs})

    def handle_data(self, data: str) -> None:
        self.texts.append(data)


def _read(html: str) -> _Reader:
    reader = _Reader()
    reader.feed(html)
    reader.close()
    return reader


def _first(html: str, name: str) -> Attributes | None:
    return next((found for found in _read(html).elements if name in found), None)
