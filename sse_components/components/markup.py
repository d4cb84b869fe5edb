"""The one root element of a component's HTML, and the attributes on it."""

from __future__ import annotations

from collections.abc import Mapping
from html.parser import HTMLParser

from django.utils.html import escape

_VOID = {  # WHATWG HTML 13.1.2
    "area", "base", "br", "col", "embed", "hr", "img", "input", "link", "meta",
    "source", "track", "wbr",
}  # fmt: skip
_SVG = {
    "circle", "ellipse", "g", "image", "line", "path", "polygon", "polyline", "rect",
    "svg", "symbol", "text", "tspan", "use",
}  # fmt: skip
"""In an SVG a slash does close an element."""

_BLOCKS = {  # that end a p: WHATWG HTML 13.2.6.4.7
    "address", "article", "aside", "blockquote", "center", "dd", "details", "dialog",
    "dir", "div", "dl", "dt", "fieldset", "figcaption", "figure", "footer", "form",
    "h1", "h2", "h3", "h4", "h5", "h6", "header", "hgroup", "hr", "li", "main", "menu",
    "nav", "ol", "p", "pre", "search", "section", "table", "ul",
}  # fmt: skip
_HOLDERS = {"button", "object", "template"}
_LISTS = _BLOCKS - {"address", "dd", "div", "dt", "hr", "li", "p"} | _HOLDERS
_ROWS = {"tr", "tbody", "tfoot", "thead"}

_ENDS: dict[str, tuple[set[str], set[str]]] = {
    "p": (_BLOCKS, _HOLDERS | {"math", "svg"}),
    "li": ({"li"}, _LISTS),
    **dict.fromkeys(("dt", "dd"), ({"dt", "dd"}, _LISTS)),
    "option": ({"option", "optgroup"}, {"template"}),
    "optgroup": ({"optgroup"}, {"template"}),
    **dict.fromkeys(("td", "th"), ({"td", "th"} | _ROWS, {"table", "template"})),
    "tr": (_ROWS, {"table", "template"}),
    **dict.fromkeys(_ROWS - {"tr"}, (_ROWS - {"tr"}, {"table", "template"})),
}
"""Elements that may lack their end tag, what ends them then, and in what it doesn't."""


class NotOneRoot(ValueError):
    """A component's HTML isn't one element."""


def with_attributes(html: str, attributes: Mapping[str, str]) -> str:
    """Return HTML with attributes on its root element; raises `NotOneRoot`."""
    root = _Root()
    root.feed(html)
    root.close()
    if root.end_of_name is None:
        raise NotOneRoot("it has no element")
    if root.fault:
        raise NotOneRoot(root.fault)
    if taken := sorted(attributes.keys() & root.attributes):
        raise NotOneRoot(f"its root has an attribute of ours: {', '.join(taken)}")
    text = "".join(f' {name}="{escape(value)}"' for name, value in attributes.items())
    return html[: root.end_of_name] + text + html[root.end_of_name :]


class _Root(HTMLParser):
    """Finds the first element and whether anything stands beside it.

    Of what is inside it only that is counted in which its end isn't its own.
    """

    def __init__(self) -> None:
        super().__init__(convert_charrefs=True)
        self.end_of_name: int | None = None
        self.attributes: set[str] = set()
        self.fault = ""
        self._name = ""
        self._is_open = False
        self._ended_by: set[str] = set()
        self._holders: set[str] = set()
        self._depth = 0

    def close(self) -> None:
        super().close()
        if self._is_open and self._name not in _ENDS:
            self._note(f"its root, <{self._name}>, isn't closed")

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        if tag in ("textarea", "title"):
            self.set_cdata_mode(tag)  # there are no tags in it
        if self.end_of_name is None:
            self.end_of_name = self._offset() + 1 + len(tag)
            self.attributes = {name for name, _ in attrs}
            self._name, self._is_open = tag, tag not in _VOID
            self._ended_by, self._holders = _ENDS.get(tag, (set(), {tag}))
        elif not self._is_open:
            self._note(f"a second element, <{tag}>, stands beside its root")
        elif not self._depth and tag in self._ended_by:
            self._is_open = False
            self._note(f"a second element, <{tag}>, ends its root, <{self._name}>")
        elif tag in self._holders:
            self._depth += 1

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.handle_starttag(tag, attrs)
        if tag in _SVG:  # elsewhere the slash closes nothing
            self.handle_endtag(tag)

    def handle_endtag(self, tag: str) -> None:
        if self._depth and tag in self._holders:
            self._depth -= 1
        elif self._is_open and not self._depth and tag == self._name:
            self._is_open = False
        elif not self._is_open and (tag not in _VOID or tag == "br"):  # which it makes
            self._note(f"a stray </{tag}> stands beside its root")

    def handle_data(self, data: str) -> None:
        if not self._is_open and data.strip(" \t\n\f\r"):
            self._note("text stands beside its root")

    def _offset(self) -> int:
        line, column = self.getpos()
        start = 0
        for _ in range(line - 1):
            start = self.rawdata.index("\n", start) + 1
        return start + column

    def _note(self, fault: str) -> None:
        self.fault = self.fault or fault
