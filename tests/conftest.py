"""Fixtures for all tests, and what is decided when they are collected."""

from __future__ import annotations

import inspect
import json
from collections.abc import Iterator
from pathlib import Path

import hypothesis
import pytest

from sse_components import bundles, runtime

hypothesis.settings.register_profile("shared-machine", deadline=None)
hypothesis.settings.load_profile("shared-machine")


@pytest.fixture(autouse=True)
def _no_runtime_is_left() -> Iterator[None]:
    yield
    runtime.reset()


@pytest.fixture
def built(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A folder with a browser client that was built, or so it seems."""
    manifest = {"sse-components.js": "sse-components-ABC123.js"}
    (tmp_path / "manifest.json").write_text(json.dumps(manifest))
    (tmp_path / "sse-components-ABC123.js").write_text("// the client")
    monkeypatch.setattr(bundles, "FOLDERS", [tmp_path / "missing", tmp_path])
    caches = bundles.folder, bundles.file_name, bundles._contents
    for cache in caches:
        cache.cache_clear()
    yield tmp_path
    for cache in caches:
        cache.cache_clear()


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """A transaction around an async test doesn't cover its other threads."""
    for item in items:
        marker = item.get_closest_marker("django_db")
        asynchronous = inspect.iscoroutinefunction(getattr(item, "obj", None))
        if marker and asynchronous and not marker.kwargs.get("transaction"):
            raise pytest.UsageError(f"{item.nodeid}: use django_db(transaction=True)")
