"""A site made of the files that a page of the documentation shows, and served."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path

import httpx

from tests.servers import Server
from tests.tutorials import Block

NAME = re.compile(r"(?:# |\{# )(?P<name>[\w/]+\.\w+)(?P<added>, at the end)?(?: #\})?")

SETTINGS = """\
import os

import dj_database_url

BASE_DIR = os.path.dirname(__file__)
DEBUG = True
SECRET_KEY = "for-tests"
ALLOWED_HOSTS = ["127.0.0.1", "testserver"]
ROOT_URLCONF = "mysite.urls"
DATABASES = {"default": dj_database_url.parse(os.environ["DATABASE_URL"])}
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"
STATIC_URL = "/static/"
USE_TZ = True
SSE_API_KEY = "test-key"
INSTALLED_APPS = [
    "django.contrib.auth",
    "django.contrib.contenttypes",
    "django.contrib.sessions",
    "django.contrib.messages",
    "django.contrib.staticfiles",
    "ninja",
    "api",
]
MIDDLEWARE = [
    "django.middleware.security.SecurityMiddleware",
    "django.contrib.sessions.middleware.SessionMiddleware",
    "django.middleware.common.CommonMiddleware",
    "django.middleware.csrf.CsrfViewMiddleware",
    "django.contrib.auth.middleware.AuthenticationMiddleware",
    "django.contrib.messages.middleware.MessageMiddleware",
]
TEMPLATES = [
    {
        "BACKEND": "django.template.backends.django.DjangoTemplates",
        "APP_DIRS": True,
        "OPTIONS": {
            "context_processors": [
                "django.template.context_processors.request",
                "django.contrib.auth.context_processors.auth",
            ]
        },
    }
]
"""
"""What a project has already, and isn't on the page."""

URLS = """
from django.contrib.auth import get_user_model, login
from django.http import HttpResponse
from django.urls import include, path
from django.views.decorators.csrf import csrf_exempt
from django.views.generic import TemplateView

@csrf_exempt
def run(request):
    exec(request.body, {})
    return HttpResponse("ok")

def log_in(request, name):
    login(request, get_user_model().objects.get_or_create(username=name)[0])
    return HttpResponse("ok")

urlpatterns += [
    path("login/<name>", log_in),
    path("run", run),
    path("pages/<path:template>", lambda request, template:
        TemplateView.as_view(template_name=template)(request)),
    path("api/", include("api.urls")),
]
"""
"""Pages by the names of their templates, and what a test needs besides."""


class Site:
    """The files below a folder, under uvicorn."""

    def __init__(
        self,
        folder: Path,
        files: Mapping[str, str],
        environment: Mapping[str, str] | None = None,
    ) -> None:
        root = folder / "site"
        for name, text in files.items():
            path = root / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text)
        for path in root.glob("*/**/"):  # an app without __init__.py isn't found
            (path / "__init__.py").touch()
        (root / "mysite/settings.py").write_text(SETTINGS + files["mysite/settings.py"])
        (root / "mysite/urls.py").write_text(files["mysite/urls.py"] + URLS)
        self.server = Server(
            folder,
            ["--ws-per-message-deflate", "false"],
            {
                "DJANGO_SETTINGS_MODULE": "mysite.settings",
                "PYTHONPATH": str(root),
                "PYTHONDONTWRITEBYTECODE": "1",
                **(environment or {}),
            },
            application="mysite.asgi:application",
        )
        self.url = self.server.url

    @contextmanager
    def running(self) -> Iterator[Site]:
        """Make what tables are missing, and serve; nothing may fail but permissions."""
        self.server.manage("migrate", "--run-syncdb", "--verbosity=0")
        self.server.start()
        try:
            yield self
            assert self.server.stop() == 0
            log = self.server.log
            assert log.count("Traceback") == log.count("Forbidden (Permission denied)")
            assert "ERROR" not in log
        finally:
            self.server.close()

    def run(self, code: str) -> None:
        """Run code in the process that serves, in a request of its own."""
        response = httpx.post(f"{self.url}/run", content=code, timeout=20)
        assert response.status_code == 200, response.text

    def manage(self, *arguments: str) -> str:
        return self.server.manage(*arguments)

    def shell(self, code: str) -> str:
        """Run code in a process of its own, and return what it has printed."""
        return self.manage("shell", "--verbosity=0", "-c", code)


def files(blocks: Sequence[Block], instead: Mapping[str, str]) -> dict[str, str]:
    """Return the files that blocks name in their first lines, with their texts.

    `instead` has what a test needs in the place of what is printed.
    """
    found: dict[str, str] = {}
    for block in blocks:
        first, _, rest = block.text.partition("\n")
        name = NAME.fullmatch(first)
        if not name:
            continue
        text = rest
        for printed, written in instead.items():
            text = text.replace(printed, written)
        before = found.get(name["name"], "")
        assert name["added"] or not before, f"{first} comes twice"
        found[name["name"]] = f"{before}\n\n{text}" if before else text
    return found
