"""A component is made anew for each render: what it is given, and what it keeps."""

from __future__ import annotations

from typing import Any, Final

from sse_components.components.base import ReactiveComponent
from sse_components.components.packing import is_packable
from sse_components.components.page import Page
from sse_components.components.state import State

_OURS: Final = frozenset({"request", "page", "client"})


def made(
    component: type[ReactiveComponent], page: Page, state: State
) -> ReactiveComponent:
    """Return a component with what it has kept."""
    instance = component(page.request, page.path)
    instance.watch.writes = {
        name
        for name in instance.watch.writes - _OURS
        if is_packable(vars(instance).get(name))  # `__init__` sets the others anew
    }
    for name, value in state.attributes.items():
        setattr(instance, name, value)
    return instance


def load(component: ReactiveComponent, state: State) -> set[str]:
    """Have a component load, and return the names of what that sets.

    Those aren't kept; what was set before, since the last time, is.
    """
    before = component.watch
    component.watch = before.fresh()
    component.load(*state.args, **state.kwargs)
    loaded = component.watch.writes
    component.watch = before.fresh()
    component.watch.kept |= before.writes
    component.watch.loaded = loaded
    return loaded


def kept(component: ReactiveComponent) -> dict[str, Any]:
    """Return what a component has at its next call without loading it."""
    values, watch = vars(component), component.watch
    return {
        name: values[name]
        for name in sorted(((watch.kept | watch.writes) - watch.loaded) & values.keys())
        if not name.startswith("_")
        and name not in _OURS
        and name not in component.public_properties()
    }
