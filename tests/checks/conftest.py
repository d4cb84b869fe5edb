"""Fixtures: what is registered."""

from __future__ import annotations

import pytest

from sse_components.components import registry


@pytest.fixture(autouse=True)
def _only_the_demo_is_there(monkeypatch: pytest.MonkeyPatch) -> None:
    """Other tests have components that are wrong on purpose."""
    demo = [one for one in registry._classes if one.__module__.startswith("project.")]
    monkeypatch.setattr(registry, "_classes", demo)


@pytest.fixture
def _no_component_is_there(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(registry, "_classes", [])
