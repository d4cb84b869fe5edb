"""The class that a component inherits from."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, ClassVar, Final, Self
from urllib.parse import urlsplit

from django.http import HttpRequest
from django.utils.functional import Promise

from sse_components.components import registry
from sse_components.components.methods import PublicMethod, check_kind, method_of
from sse_components.components.public import PublicProperty, Watch

OURS: Final = {
    "request": "the request that it is rendered or called for",
    "page": "path and query of the page it is on",
    "props": "its public properties as a dict",
    "client": "what is to be done in the page after a call",
    "watch": "what is noted of its public properties",
}
"""The attributes that each component is given, and what they are for."""


class Client:
    """What a public method wants done in the page it was called from."""

    def __init__(self) -> None:
        self.actions: list[tuple[Any, ...]] = []

    def dispatch(self, event_name: str, detail: object = None) -> None:
        """Fire an event on the component."""
        self.actions.append(("dispatch", event_name, detail))

    def remove(self) -> None:
        """Take the component off the page."""
        self.actions.append(("remove",))

    @property
    def removes(self) -> bool:
        """Whether there is nothing left to render for."""
        return ("remove",) in self.actions

    def redirect(self, url: str) -> None:
        """Go to another page, here or at another site.

        Raises `ValueError` for what is no address of one.
        """
        address = str(url)
        if not isinstance(url, str | Promise) or not _is_of_a_page(address):
            raise ValueError(
                f"{url!r} is not the address of a page: that is relative, or begins "
                "with http:// or https://."
            )
        self.actions.append(("redirect", address))

    def update(self, **props: object) -> None:
        """Set public properties without rendering."""
        self.actions.append(("update", props))


def _is_of_a_page(address: str) -> bool:
    # Browsers leave out what can't be seen, and find the scheme then (WHATWG URL 4.4).
    seen = "".join(one for one in address if one > " ")
    return urlsplit(seen).scheme in ("", "http", "https")


class ReactiveComponent:
    """A piece of a page that follows what is published to its groups.

    It is known as `app_label.ClassName` and renders `template`, or the file
    `template_name`, which must have one root element. `load()` runs before every
    render, with the arguments of the tag.

    What else is set on it, in a public method or in `__init__`, is there again at the
    next call: JSON's types, dates and times, decimals, UUIDs, enums, models. Not what
    `load()` sets, and nothing whose name begins with _.
    """

    template: ClassVar[str | None] = None
    template_name: ClassVar[str | None] = None
    subscription: str | Sequence[str] | None = None
    """The group or groups that it listens to."""
    covers: str | Sequence[str] | None = None
    """The pattern or patterns over the groups of the components inside it.

    The page hears them with one subscription; the component itself doesn't listen.
    """

    def __init_subclass__(cls, **kwargs: Any) -> None:
        super().__init_subclass__(**kwargs)
        for member in vars(cls).values():
            check_kind(member)
            if method_of(member):  # which a template has no business to call
                member.alters_data = True
        registry.add(cls)

    def __new__(cls, *args: Any, **kwargs: Any) -> Self:
        component = super().__new__(cls)
        component.watch = Watch()  # so that a subclass may set something before ours
        return component

    def __init__(self, request: HttpRequest, page: str) -> None:
        self.watch: Watch
        self.request: HttpRequest
        self.page: str
        """Path and query of the page it is on, also while it is refreshed."""
        self.client: Client
        vars(self).update(request=request, page=page, client=Client())

    def load(self, *args: Any, **kwargs: Any) -> None:
        """Fetch what the template shows."""

    def get_subscription(self) -> str | Sequence[str] | None:
        """Return the group or groups to listen to; `subscription` unless overridden."""
        return self.subscription

    def get_covers(self) -> str | Sequence[str] | None:
        """Return the pattern or patterns over its children; `covers` by default."""
        return self.covers

    @classmethod
    def public_properties(cls) -> dict[str, PublicProperty]:
        """Return the public properties by name."""
        return cls._public()[0]

    @classmethod
    def public_methods(cls) -> dict[str, PublicMethod]:
        """Return the public methods by name."""
        return cls._public()[1]

    @classmethod
    def _public(cls) -> tuple[dict[str, PublicProperty], dict[str, PublicMethod]]:
        found = cls.__dict__.get("_found_public")
        if found is None:
            members = {
                name: vars(owner)[name]
                for owner in reversed(cls.__mro__)
                for name in vars(owner)
            }
            found = (
                {n: m for n, m in members.items() if isinstance(m, PublicProperty)},
                {n: p for n, m in members.items() if (p := method_of(m))},
            )
            cls._found_public = found  # type: ignore[attr-defined]
        return found

    @property
    def props(self) -> dict[str, Any]:
        """The public properties as they are now; a template doesn't follow these."""
        self.watch.ever |= self.watch.given
        return values_of(self)

    if not TYPE_CHECKING:  # who checks types would take any name for an attribute

        def __setattr__(self, name: str, value: object) -> None:
            if name in OURS and not isinstance(value, Watch):
                raise AttributeError(
                    f"{type(self).__name__} can't set self.{name}, which is "
                    f"{OURS[name]}: give it another name."
                )
            super().__setattr__(name, value)
            if name != "watch":
                self.watch.writes.add(name)
                self.watch.given.discard(name)


def values_of(component: ReactiveComponent) -> dict[str, Any]:
    """Return the public properties of a component, which isn't noted as reading."""
    watch, component.watch = component.watch, Watch()
    try:
        return {
            name: getattr(component, name) for name in component.public_properties()
        }
    finally:
        component.watch = watch
