from __future__ import annotations

import json
import re
from dataclasses import fields
from pathlib import Path
from typing import get_args

import pytest
from django.core.management import get_commands

from api.apps import ApiConfig
from sse_components import conf
from sse_components.templatetags.sse_components import register
from sse_components.wire import Condition, Reason
from tests.servers import ROOT

PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md"))]
OPENAPI = json.loads((ROOT / "docs" / "openapi.json").read_text())
TEXT = "".join(page.read_text() for page in PAGES)
BARE = {"notify", "pong"}
"""Types of one word, which names of other things could be too."""
DEFINED = {
    name
    for file in (ROOT / "tests").rglob("test_*.py")
    for name in re.findall(r"def (test_\w+)\(", file.read_text())
}


@pytest.mark.parametrize(
    ("page", "what"), [("security", "threat"), ("mistakes", "mistake")]
)
def test_every_row_names_a_test_and_every_test_that_is_named_exists(
    page: str, what: str
) -> None:
    lines = (ROOT / "docs" / f"{page}.md").read_text().splitlines()
    table = [*lines[lines.index(f"| {what} | what stops it | test |") + 2 :], ""]
    rows = table[: table.index("")]
    assert len(rows) > 15
    for row in rows:
        *_, cell, _ = row.split("|")
        named = re.findall(r"`(test_\w+)`", cell)
        assert named, row
        assert set(named) <= DEFINED


@pytest.mark.parametrize("page", PAGES, ids=[page.name for page in PAGES])
def test_a_page_names_only_what_there_is(page: Path) -> None:
    for path, anchor in re.findall(r"\]\(([^)#:]*)#?([^):]*)\)", page.read_text()):
        target = page.parent / path if path else page
        assert target.exists(), path
        assert not anchor or anchor in _anchors(target), f"{path}#{anchor}"


def _anchors(page: Path) -> set[str]:
    """Return what GitHub makes of a page's headings."""
    headings = re.findall(r"^#+ (.+)$", page.read_text(), re.MULTILINE)
    return {re.sub(r"[^\w -]", "", one.lower()).replace(" ", "-") for one in headings}


def test_all_that_can_be_wrong_with_a_model_is_in_its_page() -> None:
    source = (ROOT / "sse_components" / "reactive" / "base.py").read_text()
    page = (ROOT / "docs" / "models.md").read_text()
    checks = re.findall(r'id="(sse_components\.\w+)"', source)
    assert checks
    assert re.findall(r"^\| `(sse_components\.\w+)`", page, re.MULTILINE) == checks


# A77
def test_every_setting_is_in_its_page_with_its_default() -> None:
    page = (ROOT / "docs" / "settings.md").read_text()
    told = dict(re.findall(r"^\| `([A-Z_]+)` \| `([^`]+)` \|", page, re.MULTILINE))
    api = {"SSE_API_RATE": "0"}  # and SSE_API_KEY, of which there is none
    defaults = {
        field.name.upper(): _literal(field.default) for field in fields(conf.Settings)
    }
    assert told == defaults | api


def _literal(default: object) -> str:
    """Return a default as it stands in settings."""
    plain = list(default) if isinstance(default, tuple) else default
    return repr(plain).replace("'", '"')


# A77
def test_every_frame_is_in_the_page_of_the_protocol_and_no_other() -> None:
    page = (ROOT / "docs" / "protocol.md").read_text()
    names = re.findall(r"^\| `([a-z_.-]+)` \|", page, re.MULTILINE)
    told = [name for name in names if "." in name or "-" in name or name in BARE]
    assert len(told) == len(set(told))
    frames = OPENAPI["components"]["schemas"]["SocketFrame"]["discriminator"]
    assert set(told) == set(frames["mapping"])


# A77
def test_every_reason_and_condition_is_in_the_page_of_the_protocol() -> None:
    page = (ROOT / "docs" / "protocol.md").read_text()
    for one in (*get_args(Reason), *get_args(Condition)):
        assert f"`{one}`" in page


# A77
@pytest.mark.parametrize("path", [path for path in OPENAPI["paths"] if "/v1/" in path])
def test_every_operation_is_in_the_page_of_the_api(path: str) -> None:
    page = (ROOT / "docs" / "api.md").read_text()
    whole = path.removeprefix("/api/v1")
    start, _, end = whole.rpartition("/")
    assert f"{whole}`" in page or (start in page and f"`…/{end}`" in page)


# A77
def test_every_template_tag_is_in_a_page() -> None:
    tags = [*register.tags, *register.filters]
    assert tags
    for tag in tags:
        assert re.search(rf"{{%-? {tag}\b", TEXT), tag


# A77
def test_every_command_is_in_a_page() -> None:
    ours = ("sse_components", ApiConfig.name)
    commands = [name for name, app in get_commands().items() if app in ours]
    assert commands
    for command in commands:
        assert f"manage.py {command}" in TEXT


def test_every_logger_is_in_its_page() -> None:
    page = (ROOT / "docs" / "logging.md").read_text()
    told = re.findall(r"^\| `(sse_components\.\w+)` \|", page, re.MULTILINE)
    sources = [*(ROOT / "sse_components").rglob("*.py"), *(ROOT / "api").rglob("*.py")]
    loggers = {
        name
        for source in sources
        for name in re.findall(r'getLogger\("([^"]+)"\)', source.read_text())
        if name.startswith("sse_components")
    }
    assert set(told) == loggers
    assert not any("getLogger(__name__)" in source.read_text() for source in sources)


# A77
def test_every_system_check_is_in_its_page() -> None:
    page = (ROOT / "docs" / "checks.md").read_text()
    told = re.findall(r"^\| `(sse_components\.\w+)` \|", page, re.MULTILINE)
    known = {
        id
        for source in (ROOT / "sse_components").rglob("*.py")
        for id in re.findall(r'id="(sse_components\.\w+)"', source.read_text())
    }
    assert len(told) == len(set(told))
    assert set(told) == known
