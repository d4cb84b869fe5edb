"""{% component %}, {% live %}, {% sse_scripts %} and {% sse_client_url %}."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, Final

from django import template
from django.core.exceptions import ImproperlyConfigured
from django.db.models import Model
from django.http import HttpRequest
from django.template.base import (
    FilterExpression,
    Node,
    Parser,
    Token,
    Variable,
    token_kwargs,
)
from django.template.context import Context
from django.utils.html import format_html
from django.utils.safestring import SafeString, mark_safe

from sse_components import bundles
from sse_components.components import making, registry
from sse_components.components.base import ReactiveComponent
from sse_components.components.packing import is_packable
from sse_components.components.page import page_of
from sse_components.components.public import Watch
from sse_components.components.rendering import (
    ComponentNames,
    enclosing,
    new_state,
    render,
)
from sse_components.components.state import Own
from sse_components.middleware import PLACEHOLDER

_BROWSERS: Final = object()
"""Stands for a value of the browser's, where the server has none."""

register = template.Library()


@register.tag
def component(parser: Parser, token: Token) -> Node:
    """Render a component: {% component "app.Class" row key="x" subscribe="group" %}."""
    _, *bits = token.split_contents()
    target = bits[-1] if bits[-2:-1] == ["as"] else None
    if target is not None:
        del bits[-2:]
    given: dict[int | str, FilterExpression] = {}
    for number, bit in enumerate(bits):
        named: dict[str, FilterExpression] = token_kwargs([bit], parser)
        if given.keys() & named or (not named and any(map(_is_named, given))):
            raise template.TemplateSyntaxError(
                f"{{% component %}} can't take {bit} there: each name is given once, "
                "and what has none stands before what has one."
            )
        if named:
            given.update(named)
        else:
            given[number] = parser.compile_filter(bit)
    if 0 not in given:
        raise template.TemplateSyntaxError(
            'The first argument is the component: {% component "app.Class" %}.'
        )
    return _Component(given, target)


class _Component(Node):
    def __init__(
        self, given: dict[int | str, FilterExpression], target: str | None
    ) -> None:
        self._name = given.pop(0)
        self._given = given
        self._target = target

    def render(self, context: Context) -> SafeString:
        page = page_of(_request(context))
        page.locate()
        found = registry.find(self._name.resolve(context))
        values = {
            place: expression.resolve(context)
            for place, expression in self._given.items()
        }
        given, own = _divided(values), self._own(context, values)
        state = new_state(
            page,
            found,
            given.args,
            dict(given.kwargs),
            values.get("key"),
            given.subscribe,
            None if own == given else own,
        )
        instance = making.made(found, page, state)
        making.load(instance, state)
        html = render(page, instance, state)
        if self._target is None:
            return html
        context[self._target] = html
        return SafeString()

    def _own(self, context: Context, values: Mapping[int | str, Any]) -> Own | None:
        """Return what would be given without the browser's values, if it may differ."""
        around = enclosing.get()
        if around is None or not around.given.touched:
            return None
        with around.without_given():
            own = {
                place: _without(around, context, self._given[place], value)
                for place, value in values.items()
            }
        return _divided(own)


def _is_named(place: int | str) -> bool:
    return isinstance(place, str)


def _request(context: Context) -> HttpRequest:
    request = getattr(context, "request", None) or context.get("request")
    request = getattr(request, "_request", request)  # that of Django REST framework
    if not isinstance(request, HttpRequest):
        raise ImproperlyConfigured(
            "{% component %} needs the request in the context: render(request, ...), "
            "and the context processor django.template.context_processors.request."
        )
    return request


def _divided(values: Mapping[int | str, Any]) -> Own:
    args, kwargs = [], {}
    for place, value in values.items():
        if isinstance(place, int):
            args.append(value)
        elif place not in ("key", "subscribe") and value is not _BROWSERS:
            kwargs[place] = value
    if _BROWSERS in args:
        del args[args.index(_BROWSERS) :]
    subscribe = values.get("subscribe")
    if subscribe is _BROWSERS:
        subscribe = None
    if not isinstance(subscribe, str | None):
        subscribe = list(subscribe)
    return Own(tuple(args), kwargs, subscribe)


def _without(
    around: ComponentNames, context: Context, expression: FilterExpression, value: Any
) -> Any:
    if isinstance(value, Model):  # whoever is shown a row may follow it
        return value
    layers = list(_bound(around, context, expression))
    in_loop = all("forloop" in layer for layer in layers)
    if layers and around.given.has(value, in_loop=in_loop):
        return _BROWSERS
    own = expression.resolve(context)
    return own if is_packable(own) else _BROWSERS


def _bound(
    around: ComponentNames, context: Context, expression: FilterExpression
) -> Iterator[Mapping[Any, Any]]:
    """Find where tags of the template have set what an expression names."""
    variables = [expression.var]
    for _, arguments in expression.filters:
        variables += [value for is_variable, value in arguments if is_variable]
    for variable in variables:
        if not isinstance(variable, Variable) or not variable.lookups:
            continue
        name = variable.lookups[0]
        for layer in reversed(context.dicts):
            if name in layer and (layer is not around or around.binds(name)):
                yield layer
                break
            if layer is around:  # what is below is of the context processors
                break


@register.simple_tag(takes_context=True)
def sse_scripts(context: Context) -> SafeString:
    """Mark where the script goes, if the page turns out to have a component."""
    return PLACEHOLDER


@register.simple_tag
def sse_client_url() -> str:
    """Return where the transport client is, for pages that import it themselves."""
    return bundles.address(bundles.ALONE)


@register.tag
def live(parser: Parser, token: Token) -> Node:
    """Show a public property in a way that the page updates without asking."""
    parts = token.split_contents()
    if len(parts) != 2 or not parts[1].isidentifier():
        raise template.TemplateSyntaxError(
            "{% live %} takes the name of one public property: {% live headline %}."
        )
    return _Live(parts[1])


class _Live(Node):
    def __init__(self, name: str) -> None:
        self._name = name

    def render(self, context: Context) -> SafeString:
        component = context.get("component")
        if (
            not isinstance(component, ReactiveComponent)
            or self._name not in component.public_properties()
        ):
            raise template.TemplateSyntaxError(
                f"{{% live {self._name} %}}: the component has no such public property."
            )
        # The page follows by itself, so this isn't a reason to fetch the HTML.
        watch, component.watch = component.watch, Watch()
        value = getattr(component, self._name)
        component.watch = watch
        return format_html('<span x-text="{}">{}</span>', mark_safe(self._name), value)  # noqa: S308  # an identifier
