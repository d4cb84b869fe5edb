"""What users get, built from this checkout or from what was built from it."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path

from tests.servers import ROOT


def build_wheel(
    folder: Path, source: Path = ROOT, environment: Mapping[str, str] | None = None
) -> Path:
    """Build the wheel into a folder, with nothing from the internet."""
    pip = [sys.executable, "-m", "pip", "wheel", "--quiet", "--no-deps"]
    options = ["--no-build-isolation", "--wheel-dir", str(folder), str(source)]
    _run([*pip, *options], environment)
    (path,) = folder.glob("*.whl")
    return path


def build_sdist(folder: Path) -> Path:
    """Build the sdist into a folder, with nothing from the internet."""
    _run([sys.executable, "-m", "hatchling", "build", "-t", "sdist", "-d", str(folder)])
    (path,) = folder.glob("*.tar.gz")
    return path


def _run(command: list[str], environment: Mapping[str, str] | None = None) -> None:
    done = subprocess.run(
        command,
        cwd=ROOT,
        env=environment or os.environ,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )
    assert done.returncode == 0, done.stdout
