"""A component is made anew for each render: what it is given, and what it keeps.

And it is made as it would be without the browser, to tell whose choice its groups are.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from copy import deepcopy
from dataclasses import replace
from functools import cached_property
from typing import Any

from sse_components.components.base import OURS, ReactiveComponent
from sse_components.components.packing import is_packable
from sse_components.components.page import Page
from sse_components.components.state import Own, State


def made(
    component: type[ReactiveComponent], page: Page, state: State
) -> ReactiveComponent:
    """Return a component with what it has kept."""
    instance = component(page.request, page.path)
    instance.watch.writes = {
        name
        for name in instance.watch.writes
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
        if not name.startswith("_") and name not in component.public_properties()
    }


class Given:
    """What of a component is the browser's choice, and how it would be without."""

    def __init__(
        self,
        page: Page,
        component: ReactiveComponent,
        state: State,
        props: Mapping[str, Any],
    ) -> None:
        self._page = page
        self._component = component
        self._state = state
        self._props = props
        """The public properties whose values are the browser's."""

    @property
    def touched(self) -> bool:
        """Whether the component may be another than it would be without."""
        return (
            self._state.touched
            or self._state.own is not None
            or not self._component.watch.ever.isdisjoint(self._props)
        )

    @cached_property
    def without(self) -> ReactiveComponent | None:
        """The component as the server alone would have it; None if it can't be."""
        own = self._state.own or self._state
        kept = {} if self._state.touched else self._state.attributes
        state = replace(self._state, args=own.args, kwargs=own.kwargs)
        try:
            state = replace(state, attributes=deepcopy(kept))
            component = made(type(self._component), self._page, state)
            load(component, state)
        except Exception:  # whatever it raises, nothing of it is shown
            return None
        return component

    def names(
        self, own: Callable[[ReactiveComponent, State | Own], Iterable[str]]
    ) -> set[str]:
        """Return the groups that the server alone would have found."""
        if self.without is None:
            return set()
        try:
            return set(own(self.without, self._state.own or self._state))
        except Exception:  # as above
            return set()

    def has(self, value: object, *, in_loop: bool) -> bool:
        """Whether a value is the browser's, or a text with one in it.

        What a loop goes over may be chosen by the browser: only what is in lists of
        the browser's is its own then.
        """
        return any(
            value in _members(given) or (not in_loop and _is_in(given, value))
            for given in self._values()
        )

    def _values(self) -> Iterator[Any]:
        yield from self._props.values()
        if self._state.own is not None:
            yield from (*self._state.args, *self._state.kwargs.values())
        own = {} if self.without is None else vars(self.without)
        for name, value in vars(self._component).items():
            if name in OURS:
                continue
            if name not in self._component.watch.loaded:
                is_given = self._state.touched
            else:  # a text that differs is made of the browser's, a list is chosen
                is_given = isinstance(value, str) and value != own.get(name)
            if is_given:
                yield value


def _members(given: object) -> list[object]:
    match given:
        case dict():
            return [*given, *given.values()]
        case list() | tuple() | set() | frozenset():
            return list(given)
    return []


def _is_in(given: object, value: object) -> bool:
    if given is None or isinstance(given, bool) or given == "":
        return False
    text = str(given)
    return value == given or (text in value if isinstance(value, str) else False)
