"""A plugin of pytest: a test that hangs is ended, whatever it hangs in.

pytest-timeout fails a test that takes too long, once. A search by hypothesis takes that
for one more failure, and goes on without an end. And pytest-timeout and faulthandler
both take a failure for the beginning of a debugging session and forget their limits, so
what is torn down after it may wait for ever. Either would hold up the run, without a
word.
"""

from __future__ import annotations

import faulthandler
from collections.abc import Generator

import pytest
from _pytest.faulthandler import fault_handler_stderr_fd_key
from pytest_timeout import Settings


@pytest.hookimpl(wrapper=True, tryfirst=True)
def pytest_runtest_setup(item: pytest.Item) -> Generator[None]:
    """End the process, with all stacks, after twice as long as the test may take."""
    marker = item.get_closest_marker("timeout")
    _end_after(item, 2 * (float(marker.args[0]) if marker else _limit(item)))
    return (yield)


@pytest.hookimpl(wrapper=True)
def pytest_runtest_teardown(item: pytest.Item) -> Generator[None]:
    """Fail after as long as a test may take; end the process where even that hangs."""
    settings = Settings(_limit(item), "signal", False, False)
    item.ihook.pytest_timeout_cancel_timer(item=item)
    item.ihook.pytest_timeout_set_timer(item=item, settings=settings)
    _end_after(item, 2 * _limit(item))
    result = yield
    faulthandler.cancel_dump_traceback_later()
    return result


def _limit(item: pytest.Item) -> float:
    return float(item.config.getini("timeout"))


def _end_after(item: pytest.Item, seconds: float) -> None:
    stderr = item.config.stash[fault_handler_stderr_fd_key]
    faulthandler.dump_traceback_later(seconds, file=stderr, exit=True)
