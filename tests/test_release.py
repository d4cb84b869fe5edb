"""The two files that are released, and what `make release` asks of the checkout."""

from __future__ import annotations

import email
import json
import os
import shutil
import subprocess
import sys
import tarfile
import tomllib
import zipfile
from email.message import Message
from pathlib import Path

import pytest
from trove_classifiers import classifiers as known_classifiers

from sse_components import __version__
from tests.releases import described, different, unready
from tests.servers import ROOT
from tests.wheels import build_sdist, build_wheel

NAME = f"django_sse_components-{__version__}"
BUILT = {"PKG-INFO", "static/dist.sha256"}
"""What the sdist has beside that which is in git, and static/dist."""
LEFT_OUT = {".ci/run"}


@pytest.fixture(scope="module")
def sdist(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return build_sdist(tmp_path_factory.mktemp("sdist"))


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return build_wheel(tmp_path_factory.mktemp("wheel"))


@pytest.fixture(scope="module")
def metadata(wheel: Path) -> Message:
    with zipfile.ZipFile(wheel) as archive:
        text = archive.read(f"{NAME}.dist-info/METADATA").decode()
    return email.message_from_string(text)


def test_the_sdist_makes_the_same_wheel_without_node(
    sdist: Path, wheel: Path, tmp_path: Path
) -> None:
    nothing = tmp_path / "bin"
    nothing.mkdir()
    environment = os.environ | {"PATH": str(nothing)}
    made = build_wheel(tmp_path, _unpacked(sdist, tmp_path), environment)
    assert different(made, wheel) == []


def test_the_sdist_holds_what_git_does_and_the_browser_client(sdist: Path) -> None:
    with tarfile.open(sdist) as archive:
        names = {name.removeprefix(f"{NAME}/") for name in archive.getnames()}
    client = {name for name in names if name.startswith("static/dist/")}
    assert {"static/dist/manifest.json", "static/dist/sse-client.d.ts"} < client
    listed = subprocess.run(
        ["git", "ls-files", "-co", "--exclude-standard", "-z"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=True,
    )
    sources = {
        one for one in listed.stdout.split("\0") if one and (ROOT / one).exists()
    }
    assert names - client - BUILT == sources - LEFT_OUT


def test_what_differs_between_two_wheels_is_named(wheel: Path, tmp_path: Path) -> None:
    changed = tmp_path / wheel.name
    with zipfile.ZipFile(wheel) as old, zipfile.ZipFile(changed, "w") as new:
        for entry in old.infolist():
            is_hub = entry.filename == "sse_components/hub.py"
            new.writestr(entry, b"# other" if is_hub else old.read(entry))
        new.writestr("more.py", b"")
    assert different(wheel, changed) == ["more.py", "sse_components/hub.py"]
    again = tmp_path / "again.whl"
    shutil.copy(wheel, again)
    with again.open("ab") as file:
        file.write(b"\0")
    assert different(wheel, again) == ["the archive itself"]


def test_the_version_stands_in_one_place(sdist: Path, wheel: Path) -> None:
    assert sdist.name == f"{NAME}.tar.gz"
    assert wheel.name == f"{NAME}-py3-none-any.whl"
    openapi = json.loads((ROOT / "docs/openapi.json").read_text())
    assert openapi["info"]["version"] == __version__
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    assert "version" not in project
    # The client's packages are part of ours, and have no version of their own.
    assert "version" not in json.loads((ROOT / "static/package.json").read_text())
    lock = json.loads((ROOT / "static/package-lock.json").read_text())
    assert "version" not in lock
    assert "version" not in lock["packages"][""]


def test_the_metadata_says_what_is_so(metadata: Message) -> None:
    assert metadata["Name"] == "django-sse-components"
    assert metadata["Version"] == __version__
    assert metadata["License-Expression"] == "MIT"
    assert metadata["License-File"] == "LICENSE"
    assert metadata["Requires-Python"] == ">=3.11"
    assert metadata["Description-Content-Type"] == "text/markdown"
    assert metadata.get_payload() == (ROOT / "README.md").read_text()
    assert metadata["Keywords"]
    assert metadata["Project-URL"] is None
    assert metadata["Home-page"] is None


def test_the_classifiers_are_known_and_name_what_the_tests_run_on(
    metadata: Message,
) -> None:
    classifiers = metadata.get_all("Classifier") or []
    assert classifiers == sorted(classifiers)
    assert set(classifiers) <= known_classifiers
    django = next(
        line.partition("==")[2]
        for line in (ROOT / "constraints.txt").read_text().splitlines()
        if line.startswith("Django==")
    )
    prefix = "Framework :: Django :: "
    versions = [one.removeprefix(prefix) for one in classifiers if prefix in one]
    assert versions == [django.rpartition(".")[0]]
    assert f"Programming Language :: Python :: {_python()}" in classifiers


def test_what_is_released_is_described_by_digest_and_size(tmp_path: Path) -> None:
    file = tmp_path / "some.whl"
    file.write_bytes(b"x" * 1234)
    digest = subprocess.run(["sha256sum", file], capture_output=True, text=True).stdout
    line = f"{digest.split()[0]}      1,234  {tmp_path.name}/some.whl"
    assert described([file]) == line


@pytest.fixture
def checkout(tmp_path: Path) -> Path:
    (tmp_path / "CHANGELOG.md").write_text("# Changelog\n\n## 1.2.3 - 2026-01-01\n")
    _git(tmp_path, "init", "--quiet")
    _git(tmp_path, "add", ".")
    _git(tmp_path, "commit", "--quiet", "--message", "All")
    return tmp_path


def test_a_clean_checkout_with_its_changes_written_down_is_ready(
    checkout: Path,
) -> None:
    assert unready(checkout, "1.2.3") == []


def test_what_is_not_committed_keeps_it_from_being_released(checkout: Path) -> None:
    (checkout / "new.py").touch()
    (reason,) = unready(checkout, "1.2.3")
    assert reason.startswith("Not all is committed")
    assert "new.py" in reason


@pytest.mark.parametrize("version", ["1.2.4", "1.2", "1.2.30", "1x2.3"])
def test_a_version_whose_changes_nobody_has_written_down_is_not_ready(
    checkout: Path, version: str
) -> None:
    (reason,) = unready(checkout, version)
    assert f"no section for {version}" in reason


def _unpacked(sdist: Path, folder: Path) -> Path:
    with tarfile.open(sdist) as archive:
        archive.extractall(folder, filter="data")
    return folder / NAME


def _python() -> str:
    return f"{sys.version_info.major}.{sys.version_info.minor}"


def _git(folder: Path, *arguments: str) -> None:
    who = ["-c", "user.name=Anybody", "-c", "user.email=anybody@example.com"]
    subprocess.run(["git", "-C", str(folder), *who, *arguments], check=True)
