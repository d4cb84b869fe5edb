from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

import sse_components
from sse_components import asgi, dispatcher

ROOT = Path(__file__).parent.parent


def run(code: str) -> str:
    """Run code in a process that knows of no project."""
    without = {"DJANGO_SETTINGS_MODULE"}
    done = subprocess.run(
        [sys.executable, "-W", "error", "-c", code],
        cwd=ROOT,
        env={name: text for name, text in os.environ.items() if name not in without},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_the_package_exports() -> None:
    assert sse_components.__all__ == [
        "ComponentDispatcher",
        "ReactiveComponent",
        "adisconnect_user",
        "arevoke",
        "disconnect_user",
        "public",
        "revoke",
        "trace",
    ]
    assert sse_components.ComponentDispatcher is dispatcher.ComponentDispatcher
    assert sse_components.ReactiveComponent.__module__.endswith("components.base")
    assert callable(sse_components.public)


def test_the_dispatcher_exports() -> None:
    assert dispatcher.__all__ == ["ComponentDispatcher", "publish_drafts"]


def test_asgi_exports() -> None:
    assert asgi.__all__ == ["Application", "get_asgi_application"]


@pytest.mark.parametrize("door", [sse_components, dispatcher, asgi])
def test_what_is_exported_exists(door: object) -> None:
    for name in getattr(door, "__all__", ()):
        assert getattr(door, name)


def test_the_dispatcher_has_the_same_operations_in_three_forms() -> None:
    operations = {
        "data_changed",
        "component_created",
        "component_removed",
        "notify",
        "publish",
    }
    door = dispatcher.ComponentDispatcher
    assert {name for name in vars(door) if name[0] != "_"} == {
        *operations,
        "sync",
        "on_commit",
    }
    for form in (door.sync, door.on_commit):
        assert {name for name in vars(form) if name[0] != "_"} == operations


def test_a_name_that_is_not_exported_is_an_attribute_error() -> None:
    with pytest.raises(AttributeError, match=r"'sse_components'.*'Dispatcher'"):
        _ = sse_components.Dispatcher


# A12
def test_the_package_imports_without_a_project() -> None:
    code = "import sse_components; print(sse_components.__version__)"
    assert run(code).strip() == sse_components.__version__


def test_the_package_alone_loads_no_django() -> None:
    assert run("import sys, sse_components; print('django' in sys.modules)") == (
        "False\n"
    )


@pytest.mark.parametrize("module", ["hub", "wire", "events", "brokers.memory", "ring"])
def test_the_core_loads_no_django(module: str) -> None:
    code = f"import sys, sse_components.{module}; print('django' in sys.modules)"
    assert run(code) == "False\n"
