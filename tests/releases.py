"""Builds what is released and checks it: python -m tests.releases. It uploads nothing.

It needs no more than the extra `release`.
"""

from __future__ import annotations

import argparse
import hashlib
import re
import shutil
import subprocess
import sys
from collections.abc import Iterable
from pathlib import Path
from tempfile import TemporaryDirectory
from zipfile import ZipFile

from sse_components import __version__

ROOT = Path(__file__).parent.parent


def unready(root: Path, version: str) -> list[str]:
    """Return why this version can't be released from that checkout."""
    found = []
    changes = _git(root, "status", "--porcelain")
    if changes:
        found.append(f"Not all is committed:\n{changes}")
    changelog = (root / "CHANGELOG.md").read_text()
    if not re.search(rf"^## \[?{re.escape(version)}\]?(\s|$)", changelog, re.MULTILINE):
        found.append(
            f"CHANGELOG.md has no section for {version}: name what is unreleased so, "
            "or raise __version__ in sse_components/__init__.py."
        )
    return found


def different(one: Path, other: Path) -> list[str]:
    """Return what differs between two wheels that should be the same to the byte."""
    if one.read_bytes() == other.read_bytes():
        return []
    with ZipFile(one) as first, ZipFile(other) as second:
        names = {*first.namelist(), *second.namelist()}
        return sorted(
            name for name in names if _entry(first, name) != _entry(second, name)
        ) or ["the archive itself"]


def described(paths: Iterable[Path]) -> str:
    """Return a line for each file: its digest, its size, its path."""
    return "\n".join(
        f"{hashlib.sha256(path.read_bytes()).hexdigest()}  "
        f"{path.stat().st_size:>9,}  {path.parent.name}/{path.name}"
        for path in paths
    )


def main(arguments: list[str]) -> int:
    parser = argparse.ArgumentParser(prog="make release")
    parser.add_argument("--draft", action="store_true")
    is_draft = parser.parse_args(arguments).draft
    reasons = unready(ROOT, __version__)
    for reason in reasons:
        print(reason, file=sys.stderr)
    if reasons and not is_draft:
        print("Nothing is built. DRAFT=1 builds it all the same.", file=sys.stderr)
        return 1
    dist = ROOT / "dist"
    shutil.rmtree(dist, ignore_errors=True)
    _run("build", "--no-isolation", "--outdir", str(dist), str(ROOT))
    (sdist,), (wheel,) = dist.glob("*.tar.gz"), dist.glob("*.whl")
    with TemporaryDirectory() as folder:
        _run("build", "--no-isolation", "--wheel", "--outdir", folder, str(ROOT))
        if names := different(wheel, Path(folder, wheel.name)):
            print(f"The sdist makes another wheel: {', '.join(names)}", file=sys.stderr)
            return 1
    _run("twine", "check", "--strict", str(sdist), str(wheel))
    _run("check_wheel_contents", str(wheel))
    print(described([sdist, wheel]))
    return 0


def _git(root: Path, *arguments: str) -> str:
    command = ["git", "-C", str(root), *arguments]
    return subprocess.run(command, capture_output=True, text=True, check=True).stdout


def _entry(archive: ZipFile, name: str) -> tuple[bytes, int] | None:
    if name not in archive.namelist():
        return None
    return archive.read(name), archive.getinfo(name).external_attr


def _run(module: str, *arguments: str) -> None:
    subprocess.run([sys.executable, "-m", module, *arguments], cwd=ROOT, check=True)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
