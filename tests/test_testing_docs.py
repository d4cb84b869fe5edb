from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

from sse_components import testing
from tests.servers import ROOT

DOCS = ROOT / "docs" / "testing.md"


def test_the_examples_pass(tmp_path: Path) -> None:
    examples = re.findall(r"```python\n(.*?)```", DOCS.read_text(), re.DOTALL)
    for number, example in enumerate(examples):
        (tmp_path / f"test_{number}.py").write_text(example)
    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider"]
    done = subprocess.run(
        [*command, "-c", "pyproject.toml", tmp_path],
        cwd=ROOT,
        env=os.environ | {"DATABASE_URL": f"sqlite:///{tmp_path}/db.sqlite3"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout
    assert "8 passed" in done.stdout


def test_every_name_that_is_called_is_described() -> None:
    types = {"Events", "PublishedEvent", "ReceivedEvent", "Rendering"}
    words = set(re.findall(r"\w+", DOCS.read_text()))
    assert {*testing.__all__} - types <= words
