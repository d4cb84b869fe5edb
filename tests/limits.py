"""A plugin of pytest: what is torn down after a failure has a limit of its own.

pytest-timeout and faulthandler both take a failure for the beginning of a debugging
session and forget their limits, so a fixture that waits for ever would hold up the run
for ever, and without a word.
"""

from __future__ import annotations

import faulthandler
from collections.abc import Generator

import pytest
from _pytest.faulthandler import fault_handler_stderr_fd_key
from pytest_timeout import Settings


@pytest.hookimpl(wrapper=True)
def pytest_runtest_teardown(item: pytest.Item) -> Generator[None]:
    """Fail after as long as a test may take; end the process where even that hangs."""
    limit = float(item.config.getini("timeout"))
    settings = Settings(limit, "signal", False, False)
    item.ihook.pytest_timeout_cancel_timer(item=item)
    item.ihook.pytest_timeout_set_timer(item=item, settings=settings)
    stderr = item.config.stash[fault_handler_stderr_fd_key]
    faulthandler.dump_traceback_later(2 * limit, file=stderr, exit=True)
    return (yield)
