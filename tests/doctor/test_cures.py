"""docs/doctor.md has every cure that the doctor names."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator

import pytest

from tests.servers import ROOT

MAKERS = {"error": 2, "warning": 2, "Unpublished": 1}
"""What a cure is an argument of, and which one."""
TABLES = {"CURES", "STATUSES", "REASONS"}
CONFIGURED = "SSE_COMPONENTS"
"""What `{conf.NAME}` is."""


def _cures() -> Iterator[str]:
    """Yield the parts of each cure between what is put into it."""
    for file in sorted((ROOT / "sse_components/doctor").glob("*.py")):
        tree = ast.parse(file.read_text())
        named = {
            target.id: node.value
            for node in ast.walk(tree)
            if isinstance(node, ast.Assign)
            for target in node.targets
            if isinstance(target, ast.Name)
        }
        for name in TABLES & named.keys():
            table = named[name]
            assert isinstance(table, ast.Dict)
            for value in table.values:
                yield from _parts(value, named)
        for node in ast.walk(tree):
            if isinstance(node, ast.Call) and isinstance(node.func, ast.Name):
                place = MAKERS.get(node.func.id, 99)
                if len(node.args) > place:
                    yield from _parts(node.args[place], named)


def _parts(node: ast.expr, named: dict[str, ast.expr]) -> list[str]:
    match node:
        case ast.Name(id=name) if name in named:
            return _parts(named[name], named)
        case ast.IfExp(body=one, orelse=other):
            return [*_parts(one, named), *_parts(other, named)]
        case ast.Constant(value=str(text)):
            return [text]
        case ast.JoinedStr(values=values):
            texts = [
                one.value if isinstance(one, ast.Constant) else _put_in(one)
                for one in values
            ]
            return "".join(map(str, texts)).split("\0")
    return []  # what a check says is in docs/checks.md


def _put_in(node: ast.expr) -> str:
    """Return what a text has there: a name that is always the same, or a cut."""
    shown = ast.unparse(node)
    return CONFIGURED if shown.strip("{}f'\"") == "conf.NAME" else "\0"


CURES = sorted({part.strip() for part in _cures() if len(part.strip()) > 10})


@pytest.mark.parametrize("cure", CURES)
def test_every_cure_is_in_the_page(cure: str) -> None:
    page = (ROOT / "docs/doctor.md").read_text()
    assert cure in re.sub(r"\s+", " ", page)
