"""Whether what components need of a site is there, and in its place."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any, Final

from django.apps import AppConfig
from django.conf import settings
from django.core.checks import CheckMessage, Error, Warning, register
from django.template import engines
from django.template.backends.django import DjangoTemplates
from django.urls import NoReverseMatch, get_script_prefix, reverse
from django.utils.module_loading import import_string

from sse_components.checks.settings import valid_settings
from sse_components.components import registry
from sse_components.middleware import SSEComponentsMiddleware

MIDDLEWARE: Final = "sse_components.middleware.SSEComponentsMiddleware"
ABOVE: Final = {
    "django.contrib.auth.middleware.AuthenticationMiddleware",
    "django.contrib.sessions.middleware.SessionMiddleware",
    "django.middleware.csrf.CsrfViewMiddleware",
}
"""What has to be there for a request before, and for a response after, ours."""

REQUEST: Final = "django.template.context_processors.request"

_COMPRESSES = re.compile(r"(?<!de)(?:gzip|brotli|zstd|compress)", re.IGNORECASE)


@register
def middleware_is_in_its_place(
    app_configs: Sequence[AppConfig] | None, **kwargs: Any
) -> list[CheckMessage]:
    if not registry.all_components():
        return []
    names = list(settings.MIDDLEWARE)
    ours = [number for number, name in enumerate(names) if _is_ours(name)]
    if not ours:
        return [_missing(names)]
    return [
        Error(
            f"{name!r} stands below the middleware of sse_components and has to stand "
            "above it.",
            hint=f"Move {MIDDLEWARE!r} to the end of MIDDLEWARE.",
            id="sse_components.E007",
        )
        for name in names[ours[0] :]
        if name in ABOVE or _COMPRESSES.search(name.rpartition(".")[2])
    ]


def _is_ours(name: str) -> bool:
    """Whether a name in MIDDLEWARE is that of ours, in its module or another one."""
    try:
        return import_string(name) is SSEComponentsMiddleware
    except ImportError:  # which Django tells of
        return False


def _missing(names: Sequence[str]) -> CheckMessage:
    fault = (
        "Pages with components get no script, because the middleware of "
        "sse_components is missing."
    )
    hint = f"Add {MIDDLEWARE!r} to the end of MIDDLEWARE."
    others = [name for name in names if not name.startswith("django.")]
    if not others:
        return Error(fault, hint=hint, id="sse_components.E006")
    return Warning(
        fault,
        hint=f"{hint} If {' or '.join(map(repr, others))} calls it, silence this "
        "warning in SILENCED_SYSTEM_CHECKS.",
        id="sse_components.W030",
    )


@register
def templates_know_the_request(
    app_configs: Sequence[AppConfig] | None, **kwargs: Any
) -> list[CheckMessage]:
    processors = {
        processor
        for backend in engines.all()
        if isinstance(backend, DjangoTemplates)
        for processor in backend.engine.context_processors
    }
    if REQUEST in processors or not registry.all_components():
        return []
    return [
        Warning(
            "{% component %} needs the request, which no template engine knows.",
            hint=f"Add {REQUEST!r} to the context_processors in TEMPLATES.",
            id="sse_components.W008",
        )
    ]


@register
def calls_arrive(
    app_configs: Sequence[AppConfig] | None, **kwargs: Any
) -> list[CheckMessage]:
    valid = valid_settings()
    if not valid or not registry.all_components() or not _has_addresses():
        return []
    try:
        address = reverse("sse_components:call", args=("app.Component", "method"))
    except NoReverseMatch:
        return [
            Error(
                "The addresses at which components are called are missing.",
                hint='Add path("", include("sse_components.urls")) to '
                f"{settings.ROOT_URLCONF!r}.",
                id="sse_components.E009",
            )
        ]
    base = f"{get_script_prefix().rstrip('/')}{valid.prefix}components/"
    if address.startswith(base):
        return []
    return [
        Error(
            f"Pages call components below {base!r}, and these are at {address!r}.",
            hint='Have path("", include("sse_components.urls")) in '
            f"{settings.ROOT_URLCONF!r} itself and outside of i18n_patterns; "
            "SSE_COMPONENTS['PREFIX'] moves all addresses.",
            id="sse_components.E010",
        )
    ]


def _has_addresses() -> bool:
    return bool(getattr(settings, "ROOT_URLCONF", None))
