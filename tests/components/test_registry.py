from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from pytest_django import Settings

from project.demo.components import NewsTicker as DemoTicker
from sse_components import ReactiveComponent
from sse_components.components import registry
from sse_components.components.registry import UnknownComponent


class Registered(ReactiveComponent):
    template = "<p></p>"


class Abstract(ReactiveComponent):
    """Has no template: it is a base for others."""


NAMES = ["Registered", "Bare", "Bare"]


@pytest.fixture
def _registry_of_its_own(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(registry, "_classes", list(registry._classes))


# A17
def test_a_component_of_an_app_is_known_without_any_registration() -> None:
    assert registry.name_of(DemoTicker) == "demo.NewsTicker"
    assert registry.find("demo.NewsTicker") is DemoTicker


def test_a_component_outside_apps_has_the_name_of_its_package() -> None:
    assert registry.find("tests.Registered") is Registered


@pytest.mark.parametrize(
    "name",
    [
        "tests.Missing",
        "other.Registered",
        "Registered",
        "registered",
        "tests.registered",
        "",
        ".",
        "tests.Registered.",
        "sse_components.components.base.ReactiveComponent",
        "sse_components.ReactiveComponent",
        "__proto__",
    ],
)
def test_any_other_name_is_unknown(name: str) -> None:
    with pytest.raises(UnknownComponent):
        registry.find(name)


@pytest.fixture
def shop(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, settings: Settings
) -> Iterator[Path]:
    """An app that has a folder of components."""
    folder = tmp_path / "corner_shop" / "components"
    (folder / "cart").mkdir(parents=True)
    for package in (folder.parent, folder, folder / "cart"):
        (package / "__init__.py").touch()
    monkeypatch.syspath_prepend(tmp_path)
    settings.INSTALLED_APPS = [*settings.INSTALLED_APPS, "corner_shop"]
    yield folder
    for name in [name for name in sys.modules if name.startswith("corner_shop")]:
        del sys.modules[name]


SOURCE = """
from sse_components import ReactiveComponent

class {name}(ReactiveComponent):
    template = "<p></p>"
"""


# A17
@pytest.mark.usefixtures("_registry_of_its_own")
def test_every_module_in_a_folder_of_components_is_found(shop: Path) -> None:
    (shop / "till.py").write_text(SOURCE.format(name="Till"))
    (shop / "cart" / "item.py").write_text(SOURCE.format(name="Item"))
    registry.discover()
    assert registry.find("corner_shop.Till")
    assert registry.find("corner_shop.Item")
    assert registry.duplicates() == []


@pytest.mark.usefixtures("_registry_of_its_own")
def test_a_module_that_cannot_be_imported_is_an_error(shop: Path) -> None:
    (shop / "till.py").write_text("import nothing_of_that_name")
    with pytest.raises(ModuleNotFoundError, match="nothing_of_that_name"):
        registry.discover()


def test_a_base_has_nothing_to_render() -> None:
    assert Registered in registry.all_components()
    assert Abstract not in registry.all_components()


def test_no_name_is_taken_twice_in_the_project_and_its_tests() -> None:
    assert registry.duplicates() == []


@pytest.mark.usefixtures("_registry_of_its_own")
def test_a_name_that_is_taken_twice_is_told_and_the_later_class_has_it() -> None:
    again = type("Registered", (Registered,), {"__module__": __name__})
    assert registry.duplicates() == ["tests.Registered"]
    assert registry.find("tests.Registered") is again


@pytest.mark.usefixtures("_registry_of_its_own")
def test_a_base_takes_no_name() -> None:
    bases = [
        type(name, (ReactiveComponent,), {"__module__": __name__}) for name in NAMES
    ]
    assert registry.duplicates() == []
    assert registry.find("tests.Registered") is Registered
    assert registry.find("tests.Bare") is bases[-1]


def test_the_class_of_all_components_is_none_itself() -> None:
    assert ReactiveComponent not in registry.all_components()
