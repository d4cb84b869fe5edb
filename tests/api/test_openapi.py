from __future__ import annotations

import json
from io import StringIO
from pathlib import Path

import pytest
from django.core.management import CommandError, call_command

from tests.api.schemas import document
from tests.servers import ROOT

PINNED = ROOT / "docs" / "openapi.json"


@pytest.fixture
def file(tmp_path: Path) -> Path:
    """A document of the API as it is."""
    call_command("sse_openapi", output=tmp_path / "openapi.json")
    return tmp_path / "openapi.json"


# A70
def test_the_pinned_document_is_the_apis() -> None:
    try:
        call_command("sse_openapi", check=PINNED)
    except CommandError as error:
        pytest.fail(f"The API has changed; `make openapi` renews this.\n{error}")


def test_it_writes_the_document_of_the_api(file: Path) -> None:
    out = StringIO()
    call_command("sse_openapi", stdout=out)
    assert out.getvalue() == file.read_text(encoding="utf-8")
    assert json.loads(out.getvalue()) == json.loads(json.dumps(document()))
    assert out.getvalue().endswith("}\n")
    assert "\n  " in out.getvalue()


def test_a_file_that_is_the_apis_is_found_right(file: Path) -> None:
    out = StringIO()
    call_command("sse_openapi", "--check", str(file), stdout=out)
    assert out.getvalue() == ""


def test_a_file_that_is_not_is_told_by_the_lines_in_question(file: Path) -> None:
    file.write_text(file.read_text().replace('"data_changed"', '"data_chnaged"'))
    with pytest.raises(CommandError) as raised:
        call_command("sse_openapi", "--check", str(file))
    assert raised.value.returncode == 1
    first, *difference = str(raised.value).splitlines()
    assert f"--output {file}" in first
    changed = [line.split() for line in difference if line[0] in "-+"][2:]
    assert changed == [
        ["-", '"operationId":', '"data_chnaged",'],
        ["+", '"operationId":', '"data_changed",'],
    ]


def test_a_file_that_is_quite_another_is_told_shortly(file: Path) -> None:
    file.write_text("{}\n")
    with pytest.raises(CommandError, match=r"\.\.\. and \d+ lines more$") as raised:
        call_command("sse_openapi", "--check", str(file))
    assert len(str(raised.value).splitlines()) < 50


@pytest.mark.parametrize("option", ["--check", "--output"])
def test_a_file_that_cannot_be_is_a_clear_error(option: str, tmp_path: Path) -> None:
    with pytest.raises(CommandError, match="No such file"):
        call_command("sse_openapi", option, str(tmp_path / "missing" / "openapi.json"))


def test_it_takes_one_thing_to_do_at_a_time(file: Path) -> None:
    with pytest.raises(CommandError, match="not allowed with"):
        call_command("sse_openapi", "--check", str(file), "--output", str(file))
