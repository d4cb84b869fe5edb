"""The groups that a component brings to its page, and what of them is granted."""

from __future__ import annotations

from collections.abc import Iterator, Sequence, Set

from sse_components import runtime
from sse_components.components.base import ReactiveComponent
from sse_components.components.page import Page
from sse_components.components.state import State
from sse_components.errors import InvalidGroup
from sse_components.events import is_pattern, is_subscribable
from sse_components.groups import wire_name

Names = str | Sequence[str] | None


def groups(
    page: Page, component: ReactiveComponent, state: State, from_page: Set[str]
) -> list[str]:
    """Return what a component listens to, having it granted.

    `from_page` names the public properties whose values are the browser's: a group
    that was made of them is granted only if it would be when asked for by name.
    """
    component.watch = component.watch.fresh()
    wanted = state.subscribe or component.get_subscription()
    names = list(_subscribed(page, state.name, wanted))
    return _granted(page, component, names, from_page)


def covers(
    page: Page, component: ReactiveComponent, state: State, from_page: Set[str]
) -> list[str]:
    """Return the patterns over what is inside a component, granted as `groups` does."""
    component.watch = component.watch.fresh()
    names = list(_covered(page, state.name, component.get_covers()))
    return _granted(page, component, names, from_page)


def _granted(
    page: Page, component: ReactiveComponent, names: list[str], from_page: Set[str]
) -> list[str]:
    ours = not component.watch.reads & from_page
    allowed, _ = runtime.policy().allowed_here(page.visitor, names, rendered=ours)
    page.add(allowed, rendered=ours)
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
