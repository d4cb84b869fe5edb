from __future__ import annotations

import os
import subprocess
import sys

import pytest

from tests.servers import ROOT

SHOW = "from django.conf import settings as s; print(s.DEBUG, repr(s.SSE_API_KEY))"


def _settings(**variables: str) -> str:
    """Return what the project makes of its environment, or why nothing."""
    environment = {
        name: value
        for name, value in os.environ.items()
        if not name.startswith(("SSE_", "DEBUG", "SECRET_KEY", "ALLOWED"))
    }
    environment |= {"DJANGO_SETTINGS_MODULE": "project.settings"} | variables
    done = subprocess.run(
        [sys.executable, "-c", SHOW],
        cwd=ROOT,
        env=environment,
        capture_output=True,
        text=True,
        check=False,
    )
    return (done.stdout or done.stderr).strip()


def test_the_demo_needs_no_environment() -> None:
    assert _settings() == "True 'demo-key'"


@pytest.mark.parametrize("off", ["0", "False", "FALSE", "no", "off", ""])
def test_debug_can_be_turned_off_in_any_spelling(off: str) -> None:
    assert _settings(DEBUG=off, SECRET_KEY="x") == "False ''"


def test_a_debug_that_says_neither_is_refused() -> None:
    assert "DEBUG=maybe is neither true nor false" in _settings(DEBUG="maybe")


def test_without_debug_a_secret_key_is_needed() -> None:
    assert "SECRET_KEY has to be set" in _settings(DEBUG="0")


@pytest.mark.parametrize(
    "name", ["SSE_HISTORY_SIZE", "SSE_HISTORY_SECONDS", "SSE_API_RATE"]
)
def test_a_variable_that_is_no_number_is_named(name: str) -> None:
    assert f"{name}=abc is not a number" in _settings(**{name: "abc"})
