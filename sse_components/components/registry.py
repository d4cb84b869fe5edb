"""Components by name, found in every app's `components`."""

from __future__ import annotations

from importlib import import_module
from pkgutil import walk_packages
from typing import TYPE_CHECKING, Final

from django.apps import apps
from django.utils.module_loading import module_has_submodule

if TYPE_CHECKING:
    from sse_components.components.base import ReactiveComponent

_OURS: Final = "sse_components"
_WHERE: Final = "components"

_classes: list[type[ReactiveComponent]] = []


class UnknownComponent(LookupError):
    """There is no component of that name."""


def add(component: type[ReactiveComponent]) -> None:
    """Remember a class; one without a template of its own is a base for others."""
    _classes.append(component)


def discover() -> None:
    """Import the `components` of every app: a module, or a package with all in it."""
    for config in apps.get_app_configs():
        name = f"{config.name}.{_WHERE}"
        if config.name != _OURS and module_has_submodule(config.module, _WHERE):
            folders = getattr(import_module(name), "__path__", ())
            for found in walk_packages(folders, f"{name}."):
                import_module(found.name)


def name_of(component: type[ReactiveComponent]) -> str:
    """Return a component's name, `app_label.ClassName`."""
    config = apps.get_containing_app_config(component.__module__)
    label = config.label if config else component.__module__.partition(".")[0]
    return f"{label}.{component.__name__}"


def find(name: str) -> type[ReactiveComponent]:
    """Return the component of a name; raises `UnknownComponent`."""
    last = name.rpartition(".")[2]
    named = [c for c in _classes if c.__name__ == last and name_of(c) == name]
    if named:
        return max(reversed(named), key=_renders)  # the first of the largest
    raise UnknownComponent(f"There is no component {name!r}.")


def duplicates() -> list[str]:
    """Return the names that more than one component has."""
    names = [name_of(component) for component in all_components()]
    return sorted({name for name in names if names.count(name) > 1})


def all_components() -> list[type[ReactiveComponent]]:
    """Return every component that has something to render."""
    return [component for component in _classes if _renders(component)]


def _renders(component: type[ReactiveComponent]) -> bool:
    return component.template is not None or bool(component.template_name)
