from __future__ import annotations

import pytest

from project.demo.components import NewsTicker as DemoTicker
from sse_components import ReactiveComponent
from sse_components.components import registry
from sse_components.components.registry import UnknownComponent


class Registered(ReactiveComponent):
    template = "<p></p>"


class Abstract(ReactiveComponent):
    """Has no template: it is a base for others."""


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


def test_a_base_has_nothing_to_render() -> None:
    assert Registered in registry.all_components()
    assert Abstract not in registry.all_components()


def test_no_name_is_taken_twice_in_the_project_and_its_tests() -> None:
    assert registry.duplicates() == []


@pytest.mark.usefixtures("_registry_of_its_own")
def test_a_name_that_is_taken_twice_is_told_and_the_later_class_has_it() -> None:
    again = type("Registered", (ReactiveComponent,), {"__module__": __name__})
    assert registry.duplicates() == ["tests.Registered"]
    assert registry.find("tests.Registered") is again


def test_the_class_of_all_components_is_none_itself() -> None:
    assert ReactiveComponent not in registry.all_components()
