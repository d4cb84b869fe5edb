"""docs/checks.md: a warning that is silenced as it says is silent."""

from __future__ import annotations

from pathlib import Path

from tests.docs.pages import Page
from tests.docs.projects import Project
from tests.tutorials import Block

PAGE = Page("checks.md")

WITHOUT = """
MIDDLEWARE.remove("sse_components.middleware.SSEComponentsMiddleware")
"""
ANOTHER = """
def middleware(get_response):
    return get_response
"""
COMPONENT = """
from sse_components import ReactiveComponent


class Greeting(ReactiveComponent):
    template = "<p>Hello</p>"
"""


@PAGE.runs("# System checks")
def test_a_warning_is_silenced(blocks: list[Block], tmp_path: Path) -> None:
    (silence,) = blocks
    another = f'{WITHOUT}MIDDLEWARE.append("shop.another.middleware")\n'
    files = {"shop/components.py": COMPONENT, "shop/another.py": ANOTHER}
    for name, settings, found in [
        ("spoken", another, True),
        ("silent", another + silence.text, False),
    ]:
        (tmp_path / name).mkdir()
        printed = Project(tmp_path / name, files, settings).check()
        assert ("sse_components.W030" in printed) == found, printed
        assert ("(1 silenced)" in printed) != found
