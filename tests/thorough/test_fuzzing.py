"""Schemathesis sends what the document allows, and what it doesn't, to a server."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.servers import Server
from tests.thorough.conftest import DOCUMENT

pytestmark = pytest.mark.thorough

FOLDER = Path(__file__).parent
SECONDS = 200


# A70
@pytest.mark.timeout(SECONDS + 60)
def test_schemathesis_finds_nothing(server: Server, tmp_path: Path) -> None:
    _, _, key = server.headers["Authorization"].partition(" ")
    done = subprocess.run(
        [
            Path(sys.executable).with_name("schemathesis"),
            *("--config-file", FOLDER / "schemathesis.toml", "--no-color"),
            *("run", DOCUMENT, "--url", server.url, "--exclude-tag", "streams"),
        ],
        cwd=tmp_path,
        env=os.environ | {"SSE_API_KEY": key, "HOOKS": str(FOLDER / "hooks.py")},
        capture_output=True,
        text=True,
        timeout=SECONDS,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
