from __future__ import annotations

import pytest

pytest_plugins = ["pytester"]

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


def test_what_is_torn_down_after_a_failure_is_ended_too(
    pytester: pytest.Pytester, request: pytest.FixtureRequest
) -> None:
    pytester.makeini("[pytest]\ntimeout = 1")
    pytester.makepyfile(FAILS_AND_HANGS)
    pytester.syspathinsert(request.config.rootpath)
    result = pytester.runpytest_subprocess(
        "-p", "tests.limits", "-p", "no:django", "-p", "no:randomly", timeout=15
    )
    result.assert_outcomes(passed=1, failed=1, errors=1)
