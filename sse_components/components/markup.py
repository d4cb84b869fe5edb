"""The one root element of a component's HTML, and the attributes on it."""

from __future__ import annotations

from collections.abc import Mapping
from html.parser import HTMLParser

from django.utils.html import escape

_VOID = {  # WHATWG HTML 13.1.2
    "area", "base", "br", "col", "embed", "hr", "img", "input", "link", "meta",
    "source", "track", "wbr",
}  # fmt: skip


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

    Only tags of the root's own name are counted, because others may lack their end.
    """

    def __init__(self) -> None:
        super().__init__(convert_charrefs=True)
        self.end_of_name: int | None = None
        self.attributes: set[str] = set()
        self.fault = ""
        self._name = ""
        self._depth = 0
        self._lines = [0]

    def feed(self, data: str) -> None:
        for line in data.split("\n"):
            self._lines.append(self._lines[-1] + len(line) + 1)
        super().feed(data)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        if self.end_of_name is None:
            line, column = self.getpos()
            self.end_of_name = self._lines[line - 1] + column + 1 + len(tag)
            self.attributes = {name for name, _ in attrs}
            self._name = tag
        elif self._depth == 0:
            self._note(f"a second element, <{tag}>, stands beside its root")
            return
        if tag == self._name and tag not in _VOID:
            self._depth += 1

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.handle_starttag(tag, attrs)  # in HTML the slash closes nothing

    def handle_endtag(self, tag: str) -> None:
        if tag == self._name and self._depth:
            self._depth -= 1

    def handle_data(self, data: str) -> None:
        if self._depth == 0 and data.strip():
            self._note("text stands beside its root")

    def _note(self, fault: str) -> None:
        self.fault = self.fault or fault
