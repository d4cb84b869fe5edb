from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from django.conf.urls.i18n import i18n_patterns
from django.test.utils import override_script_prefix
from django.urls import URLPattern, URLResolver, include, path
from django.utils.module_loading import import_string
from pytest_django import Settings

from sse_components.checks.site import ABOVE, MIDDLEWARE, REQUEST
from sse_components.middleware import Handler, SSEComponentsMiddleware
from tests.checks.messages import found
from tests.servers import ROOT

urlpatterns: list[URLPattern] = []


def test_the_demo_has_nothing_to_be_told() -> None:
    done = subprocess.run(
        [sys.executable, "manage.py", "check", "--fail-level", "DEBUG"],
        cwd=ROOT,
        env=os.environ | {"DJANGO_SETTINGS_MODULE": "project.settings"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert (done.returncode, done.stderr) == (0, "")
    assert "no issues (0 silenced)" in done.stdout


def test_the_names_of_what_has_to_be_there_can_be_imported() -> None:
    for name in (MIDDLEWARE, REQUEST, *ABOVE):
        assert import_string(name)


# The middleware


def test_a_missing_middleware_is_an_error(settings: Settings) -> None:
    settings.MIDDLEWARE = [name for name in settings.MIDDLEWARE if name != MIDDLEWARE]
    (error,) = found()
    assert error.id == "sse_components.E006"
    assert error.is_serious()
    assert error.hint
    assert "'sse_components.middleware.SSEComponentsMiddleware'" in error.hint


def wrapped(get_response: Handler) -> Handler:
    return SSEComponentsMiddleware(get_response)


def test_a_middleware_of_the_projects_may_be_a_wrapper_around_ours(
    settings: Settings,
) -> None:
    others = [name for name in settings.MIDDLEWARE if name != MIDDLEWARE]
    settings.MIDDLEWARE = [*others, f"{__name__}.wrapped"]
    (warning,) = found()
    assert warning.id == "sse_components.W030"
    assert not warning.is_serious()
    assert warning.hint
    assert f"'{__name__}.wrapped'" in warning.hint
    assert repr(MIDDLEWARE) in warning.hint


def test_the_middleware_may_have_another_name(settings: Settings) -> None:
    others = [name for name in settings.MIDDLEWARE if name != MIDDLEWARE]
    settings.MIDDLEWARE = [*others, f"{__name__}.SSEComponentsMiddleware"]
    assert found() == []
    settings.MIDDLEWARE = [*settings.MIDDLEWARE, others[1]]
    assert [one.id for one in found()] == ["sse_components.E007"]


@pytest.mark.parametrize(
    "name",
    [
        "django.contrib.auth.middleware.AuthenticationMiddleware",
        "django.contrib.sessions.middleware.SessionMiddleware",
        "django.middleware.csrf.CsrfViewMiddleware",
        "django.middleware.gzip.GZipMiddleware",
        "compression_middleware.middleware.CompressionMiddleware",
        "django_brotli.middleware.BrotliMiddleware",
    ],
)
def test_what_has_to_stand_above_the_middleware_and_does_not_is_an_error(
    settings: Settings, name: str
) -> None:
    others = [one for one in settings.MIDDLEWARE if one not in (name, MIDDLEWARE)]
    settings.MIDDLEWARE = [*others, MIDDLEWARE, name]
    (error,) = found()
    assert error.id == "sse_components.E007"
    assert repr(name) in error.msg
    assert error.hint
    assert repr(MIDDLEWARE) in error.hint
    settings.MIDDLEWARE = [name, *others, MIDDLEWARE]
    assert found() == []


def test_what_may_stand_below_the_middleware_passes(settings: Settings) -> None:
    others = ["app.middleware.DecompressMiddleware", "app.gzip.OtherMiddleware"]
    settings.MIDDLEWARE = [*settings.MIDDLEWARE, *others]
    assert found() == []


# Users


USERLESS = {
    "__init__.py": "",
    "settings.py": """
import os
ALLOWED_HOSTS = ["*"]
ASGI_APPLICATION = "little.asgi.application"
DATABASES = {"default": {"ENGINE": "django.db.backends.sqlite3", "NAME": ":memory:"}}
INSTALLED_APPS = ["sse_components", "little", *os.environ["APPS"].split()]
MIDDLEWARE = ["sse_components.middleware.SSEComponentsMiddleware"]
ROOT_URLCONF = "little.urls"
SECRET_KEY = "for a test"
SSE_COMPONENTS = {"AUTHORIZE": "little.components.authorize"}
TEMPLATES = [{
    "BACKEND": "django.template.backends.django.DjangoTemplates",
    "OPTIONS": {"context_processors": ["django.template.context_processors.request"]},
}]
""",
    "urls.py": """
from django.http import HttpResponse
from django.template import engines
from django.urls import include, path

def home(request):
    template = '{% load sse_components %}{% component "little.Little" %}'
    return HttpResponse(engines["django"].from_string(template).render({}, request))

urlpatterns = [path("", home), path("", include("sse_components.urls"))]
""",
    "components.py": """
from sse_components import ReactiveComponent

def authorize(user, group, rendered):
    return user is None

class Little(ReactiveComponent):
    template = "<p>little</p>"

    def get_subscription(self):
        return self.request.GET.get("group")
""",
    "visit.py": """
import django
django.setup()
from django.apps import apps
from django.core.checks import run_checks
from django.core.management import call_command
from django.test import Client
from django.utils import timezone

print(run_checks(), Client().get("/?group=news.updates").content.decode())
if apps.is_installed("django.contrib.sessions"):
    from django.contrib.sessions.models import Session

    call_command("migrate", verbosity=0)
    Session.objects.create(session_key="a", expire_date=timezone.now()).delete()
""",
}


@pytest.mark.parametrize("apps", ["", "django.contrib.sessions"])
def test_a_project_without_users_has_pages_and_nothing_to_be_told(
    tmp_path: Path, apps: str
) -> None:
    (tmp_path / "little").mkdir()
    for name, source in USERLESS.items():
        (tmp_path / "little" / name).write_text(source)
    own = {
        "APPS": apps,
        "DJANGO_SETTINGS_MODULE": "little.settings",
        "PYTHONPATH": os.pathsep.join([str(tmp_path), str(ROOT)]),
    }
    done = subprocess.run(
        [sys.executable, "-m", "little.visit"],
        cwd=tmp_path,
        env=os.environ | own,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout.startswith("[] <p ")
    assert 'data-sse-groups="[&quot;news.updates&quot;]"' in done.stdout


# Templates


@pytest.mark.parametrize("options", [{}, {"context_processors": []}])
def test_templates_that_do_not_know_the_request_are_a_warning(
    settings: Settings, options: dict[str, Any]
) -> None:
    (engine,) = settings.TEMPLATES
    settings.TEMPLATES = [{**engine, "OPTIONS": options}]
    (warning,) = found()
    assert warning.id == "sse_components.W008"
    assert not warning.is_serious()
    assert warning.hint
    assert "'django.template.context_processors.request'" in warning.hint


def test_one_engine_that_knows_the_request_is_enough(settings: Settings) -> None:
    (engine,) = settings.TEMPLATES
    other = {**engine, "NAME": "other", "OPTIONS": {}}
    settings.TEMPLATES = [other, {**engine, "NAME": "django"}]
    assert found() == []


# Addresses


def test_addresses_that_are_not_included_are_an_error(settings: Settings) -> None:
    settings.ROOT_URLCONF = __name__
    (error,) = found()
    assert error.id == "sse_components.E009"
    assert error.is_serious()
    assert error.hint
    assert 'include("sse_components.urls")' in error.hint
    assert repr(__name__) in error.hint


OURS = path("", include("sse_components.urls"))


@pytest.mark.parametrize(
    ("patterns", "address"),
    [
        ([path("live/", include([OURS]))], "/live/sse/components/"),
        (i18n_patterns(OURS), "/en-us/sse/components/"),
    ],
    ids=["prefix", "language"],
)
def test_addresses_where_no_page_looks_for_them_are_an_error(
    settings: Settings, patterns: list[URLPattern | URLResolver], address: str
) -> None:
    settings.ROOT_URLCONF = tuple(patterns)
    (error,) = found()
    assert error.id == "sse_components.E010"
    assert address in error.msg
    assert "'/sse/components/'" in error.msg
    assert error.hint
    assert "PREFIX" in error.hint


def test_addresses_below_the_path_of_the_application_pass() -> None:
    with override_script_prefix("/app/"):
        assert found() == []


def test_a_project_without_addresses_serves_no_pages(settings: Settings) -> None:
    settings.ROOT_URLCONF = None
    assert found() == []


@pytest.mark.usefixtures("_no_component_is_there")
def test_a_project_without_components_needs_nothing_of_it(settings: Settings) -> None:
    settings.MIDDLEWARE = []
    settings.TEMPLATES = []
    settings.ROOT_URLCONF = __name__
    assert found() == []
