from __future__ import annotations

from pathlib import Path

import pytest

from sse_components import bundles
from sse_components.doctor.bundle import findings
from sse_components.doctor.findings import Level
from tests.doctor.told import levels, worst


def test_a_browser_client_that_is_built_is_well(built: Path) -> None:
    assert levels(findings()) == {"browser client": Level.OK}


def test_one_that_is_not_built_is_an_error(
    built: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(bundles, "FOLDERS", [built / "missing"])
    bundles.folder.cache_clear()
    fault = worst(findings())
    assert fault.level is Level.ERROR
    assert fault.text == "The browser client has not been built."
    assert "make install" in fault.cure
