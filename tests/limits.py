"""A plugin of pytest: a test that hangs is ended, whatever it hangs in.

pytest-timeout fails a test that takes too long, once. A search by hypothesis takes that
for one more failure, and goes on without an end. And pytest-timeout and faulthandler
both take a failure for the beginning of a debugging session and forget their limits, so
what is torn down after it may wait for ever, as may what is left when all is done. Any
of it would hold up the run, without a word.
"""

from __future__ import annotations

import faulthandler
import sys
from collections.abc import Generator

import pytest
from _pytest.faulthandler import fault_handler_stderr_fd_key
from pytest_timeout import Settings


@pytest.hookimpl(wrapper=True, tryfirst=True)
def pytest_runtest_setup(item: pytest.Item) -> Generator[None]:
    """End the process, with all stacks, after twice as long as the test may take."""
    marker = item.get_closest_marker("timeout")
    _end_after(2 * (float(marker.args[0]) if marker else _limit(item.config)), item)
    return (yield)


@pytest.hookimpl(wrapper=True)
def pytest_runtest_teardown(item: pytest.Item) -> Generator[None]:
    """Fail after as long as a test may take; end the process where even that hangs."""
    limit = _limit(item.config)
    settings = Settings(limit, "signal", False, False)
    item.ihook.pytest_timeout_cancel_timer(item=item)
    item.ihook.pytest_timeout_set_timer(item=item, settings=settings)
    _end_after(2 * limit, item)
    result = yield
    faulthandler.cancel_dump_traceback_later()
    return result


@pytest.hookimpl(trylast=True)
def pytest_unconfigure(config: pytest.Config) -> None:
    """End the process where a thread that was left holds it up."""
    _end_after(2 * _limit(config))


def _limit(config: pytest.Config) -> float:
    return float(config.getini("timeout"))


def _end_after(seconds: float, item: pytest.Item | None = None) -> None:
    # While tests run their output is caught, and faulthandler has kept the real one.
    stderr = item.config.stash[fault_handler_stderr_fd_key] if item else sys.__stderr__
    assert stderr is not None
    faulthandler.dump_traceback_later(seconds, file=stderr, exit=True)
