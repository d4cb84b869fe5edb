from __future__ import annotations

import resource
from collections.abc import Iterator

import pytest
from pytest_django import Settings

from sse_components.doctor.files import findings
from sse_components.doctor.findings import Level
from tests.doctor.told import levels, worst

LIMIT = 2000


@pytest.fixture(autouse=True)
def _few_files_may_be_open() -> Iterator[None]:
    before, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (LIMIT, most))
    yield
    resource.setrlimit(resource.RLIMIT_NOFILE, (before, most))


def test_files_for_all_streams_are_enough(settings: Settings) -> None:
    settings.SSE_COMPONENTS = {"MAX_STREAMS": LIMIT - 200}
    assert levels(findings()) == {"open files": Level.OK}


def test_fewer_files_than_streams_are_a_warning(settings: Settings) -> None:
    settings.SSE_COMPONENTS = {"MAX_STREAMS": LIMIT - 199}
    fault = worst(findings())
    assert fault.level is Level.WARNING
    assert f"may have {LIMIT} open" in fault.text
    assert f"LimitNOFILE={LIMIT + 1}" in fault.cure
