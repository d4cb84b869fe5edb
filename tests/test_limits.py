from __future__ import annotations

from pathlib import Path

import pytest

pytest_plugins = ["pytester"]

CATCHES_AND_GOES_ON = """
import time

def test_goes_on():
    while True:
        try:
            time.sleep(1)
        except BaseException:
            pass
"""

LEAVES_A_THREAD = """
import threading, time

def test_starts():
    threading.Thread(target=time.sleep, args=[100], name="left").start()
"""

FAILS_AND_HANGS = """
import threading, pytest

@pytest.fixture
def waits():
    yield
    threading.Event().wait(20)

def test_fails(waits):
    assert False

def test_comes_after():
    pass
"""


def run(pytester: pytest.Pytester, rootpath: Path, text: str) -> pytest.RunResult:
    pytester.makeini("[pytest]\ntimeout = 1")
    pytester.makepyfile(text)
    pytester.syspathinsert(rootpath)
    return pytester.runpytest_subprocess(
        "-p", "tests.limits", "-p", "no:django", "-p", "no:randomly", timeout=15
    )


def test_what_is_torn_down_after_a_failure_is_ended_too(
    pytester: pytest.Pytester, pytestconfig: pytest.Config
) -> None:
    result = run(pytester, pytestconfig.rootpath, FAILS_AND_HANGS)
    result.assert_outcomes(passed=1, failed=1, errors=1)


def test_a_test_that_catches_its_end_is_ended_with_its_stack(
    pytester: pytest.Pytester, pytestconfig: pytest.Config
) -> None:
    result = run(pytester, pytestconfig.rootpath, CATCHES_AND_GOES_ON)
    assert result.ret == 1
    result.stderr.fnmatch_lines(["*in test_goes_on"])


def test_what_is_left_when_all_is_done_is_ended_with_its_stack(
    pytester: pytest.Pytester, pytestconfig: pytest.Config
) -> None:
    result = run(pytester, pytestconfig.rootpath, LEAVES_A_THREAD)
    assert result.ret == 1
    result.assert_outcomes(passed=1)
    result.stderr.fnmatch_lines(["*in _shutdown"])
