"""`manage.py runserver` on uvicorn: Django's own speaks WSGI, and has no streams."""

from __future__ import annotations

import atexit
import logging
import os
import socket
import sys
import time
from typing import Any, Final

import uvicorn
from django.apps import apps
from django.conf import settings
from django.contrib.staticfiles.handlers import ASGIStaticFilesHandler
from django.contrib.staticfiles.management.commands import runserver
from django.core.exceptions import ImproperlyConfigured
from django.utils.autoreload import DJANGO_AUTORELOAD_ENV
from django.utils.module_loading import import_string

from sse_components import runtime
from sse_components.access_log import QueriesCut
from sse_components.asgi import get_asgi_application

GRACE_SECONDS: Final = 2
"""How long requests have to end at Ctrl-C; streams are told to, and end before."""
RELOAD: Final = 3
"""The exit code at which Django's reloader starts the next process."""
TIME_FORMAT: Final = "%d/%b/%Y %H:%M:%S"


class UvicornServer:
    """Is all that Django's command asks of a `WSGIServer`."""

    def __init__(
        self, address: tuple[str, int], handler: object, ipv6: bool = False
    ) -> None:
        # Bound here, Django says what is wrong with the address and ends the process.
        # uvicorn would end the thread that it runs in, which leaves a reloader alone.
        self._socket = socket.create_server(
            address,
            family=socket.AF_INET6 if ipv6 else socket.AF_INET,
            dualstack_ipv6=ipv6 and socket.has_dualstack_ipv6(),
        )
        self.server_port: int = self._socket.getsockname()[1]

    def set_app(self, application: Any) -> None:
        config = uvicorn.Config(
            application,
            log_config=None,  # it would close the handlers that LOGGING has made
            timeout_graceful_shutdown=GRACE_SECONDS,
            ws_per_message_deflate=False,
        )
        self._server = uvicorn.Server(config)

    def serve_forever(self) -> None:
        try:
            self._server.run([self._socket])
        finally:
            self._socket.close()  # nobody waits for an application that hasn't started


class AccessLines(logging.Handler):
    """Has uvicorn's access lines look as those of Django's own runserver do."""

    def emit(self, record: logging.LogRecord) -> None:
        if not isinstance(record.args, tuple):
            return
        _, method, path, version, status = record.args
        code = int(str(status))
        level = logging.INFO
        if code >= 400:
            level = logging.WARNING if code < 500 else logging.ERROR
        when = time.strftime(TIME_FORMAT, time.localtime(record.created))
        logging.getLogger("django.server").log(
            level,
            '"%s %s HTTP/%s" %s',
            method,
            path,
            version,
            code,
            extra={"status_code": code, "server_time": when},
        )


class Command(runserver.Command):
    help = (
        "Starts a lightweight web server for development, which serves streams and "
        "static files too."
    )
    server_cls = UvicornServer  # type: ignore[assignment]  # Django asks for no more

    def run(self, **options: Any) -> None:
        try:
            super().run(**options)
        except SystemExit as end:
            if end.code == RELOAD and os.environ.get(DJANGO_AUTORELOAD_ENV):
                _make_room()
            raise

    def get_handler(self, *args: Any, **options: Any) -> Any:
        """Return the ASGI application, behind static files if they are to be served."""
        application = _application()
        _log_access()
        has_files = apps.is_installed("django.contrib.staticfiles")
        if not has_files or not options["use_static_handler"]:
            return application
        if settings.DEBUG or options["insecure_serving"]:
            return ASGIStaticFilesHandler(application)
        return application


def _make_room() -> None:
    """End the process at once for the one with the new code, as Django's own does.

    Threads of views would be waited for, and all that is asked for meanwhile fails.
    """
    try:
        atexit._run_exitfuncs()
        sys.stdout.flush()
        sys.stderr.flush()
    finally:
        os._exit(RELOAD)


def _application() -> Any:
    name = getattr(settings, "ASGI_APPLICATION", None)
    if not name:
        return get_asgi_application()
    try:
        return import_string(name)
    except ImportError as error:
        raise ImproperlyConfigured(
            f"ASGI_APPLICATION = {name!r} can't be imported: {error}"
        ) from error


def _log_access() -> None:
    """Log requests where Django does, unless LOGGING says where uvicorn does."""
    # The lifespan does this too, if the application has one.
    QueriesCut(runtime.settings().prefix).install()
    access = logging.getLogger("uvicorn.access")
    if access.handlers:
        return
    access.addHandler(AccessLines())
    access.setLevel(logging.INFO)
    access.propagate = False
