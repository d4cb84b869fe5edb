from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from tests.tutorials import Reader, sections

NewReader = Callable[..., Reader]


@pytest.fixture
def new_reader(tmp_path: Path) -> NewReader:
    def new_reader(*blocks: str) -> Reader:
        fenced = "\n".join(f"```{block}\n```\n" for block in blocks)
        return Reader(f"# A page\n\n## Do it\n\n{fenced}", tmp_path, tmp_path / "whl")

    return new_reader


def test_a_block_is_found_with_its_heading() -> None:
    found = sections("# A page\n\n## One\n\nWords.\n\n## Two\n\n```sh\nls\n```\n")
    assert [(one.title, [b.text for b in one.blocks]) for one in found] == [
        ("Two", ["ls\n"])
    ]


def test_a_block_that_is_not_closed_is_found() -> None:
    with pytest.raises(AssertionError, match="fence is odd below 'One'"):
        sections("## One\n\n```sh\nls\n```\n\n```python\n")


def test_files_are_written_added_to_and_changed(
    new_reader: NewReader, tmp_path: Path
) -> None:
    reader = new_reader(
        "python\n# app/code.py\nclass A:\n    x = 1\n\n\nclass B: ...",
        "python\n# app/code.py, at the end\nC = 3",
        "python\n# app/code.py, in place of A\nclass A:\n    x = 2",
        "django\n{# app/page.html #}\n<p>",
    )
    reader.follow("Do it")
    assert (tmp_path / "reader/app/code.py").read_text() == (
        "# app/code.py\nclass A:\n    x = 2\n\n\nclass B: ...\n\nC = 3\n"
    )
    assert (tmp_path / "reader/app/page.html").exists()
    assert reader.is_done


@pytest.mark.parametrize(
    ("blocks", "fault"),
    [
        (["sh\nfalse | true\nfalse\ntrue"], "false"),
        (["sh\necho three", "text\nfour"], "should have printed\nfour"),
        (["sh\necho three", "text\nthree…four"], "has printed\nthree"),
        (["python\nx = 1"], "doesn't say what it is"),
        (["\nls"], "doesn't say what it is"),
    ],
)
def test_what_isnt_as_it_says_is_found(
    new_reader: NewReader, blocks: list[str], fault: str
) -> None:
    with pytest.raises(AssertionError, match=fault):
        new_reader(*blocks).follow("Do it")


def test_what_a_command_prints_may_differ_where_it_says_so(
    new_reader: NewReader,
) -> None:
    new_reader("sh\necho one two; echo three >&2", "text\none …\nthree").follow("Do it")


def test_a_section_can_be_followed_in_parts(
    new_reader: NewReader, tmp_path: Path
) -> None:
    reader = new_reader("sh\ntouch one", "sh\ntouch two")
    reader.follow("Do it", until="touch two")
    assert (tmp_path / "reader/one").exists()
    assert not (tmp_path / "reader/two").exists()
    reader.follow("Do it")
    assert reader.is_done


def test_what_is_heard_may_be_caused_by_what_follows(
    new_reader: NewReader, tmp_path: Path
) -> None:
    stream = tmp_path / "stream"
    stream.write_text("one\n")
    listen = f"sh\ncurl -N file:///dev/null; tail -f -n +1 {stream}"
    publish = f"sh\necho two >> {stream}"
    reader = new_reader(listen, "text\none", publish, "text\none\ntwo")
    reader.follow("Do it")
    assert reader.is_done


def test_what_is_not_heard_is_found(new_reader: NewReader, tmp_path: Path) -> None:
    (tmp_path / "stream").write_text("one\n")
    reader = new_reader(f"sh\ncurl -N file://{tmp_path}/stream", "text\none two")
    with pytest.raises(AssertionError, match="has printed\none"):
        reader.follow("Do it")


def test_no_section_is_left_out(new_reader: NewReader) -> None:
    reader = new_reader("sh\ntrue")
    assert not reader.is_done
    with pytest.raises(AssertionError):
        reader.follow("Do something else")
