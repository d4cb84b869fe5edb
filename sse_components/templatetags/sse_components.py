"""{% component %}, {% live %} and {% sse_scripts %}."""

from __future__ import annotations

from typing import Any

from django import template
from django.core.exceptions import ImproperlyConfigured
from django.http import HttpRequest
from django.template.base import Node, Parser, Token
from django.template.context import Context
from django.utils.html import format_html
from django.utils.safestring import SafeString, mark_safe

from sse_components.components import making, registry
from sse_components.components.base import ReactiveComponent
from sse_components.components.page import page_of
from sse_components.components.public import Watch
from sse_components.components.rendering import new_state, render
from sse_components.components.subscribing import Names
from sse_components.middleware import PLACEHOLDER

register = template.Library()


@register.simple_tag(takes_context=True)
def component(
    context: Context,
    name: str,
    *args: Any,
    key: object = None,
    subscribe: Names = None,
    **kwargs: Any,
) -> SafeString:
    """Render a component: {% component "app.Class" row key="x" subscribe="group" %}."""
    request = context.get("request")
    if not isinstance(request, HttpRequest):
        raise ImproperlyConfigured(
            "{% component %} needs the request in the context: render(request, ...), "
            "and the context processor django.template.context_processors.request."
        )
    page = page_of(request)
    page.locate()
    found = registry.find(name)
    state = new_state(page, found, args, kwargs, key, subscribe)
    instance = making.made(found, page, state)
    making.load(instance, state)
    return render(page, instance, state)


@register.simple_tag(takes_context=True)
def sse_scripts(context: Context) -> SafeString:
    """Mark where the script goes, if the page turns out to have a component."""
    return PLACEHOLDER


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
