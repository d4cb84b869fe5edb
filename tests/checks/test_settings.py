from __future__ import annotations

import os
import subprocess
import sys

from pytest_django import Settings

from tests.checks.messages import found
from tests.servers import ROOT


def test_a_project_without_the_setting_passes(settings: Settings) -> None:
    del settings.SSE_COMPONENTS
    assert found() == []


def test_an_unknown_key_is_an_error_that_names_the_nearest(
    settings: Settings,
) -> None:
    settings.SSE_COMPONENTS = {"PUBLIC_GROUP": ["news.*"]}
    (error,) = found()
    assert error.id == "sse_components.E001"
    assert error.is_serious()
    assert "'PUBLIC_GROUP'" in error.msg
    assert "'PUBLIC_GROUPS'" in error.msg


def test_each_fault_is_an_error_of_its_own(settings: Settings) -> None:
    settings.SSE_COMPONENTS = {"PREFIX": "sse", "MAX_GROUPS": -1}
    first, second = found()
    assert "PREFIX" in first.msg
    assert "MAX_GROUPS" in second.msg


def test_a_setting_that_is_no_dict_is_an_error(settings: Settings) -> None:
    settings.SSE_COMPONENTS = ["memory://"]
    (error,) = found()
    assert "is a dict" in error.msg


def test_settings_at_fault_are_told_by_the_check_and_by_no_traceback() -> None:
    done = subprocess.run(
        [sys.executable, "manage.py", "check"],
        cwd=ROOT,
        env=os.environ | {"SSE_HISTORY_SECONDS": "-1"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 1
    assert "E001" in done.stderr
    assert "Traceback" not in done.stderr
