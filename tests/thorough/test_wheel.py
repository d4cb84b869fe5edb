"""The wheel, whose modules have other names, has the same document."""

from __future__ import annotations

import os
import subprocess
import sys
import sysconfig
import zipfile
from pathlib import Path

import pytest

from tests.test_wheel import SETTINGS, URLS
from tests.thorough.conftest import DOCUMENT
from tests.wheels import build_wheel

pytestmark = pytest.mark.thorough

SECONDS = 60


@pytest.mark.timeout(2 * SECONDS)
def test_it_exports_the_pinned_document(tmp_path: Path) -> None:
    zipfile.ZipFile(build_wheel(tmp_path)).extractall(tmp_path / "lib")
    (tmp_path / "settings.py").write_text(SETTINGS)
    (tmp_path / "urls.py").write_text(URLS)
    path = [str(tmp_path), str(tmp_path / "lib"), sysconfig.get_path("purelib")]
    done = subprocess.run(
        # Without site, which would find the checkout.
        [sys.executable, "-S", "-m", "django", "sse_openapi", "--check", DOCUMENT],
        cwd=tmp_path,
        env={"PYTHONPATH": os.pathsep.join(path), "DJANGO_SETTINGS_MODULE": "settings"},
        capture_output=True,
        text=True,
        timeout=SECONDS,
        check=False,
    )
    assert done.returncode == 0, done.stderr
