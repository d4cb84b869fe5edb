from __future__ import annotations

from django.core.checks import CheckMessage, run_checks
from pytest_django import Settings

OURS = "sse_components."


def found() -> list[CheckMessage]:
    return [error for error in run_checks() if str(error.id).startswith(OURS)]


def test_a_valid_project_passes() -> None:
    assert found() == []


def test_a_project_without_the_setting_passes(settings: Settings) -> None:
    del settings.SSE_COMPONENTS
    assert found() == []


def test_an_unknown_key_is_an_error_that_names_the_nearest(
    settings: Settings,
) -> None:
    settings.SSE_COMPONENTS = {"PUBLIC_GROUP": ["news.*"]}
    (error,) = found()
    assert error.id == "sse_components.E001"
    assert error.is_serious()
    assert "'PUBLIC_GROUP'" in error.msg
    assert "'PUBLIC_GROUPS'" in error.msg


def test_each_fault_is_an_error_of_its_own(settings: Settings) -> None:
    settings.SSE_COMPONENTS = {"PREFIX": "sse", "MAX_GROUPS": -1}
    first, second = found()
    assert "PREFIX" in first.msg
    assert "MAX_GROUPS" in second.msg


def test_a_setting_that_is_no_dict_is_an_error(settings: Settings) -> None:
    settings.SSE_COMPONENTS = ["memory://"]
    (error,) = found()
    assert "is a dict" in error.msg
