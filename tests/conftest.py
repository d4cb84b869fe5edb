"""Fixtures for all tests, and what is decided when they are collected."""

from __future__ import annotations

import inspect
from collections.abc import Iterator

import hypothesis
import pytest

from sse_components import runtime

hypothesis.settings.register_profile("shared-machine", deadline=None)
hypothesis.settings.load_profile("shared-machine")


@pytest.fixture(autouse=True)
def _no_runtime_is_left() -> Iterator[None]:
    yield
    runtime.reset()


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """A transaction around an async test doesn't cover its other threads."""
    for item in items:
        marker = item.get_closest_marker("django_db")
        asynchronous = inspect.iscoroutinefunction(getattr(item, "obj", None))
        if marker and asynchronous and not marker.kwargs.get("transaction"):
            raise pytest.UsageError(f"{item.nodeid}: use django_db(transaction=True)")
