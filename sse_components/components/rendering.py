"""A component's HTML: its template, its root, its groups."""

from __future__ import annotations

from collections.abc import Iterable, Set
from typing import Any

from django.core.exceptions import ImproperlyConfigured
from django.db.models import Model
from django.template import Context, Template, engines
from django.template.backends.django import Template as BackendTemplate
from django.template.context import make_context
from django.template.loader import get_template
from django.utils.safestring import SafeString, mark_safe
from django.utils.translation import get_language

from sse_components import runtime, wire
from sse_components.components import registry
from sse_components.components.base import ReactiveComponent
from sse_components.components.markup import NotOneRoot, with_attributes
from sse_components.components.page import Page
from sse_components.components.public import Watch
from sse_components.components.state import State
from sse_components.errors import InvalidGroup
from sse_components.events import component_key, is_subscribable
from sse_components.groups import wire_name
from sse_components.operations import encode


def new_state(
    page: Page,
    component: type[ReactiveComponent],
    args: tuple[Any, ...],
    kwargs: dict[str, Any],
    key: object = None,
    subscribe: str | None = None,
) -> State:
    """Return how a component is put on a page, with a key if it needs one."""
    name = registry.name_of(component)
    if key is None:
        models = (value for value in (*args, *kwargs.values()))
        key = next((value.pk for value in models if isinstance(value, Model)), None)
    if key is None:
        page.keys[name] += 1
        key = page.keys[name] if page.keys[name] > 1 else None
    user = page.visitor.user
    return State(
        name=name,
        key=None if key is None else component_key(key),
        args=args,
        kwargs=kwargs,
        subscribe=subscribe,
        user=None if user is None else str(user.pk),
        language=get_language(),
    )


def render(
    page: Page,
    component: ReactiveComponent,
    state: State,
    from_page: Set[str] = frozenset(),
) -> SafeString:
    """Render a component that is loaded.

    `from_page` names the public properties whose values are the browser's: a group
    that was made of them is granted only if it would be when asked for by name.
    """
    component.watch = Watch()
    template = _template(type(component))
    output: str = template.render(_context(page, component)).strip()
    rendered = component.watch.reads
    component.watch = Watch()
    groups = list(_groups(page, component, state))
    ours = not component.watch.reads & from_page
    allowed, _ = runtime.policy().allowed_here(page.visitor, groups, rendered=ours)
    page.add(allowed, rendered=ours)
    id = state.name if state.key is None else f"{state.name}:{state.key}"
    attributes = {
        "data-sse-component": state.name,
        "data-sse-id": id,
        "data-sse-key": state.key or "",
        "data-sse-groups": _json(groups),
        "data-sse-rendered": " ".join(sorted(rendered)),
        "data-sse-props": _json(component.props),
        "data-sse-listen": _json(_listeners(component)),
        "data-sse-methods": " ".join(component.public_methods()),
        "data-sse-state": state.signed(),
        "data-sse-position": str(page.position),
        "key": id,
        "x-data": "sse",
    }
    try:
        html = mark_safe(with_attributes(output, attributes))  # noqa: S308  # rendered
    except NotOneRoot as error:
        raise ImproperlyConfigured(
            f"The template of {state.name} must render one element, but {error}."
        ) from None
    page.components += 1
    return html


class _Names(dict[str, Any]):
    """A layer of a context: a component's names, asked for when needed."""

    def __init__(self, component: ReactiveComponent) -> None:
        super().__init__(component=component)
        self._component = component
        self._public = component.public_properties()

    def __contains__(self, name: object) -> bool:
        return (
            super().__contains__(name)
            or name in self._public
            or name in vars(self._component)
        )

    def __getitem__(self, name: str) -> Any:
        if super().__contains__(name):
            return super().__getitem__(name)
        return getattr(self._component, name)


def _context(page: Page, component: ReactiveComponent) -> Context:
    context = make_context({}, page.request)
    context.dicts.append(_Names(component))  # over the context processors' names
    return context


def _template(component: type[ReactiveComponent]) -> Template:
    if component.template is not None:
        engine = engines["django"]
        template = engine.from_string(component.template)
    elif component.template_name:
        template = get_template(component.template_name)
    else:
        raise ImproperlyConfigured(
            f"{registry.name_of(component)} has neither template nor template_name."
        )
    assert isinstance(template, BackendTemplate)
    inner: Template = template.template
    return inner


def _groups(page: Page, component: ReactiveComponent, state: State) -> Iterable[str]:
    wanted = state.subscribe or component.get_subscription() or []
    for name in dict.fromkeys([wanted] if isinstance(wanted, str) else wanted):
        if name in ("session", "user"):
            if own := page.own_group(name):
                yield own
            continue
        group = wire_name(name) if isinstance(name, str) else name
        if not is_subscribable(group) or not page.may_have(group):
            raise InvalidGroup(
                f"{state.name} can't subscribe to {group!r}: it is not a group, or it "
                'is reserved. "session" and "user" stand for the visitor\'s own.'
            )
        yield group


def _listeners(component: ReactiveComponent) -> dict[str, str]:
    return {
        event_name: name
        for name, method in component.public_methods().items()
        for event_name in method.listens
    }


def _json(value: object) -> str:
    return wire.dumps(value, encode).decode()
