"""The wheel that users get, built from this checkout."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

from tests.servers import ROOT


def build_wheel(folder: Path) -> Path:
    """Build it into a folder, with nothing from the internet."""
    pip = [sys.executable, "-m", "pip", "wheel", "--quiet", "--no-deps"]
    options = ["--no-build-isolation", "--wheel-dir", str(folder), str(ROOT)]
    subprocess.run([*pip, *options], check=True, capture_output=True)
    (path,) = folder.glob("*.whl")
    return path
