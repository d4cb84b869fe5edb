"""A project that a WSGI server serves: Django's own `manage.py runserver`."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from urllib.request import urlopen

from tests.ports import free_port
from tests.servers import ROOT, wait_until

PROJECT = {
    "manage.py": """
import os, sys
from django.core.management import execute_from_command_line
os.environ.setdefault("DJANGO_SETTINGS_MODULE", "shelf.settings")
execute_from_command_line(sys.argv)
""",
    "shelf/__init__.py": "",
    "shelf/settings.py": """
ALLOWED_HOSTS = ["127.0.0.1"]
DEBUG = True
INSTALLED_APPS = ["django.contrib.staticfiles", "sse_components", "shelf"]
LOGGING = {
    "version": 1,
    "disable_existing_loggers": False,
    "formatters": {"plain": {"format": "%(levelname)s %(name)s: %(message)s"}},
    "handlers": {
        "file": {
            "class": "logging.FileHandler",
            "filename": "warnings.log",
            "formatter": "plain",
            "level": "WARNING",
        }
    },
    "root": {"handlers": ["file"]},
}
MIDDLEWARE = [
    "django.contrib.sessions.middleware.SessionMiddleware",
    "django.middleware.csrf.CsrfViewMiddleware",
    "sse_components.middleware.SSEComponentsMiddleware",
]
ROOT_URLCONF = "shelf.urls"
SECRET_KEY = "for a test"
SESSION_ENGINE = "django.contrib.sessions.backends.signed_cookies"
STATIC_URL = "static/"
TEMPLATES = [
    {
        "BACKEND": "django.template.backends.django.DjangoTemplates",
        "APP_DIRS": True,
        "OPTIONS": {
            "context_processors": ["django.template.context_processors.request"]
        },
    }
]
USE_TZ = True
WSGI_APPLICATION = "shelf.wsgi.application"
""",
    "shelf/wsgi.py": """
import os
from django.core.wsgi import get_wsgi_application
os.environ.setdefault("DJANGO_SETTINGS_MODULE", "shelf.settings")
application = get_wsgi_application()
""",
    "shelf/urls.py": """
from django.shortcuts import render
from django.urls import include, path

def page(request, name=""):
    return render(request, "page.html")

urlpatterns = [
    path("", include("sse_components.urls")),
    path("", page),
    path("pages/<str:name>", page),
]
""",
    "shelf/components.py": """
from sse_components import ComponentDispatcher, ReactiveComponent, public

class Books(ReactiveComponent):
    count = public(3)
    subscription = "shelf.books"
    template = '''
<section><p>{{ count }} books</p><button @click="add()">Add</button></section>
'''

    @public
    def add(self):
        self.count += 1
        ComponentDispatcher.sync.data_changed("shelf.books", {"count": self.count})
""",
    "shelf/templates/page.html": """{% load sse_components %}<!doctype html>
<html>
<head><link rel="icon" href="data:,">{% sse_scripts %}</head>
<body>{% component "shelf.Books" %}</body>
</html>
""",
}


class Site:
    """The project in a folder of its own."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._port = free_port()
        self.url = f"http://127.0.0.1:{self._port}"
        for name, source in PROJECT.items():
            (folder / name).parent.mkdir(parents=True, exist_ok=True)
            (folder / name).write_text(source)

    @property
    def warnings(self) -> list[str]:
        """What has been logged that is a warning or worse."""
        return (self._folder / "warnings.log").read_text().splitlines()

    def manage(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        """Run a management command to its end."""
        return subprocess.run(
            [sys.executable, "manage.py", *arguments],
            cwd=self._folder,
            env=self._environment(),
            capture_output=True,
            text=True,
            check=False,
            timeout=50,
        )

    @contextmanager
    def running(self) -> Iterator[None]:
        """Serve it as long as this lasts."""
        with (self._folder / "log").open("wb") as log:
            process = subprocess.Popen(
                [sys.executable, "manage.py", "runserver", "--noreload", self._listen],
                cwd=self._folder,
                env=self._environment(),
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
            )

        def answers() -> bool:
            assert process.poll() is None, (self._folder / "log").read_text()
            try:
                with urlopen(f"{self.url}/sse/static/sse-client.js", timeout=5):
                    return True
            except OSError:
                return False

        try:
            wait_until(answers, 20)
            yield
        finally:
            process.kill()
            process.wait(timeout=10)

    @property
    def _listen(self) -> str:
        return self.url.removeprefix("http://")

    def _environment(self) -> dict[str, str]:
        own = {
            "DJANGO_SETTINGS_MODULE": "shelf.settings",
            "PYTHONPATH": str(ROOT),
            "PYTHONWARNINGS": "error",
        }
        return os.environ | own
