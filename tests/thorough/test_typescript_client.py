"""A client in TypeScript, by types of openapi-typescript, compiles and works."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
from pathlib import Path

import pytest

import hatch_build
from tests.servers import Server
from tests.thorough.conftest import DOCUMENT

pytestmark = pytest.mark.thorough

FOLDER = Path(__file__).parent
MODULES = FOLDER / "node_modules"
SECONDS = 60


@pytest.fixture
def node() -> str:
    node = hatch_build.node()
    if not node or not MODULES.exists():
        message = "Packages of npm are missing: make thorough installs them."
        if os.environ.get("CI"):
            pytest.fail(message)
        pytest.skip(message)
    return node


# A70
@pytest.mark.timeout(4 * SECONDS)
def test_it_publishes_an_event_hears_it_and_reads_a_status(
    node: str, server: Server, tmp_path: Path
) -> None:
    (tmp_path / "node_modules").symlink_to(MODULES)
    for name in ("client.ts", "package.json", "tsconfig.json"):
        shutil.copy(FOLDER / name, tmp_path)

    def run(*arguments: str | Path) -> str:
        done = subprocess.run(
            [node, *arguments],
            cwd=tmp_path,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            timeout=SECONDS,
            check=False,
        )
        assert done.returncode == 0, done.stdout
        return done.stdout

    generator = MODULES / "openapi-typescript" / "bin" / "cli.js"
    # What has a default may be left out of a request.
    run(generator, DOCUMENT, "--default-non-nullable", "false", "-o", "schema.d.ts")
    run(MODULES / "typescript" / "bin" / "tsc")
    _, _, key = server.headers["Authorization"].partition(" ")
    assert json.loads(run("built/client.js", server.url, key)) == [
        "open news.updates",
        "complete",
        "duplicate false",
        'changed {"headline":"Hello"} false',
        "online false",
        "refused /data",
    ]
