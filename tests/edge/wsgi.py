"""`python -m tests.edge.wsgi 8000`: the project by WSGI, in threads."""

from __future__ import annotations

import os
import signal
import sys
from socketserver import ThreadingMixIn
from wsgiref.simple_server import WSGIRequestHandler, WSGIServer, make_server

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "tests.edge.settings")

from django.contrib.staticfiles.handlers import StaticFilesHandler
from django.core.wsgi import get_wsgi_application

application = StaticFilesHandler(get_wsgi_application())


class Threaded(ThreadingMixIn, WSGIServer):
    """Serves each request in a thread of its own, as gunicorn's gthread does."""

    daemon_threads = True
    request_queue_size = 128


class Quiet(WSGIRequestHandler):
    """Logs no requests."""

    def log_message(self, format: str, *args: object) -> None:
        pass


def main() -> None:
    server = make_server("127.0.0.1", int(sys.argv[1]), application, Threaded, Quiet)
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))
    server.serve_forever()


if __name__ == "__main__":
    main()
