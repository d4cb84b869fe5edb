"""A component's HTML: its template, its root, its groups."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import replace
from functools import cache, lru_cache
from typing import Any, Final

from django.core.exceptions import ImproperlyConfigured
from django.db.models import Model
from django.template import Context, Template, TemplateDoesNotExist, engines
from django.template.backends.django import DjangoTemplates
from django.template.backends.django import Template as BackendTemplate
from django.template.context import make_context
from django.utils.safestring import SafeString, mark_safe
from django.utils.translation import get_language

from sse_components.components import jsonable, registry, subscribing
from sse_components.components.base import ReactiveComponent, values_of
from sse_components.components.making import Given, kept
from sse_components.components.markup import NotOneRoot, with_attributes
from sse_components.components.methods import watched_arguments
from sse_components.components.page import Page
from sse_components.components.state import Own, State
from sse_components.components.subscribing import Names
from sse_components.components.surroundings import zone

PARSED: Final = 512
"""Templates that stand in classes and are parsed once."""


def new_state(
    page: Page,
    component: type[ReactiveComponent],
    args: tuple[Any, ...],
    kwargs: dict[str, Any],
    key: object = None,
    subscribe: Names = None,
    own: Own | None = None,
) -> State:
    """Return how a component is put on a page, with a key if it needs one."""
    name = registry.name_of(component)
    if key is None:
        models = (value for value in (*args, *kwargs.values()))
        key = next((value.pk for value in models if isinstance(value, Model)), None)
    user = page.visitor.user
    return State(
        name=name,
        key=page.keys.number(name) if key is None else page.keys.own(name, key),
        args=args,
        kwargs=kwargs,
        subscribe=subscribe if isinstance(subscribe, str | None) else list(subscribe),
        user=None if user is None else str(user.pk),
        language=get_language(),
        zone=zone(),
        own=own,
    )


def render(
    page: Page,
    component: ReactiveComponent,
    state: State,
    from_page: Mapping[str, Any] | None = None,
) -> SafeString:
    """Render a component that is loaded.

    `from_page` has the public properties whose values are the browser's.
    """
    state = replace(state, attributes=kept(component))  # before the template sets any
    given = Given(page, component, state, from_page or {})
    names = ComponentNames(component, given)
    component.watch = component.watch.fresh()
    with page.keys.inside(state.name) as counted, _inside(names):
        output = template_of(type(component)).render(_context(page, names)).strip()
    rendered = component.watch.reads
    groups = subscribing.groups(page, component, state, given)
    covers = subscribing.covers(page, component, state, given)
    signed = replace(state, counted=counted).signed()
    id = state.name if state.key is None else f"{state.name}:{state.key}"
    root = {
        "data-sse-component": state.name,
        "data-sse-id": id,
        "data-sse-key": state.key or "",
        "data-sse-groups": jsonable.text(groups),
        **({"data-sse-covers": jsonable.text(covers)} if covers else {}),
        "data-sse-rendered": " ".join(sorted(rendered)),
        "data-sse-props": jsonable.text(values_of(component)),
        **_calls(type(component)),  # type: ignore[arg-type]  # classes are hashable
        "data-sse-state": signed,
        "data-sse-position": str(page.position),
        "key": id,
        "x-data": "sse",
    }
    try:
        html = mark_safe(with_attributes(output, root))  # noqa: S308  # rendered
    except NotOneRoot as error:
        raise ImproperlyConfigured(
            f"The template of {state.name} must render one element, but {error}."
        ) from None
    page.components += 1
    return html


@cache
def _calls(component: type[ReactiveComponent]) -> dict[str, str]:
    """Return what the page is told of a component's public methods."""
    listens: dict[str, list[str]] = {}
    watches: dict[str, dict[str, int]] = {}
    paces: dict[str, dict[str, int]] = {}
    for name, method in component.public_methods().items():
        pace = {"debounce": method.debounce, "throttle": method.throttle}
        paces[name] = {word: ms for word, ms in pace.items() if ms is not None}
        for event_name in method.listens:
            listens.setdefault(event_name, []).append(name)
        for prop in method.watches:
            count = watched_arguments(getattr(component, name))
            watches.setdefault(prop, {})[name] = count
    told = {"data-sse-listen": listens, "data-sse-methods": paces}
    if watches:
        told |= {"data-sse-watch": watches}
    return {name: jsonable.text(value) for name, value in told.items()}


class ComponentNames(dict[str, Any]):
    """A layer of a context: a component's names, asked for when needed."""

    def __init__(self, component: ReactiveComponent, given: Given) -> None:
        super().__init__()
        self.given = given
        self._component: ReactiveComponent | None = component

    def __contains__(self, name: object) -> bool:
        return self.binds(name) or self._has(str(name))

    def __getitem__(self, name: str) -> Any:
        if self.binds(name):
            return super().__getitem__(name)
        return (
            self._component if name == "component" else getattr(self._component, name)
        )

    def binds(self, name: object) -> bool:
        """Whether a tag of the template has set a name."""
        return super().__contains__(name)

    @contextmanager
    def without_given(self) -> Iterator[None]:
        """Be those of the component as it would be without what the browser gives."""
        component, self._component = self._component, self.given.without
        try:
            yield
        finally:
            self._component = component

    def _has(self, name: str) -> bool:
        if self._component is None or name.startswith("_"):
            return False
        if name == "component" or name in vars(self._component):
            return True
        kind = type(self._component)
        return hasattr(kind, name) and not hasattr(ReactiveComponent, name)


enclosing: Final[ContextVar[ComponentNames | None]] = ContextVar(
    "enclosing", default=None
)
"""The names of the component whose template is being rendered."""


@contextmanager
def _inside(names: ComponentNames) -> Iterator[None]:
    token = enclosing.set(names)
    try:
        yield
    finally:
        enclosing.reset(token)


def _context(page: Page, names: ComponentNames) -> Context:
    context = make_context({}, page.request)
    context.dicts.append(names)  # over the context processors' names
    return context


def template_of(component: type[ReactiveComponent]) -> Template:
    """Return what a component renders, of the first engine of Django's that has it.

    Raises `ImproperlyConfigured` where there is none, `TemplateDoesNotExist` and
    `TemplateSyntaxError`.
    """
    found = [one for one in engines.all() if isinstance(one, DjangoTemplates)]
    if not found:
        raise ImproperlyConfigured("Components need DjangoTemplates in TEMPLATES.")
    if component.template is not None:
        return _parsed(found[0], component.template)
    if not component.template_name:
        raise ImproperlyConfigured(
            f"{registry.name_of(component)} has neither template nor template_name."
        )
    return _by_name(found, component.template_name)


def _by_name(among: Sequence[DjangoTemplates], name: str) -> Template:
    missing = []
    for engine in among:
        try:
            return _inner(engine.get_template(name))
        except TemplateDoesNotExist as error:
            missing.append(error)
    raise TemplateDoesNotExist(name, chain=missing)


@lru_cache(PARSED)
def _parsed(engine: DjangoTemplates, source: str) -> Template:
    return _inner(engine.from_string(source))


def _inner(template: Any) -> Template:
    assert isinstance(template, BackendTemplate)
    inner: Template = template.template
    return inner
