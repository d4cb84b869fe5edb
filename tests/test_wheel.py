"""What users get: the wheel, in a project that has nothing else of ours."""

from __future__ import annotations

import json
import os
import subprocess
import sysconfig
import venv
import zipfile
from pathlib import Path

import pytest

from tests.wheels import build_wheel

ROOT = Path(__file__).parent.parent
CLIENT = "sse_components/static/sse_components/"
SETTINGS = """
SECRET_KEY = "x"
ALLOWED_HOSTS = ["testserver"]
INSTALLED_APPS = [
    "django.contrib.admin",
    "django.contrib.auth",
    "django.contrib.contenttypes",
    "django.contrib.messages",
    "django.contrib.sessions",
    "ninja",
    "sse_components",
    "sse_components.api",
]
SSE_COMPONENTS = {"PUBLIC_GROUPS": ["news.*"]}
MIDDLEWARE = [
    "django.contrib.sessions.middleware.SessionMiddleware",
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
                "django.contrib.messages.context_processors.messages",
            ]
        },
    }
]
ROOT_URLCONF = "urls"
STATIC_URL = "static/"
DATABASES = {"default": {"ENGINE": "django.db.backends.sqlite3", "NAME": "db.sqlite3"}}
"""
URLS = """
from django.contrib import admin
from django.urls import include, path

urlpatterns = [
    path("admin/", admin.site.urls),
    path("api/", include("sse_components.api.urls")),
]
"""
# Publishes through the API with a key, and reads the event from a stream: ASGI alone.
USE = """
import asyncio, io, json, os, sys

os.environ["DJANGO_SETTINGS_MODULE"] = "settings"
from sse_components.asgi import get_asgi_application

application = get_asgi_application()

from django.core.management import call_command

call_command("check", fail_level="WARNING")
call_command("makemigrations", check=True, dry_run=True, verbosity=0)
call_command("migrate", verbosity=0)
printed = io.StringIO()
create = "sse_api_key", "create", "stock", "--scope=publish", "--group=news.*"
call_command(*create, stdout=printed, stderr=io.StringIO())
key = printed.getvalue().strip().encode()

from django.contrib import admin
from django.template.loader import get_template

assert [model.__name__ for model in admin.site._registry if "ApiKey" in repr(model)]
get_template("sse_components_api/key.html")


def scope(method, path, *headers):
    return {
        "type": "http", "method": method, "path": path, "root_path": "",
        "query_string": b"", "headers": [(b"host", b"testserver"), *headers],
        "server": ("testserver", 80), "http_version": "1.1", "scheme": "http",
    }


async def main():
    to_stream, from_stream = asyncio.Queue(), asyncio.Queue()
    stream = asyncio.create_task(
        application(
            scope("GET", "/sse/groups/news.updates"), to_stream.get, from_stream.put
        )
    )
    body = b""
    while b"keep-alive" not in body:
        body += (await asyncio.wait_for(from_stream.get(), 10)).get("body", b"")
    answers, requests = asyncio.Queue(), asyncio.Queue()
    await requests.put({"type": "http.request", "body": b'{"data": {"n": 1}}'})
    await application(
        scope(
            "POST",
            "/api/v1/groups/news.updates/data-changed",
            (b"authorization", b"Bearer " + key),
            (b"content-type", b"application/json"),
        ),
        requests.get,
        answers.put,
    )
    assert (await answers.get())["status"] == 202
    id = json.loads((await answers.get())["body"])["id"].encode()
    while b"id: " + id not in body:
        body += (await asyncio.wait_for(from_stream.get(), 10)).get("body", b"")
    await to_stream.put({"type": "http.disconnect"})
    await asyncio.wait_for(stream, 10)


asyncio.run(main())
assert "api" not in sys.modules
"""


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> zipfile.ZipFile:
    return zipfile.ZipFile(build_wheel(tmp_path_factory.mktemp("wheel")))


def test_it_holds_one_package_and_all_of_it(wheel: zipfile.ZipFile) -> None:
    names = {name for name in wheel.namelist() if ".dist-info/" not in name}
    listed = subprocess.run(
        ["git", "ls-files", "-co", "--exclude-standard", "sse_components", "api"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=True,
    )
    sources = listed.stdout.split()
    assert "sse_components/py.typed" in sources
    client = {name for name in names if name.startswith(CLIENT)}
    assert names - client == {
        f"sse_components/{name}" if name.startswith("api/") else name
        for name in sources
    }
    manifest = json.loads(wheel.read(f"{CLIENT}manifest.json"))
    assert sorted(manifest) == ["sse-client.js", "sse-components.js"]
    bundles = {CLIENT + name for name in manifest.values()}
    assert client == {
        f"{CLIENT}manifest.json",
        f"{CLIENT}sse-client.d.ts",
        *bundles,
        *(f"{bundle}.map" for bundle in bundles),
    }


def test_it_works_alone(wheel: zipfile.ZipFile, tmp_path: Path) -> None:
    wheel.extractall(tmp_path / "lib")
    (tmp_path / "settings.py").write_text(SETTINGS)
    (tmp_path / "urls.py").write_text(URLS)
    venv.create(tmp_path / "venv")  # which doesn't know of the checkout
    path = [str(tmp_path), str(tmp_path / "lib"), sysconfig.get_path("purelib")]
    subprocess.run(
        [tmp_path / "venv/bin/python", "-W", "error", "-c", USE],
        cwd=tmp_path,
        env={"PYTHONPATH": os.pathsep.join(path)},
        check=True,
    )
