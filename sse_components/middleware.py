"""Around each response: who causes events, the page's script, the browser's cookie."""

from __future__ import annotations

from collections.abc import Callable, Container, Iterator
from contextlib import contextmanager
from typing import Final, TypeGuard

from django.conf import settings
from django.http import HttpRequest, HttpResponse
from django.http.response import HttpResponseBase
from django.middleware.csrf import get_token
from django.utils.cache import patch_cache_control, patch_vary_headers
from django.utils.decorators import sync_only_middleware
from django.utils.html import format_html
from django.utils.safestring import SafeString, mark_safe

from sse_components import bundles, grants, operations, revoking, runtime
from sse_components.components.page import Left, Page, page_of
from sse_components.dispatcher import serving
from sse_components.events import is_sender

PLACEHOLDER: Final = mark_safe("<!--sse-scripts-->")
_MARK: Final = PLACEHOLDER.encode()
_ROOT: Final = b" data-sse-component="

Handler = Callable[[HttpRequest], HttpResponseBase]


@sync_only_middleware
def SSEComponentsMiddleware(get_response: Handler) -> Handler:  # noqa: N802  # as in settings
    """Must stand below AuthenticationMiddleware and above nothing that compresses.

    Sync only, under async views too: below it Django changes into the request's thread
    once and back once, and not for each of the middlewares above.
    """

    def middleware(request: HttpRequest) -> HttpResponseBase:
        page = page_of(request)  # now, before anything is read for the page
        with revoking.noted() as revoked:
            try:
                with serving(), _sender(request):
                    response = get_response(request)
            finally:  # a view that failed, or was cancelled, may have logged out too
                if page.left:
                    _revoke(page.left, revoked)
        if _concerns(request, response):
            _finish(request, response)
        _set_cookie(page, response)
        return response

    return middleware


@contextmanager
def _sender(request: HttpRequest) -> Iterator[None]:
    """Have what is published meanwhile say which tab and request caused it."""
    tab = request.headers.get("X-SSE-Tab")
    number = request.headers.get("X-SSE-Request")
    sender = f"{tab}.{number}" if tab and number else None
    reset = operations.sender.set(sender if is_sender(sender) else None)
    try:
        yield
    finally:
        operations.sender.reset(reset)


def _concerns(request: HttpRequest, response: HttpResponseBase) -> bool:
    return page_of(request).components > 0 or _has_placeholder(response)


def _has_placeholder(response: HttpResponseBase) -> TypeGuard[HttpResponse]:
    return (
        isinstance(response, HttpResponse)
        and response.get("Content-Type", "").startswith("text/html")
        and _MARK in response.content
    )


def _finish(request: HttpRequest, response: HttpResponseBase) -> None:
    page = page_of(request)
    is_live = page.components > 0
    if _has_placeholder(response):
        is_live = is_live or _ROOT in response.content
        before, *after = response.content.split(_MARK)
        script = _script(page).encode() if is_live else b""
        response.content = b"".join([before, script, *after])
        if "Content-Length" in response:
            response["Content-Length"] = str(len(response.content))
    if is_live and page.is_personal:
        patch_cache_control(response, private=True)
        patch_vary_headers(response, ["Cookie"])


def _set_cookie(page: Page, response: HttpResponseBase) -> None:
    """Give a browser the cookie of its grants, or take that of those it had."""
    domain = settings.SESSION_COOKIE_DOMAIN
    if page.cookie is not None:  # of a renewal too, which renders nothing
        response.set_cookie(
            grants.COOKIE,
            page.cookie,
            max_age=365 * 24 * 3600,
            domain=domain,
            secure=settings.SESSION_COOKIE_SECURE,
            httponly=True,
            samesite="Lax",
        )
    elif page.left and page.left.cookie and grants.COOKIE not in response.cookies:
        response.delete_cookie(grants.COOKIE, domain=domain, samesite="Lax")


def _revoke(left: Left, revoked: Container[str]) -> None:
    """Revoke what a browser had before its visitor logged out."""
    if left.cookie:
        revoking.revoke_browser(grants.fingerprint(left.cookie))
    if left.session_key and left.session_key not in revoked:
        revoking.revoke_session(left.session_key)


def _script(page: Page) -> SafeString:
    prefix = runtime.prefix()
    nonce = _nonce(page.request)
    return format_html(
        '<script src="{}" defer data-sse-scripts data-stream="{}" data-socket="{}" '
        'data-components="{}" data-grants="{}" data-grant="{}" data-cursor="{}" '
        'data-csrf="{}"{}></script>',
        bundles.address("sse-components.js"),
        _stream(prefix),
        f"{prefix}ws",
        f"{prefix}components/",
        f"{prefix}grants",
        page.grant(),
        str(page.position),
        get_token(page.request),
        format_html(' nonce="{}"', nonce) if nonce else "",
    )


def _nonce(request: HttpRequest) -> str:
    """Return that of django-csp, or of Django 6: lazy, and false until it is read."""
    for name in ("csp_nonce", "_csp_nonce"):
        nonce = getattr(request, name, None)
        if nonce is not None:
            return str(nonce)
    return ""


def _stream(prefix: str) -> str:
    if runtime.has_streams():
        return f"{prefix}stream"
    runtime.log_silence()
    return "off"
