"""The groups that a component brings to its page, and what of them is granted."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from inspect import getattr_static
from typing import TYPE_CHECKING

from sse_components import runtime
from sse_components.components.base import ReactiveComponent
from sse_components.components.page import Page
from sse_components.components.state import Own, State
from sse_components.errors import InvalidGroup
from sse_components.events import is_pattern, is_subscribable
from sse_components.groups import wire_name

if TYPE_CHECKING:
    from sse_components.components.making import Given

Names = str | Sequence[str] | None


def groups(
    page: Page, component: ReactiveComponent, state: State, given: Given
) -> list[str]:
    """Return what a component listens to, having it granted.

    A group that it wouldn't have without what the browser has given is granted only if
    it would be when asked for by name.
    """

    def found(component: ReactiveComponent, state: State | Own) -> Iterator[str]:
        wanted = state.subscribe or component.get_subscription()
        return _subscribed(page, name, wanted)

    name = state.name
    component.watch = component.watch.fresh()
    names = list(found(component, state))
    fixed = (
        state.own is None if state.subscribe else _is_fixed(component, "subscription")
    )
    return _granted(page, names, set(names) if fixed else _own(names, given, found))


def covers(
    page: Page, component: ReactiveComponent, state: State, given: Given
) -> list[str]:
    """Return the patterns over what is inside a component, granted as `groups` does."""

    def found(component: ReactiveComponent, state: State | Own) -> Iterator[str]:
        return _covered(page, name, component.get_covers())

    name = state.name
    component.watch = component.watch.fresh()
    names = list(found(component, state))
    fixed = _is_fixed(component, "covers")
    return _granted(page, names, set(names) if fixed else _own(names, given, found))


def _is_fixed(component: ReactiveComponent, attribute: str) -> bool:
    """Whether a class says in so many words what its components listen to."""
    said = getattr_static(type(component), attribute)
    getter = f"get_{attribute}"
    return (
        getattr(type(component), getter) is getattr(ReactiveComponent, getter)
        and getattr(component, attribute) is said
    )


def _own(
    names: list[str],
    given: Given,
    found: Callable[[ReactiveComponent, State | Own], Iterable[str]],
) -> set[str]:
    """Return those of the names that are the server's own choice."""
    return given.names(found) if names and given.touched else set(names)


def _granted(page: Page, names: list[str], own: set[str]) -> list[str]:
    for rendered in (True, False):
        some = [name for name in names if (name in own) is rendered]
        allowed, _ = runtime.policy().allowed_here(
            page.visitor, some, rendered=rendered
        )
        page.add(allowed, rendered=rendered)
    return names


def _subscribed(page: Page, component: str, wanted: Names) -> Iterator[str]:
    for name in _each(wanted):
        if name in ("session", "user"):
            if own := page.own_group(name):
                yield own
            continue
        group = wire_name(name) if isinstance(name, str) else name
        if not is_subscribable(group) or not page.may_have(group):
            raise InvalidGroup(
                f"{component} can't subscribe to {group!r}: it is not a group, or it "
                'is reserved. "session" and "user" stand for the visitor\'s own.'
            )
        yield group


def _covered(page: Page, component: str, wanted: Names) -> Iterator[str]:
    for name in _each(wanted):
        if not is_subscribable(name) or not is_pattern(name) or not page.may_have(name):
            raise InvalidGroup(
                f"{component} can't cover {name!r}: what covers groups is a pattern, "
                "such as demo.todo.*, that is not reserved."
            )
        yield name


def _each(wanted: Names) -> Sequence[str]:
    if not wanted:
        return []
    return list(dict.fromkeys([wanted] if isinstance(wanted, str) else wanted))
