"""Settings from the environment, so that one checkout runs as a demo and in tests."""

from __future__ import annotations

import os
from pathlib import Path

import dj_database_url
from django.core.exceptions import ImproperlyConfigured

BASE_DIR = Path(__file__).resolve().parent.parent


def _list(name: str, default: str) -> list[str]:
    items = os.environ.get(name, default).split(",")
    return [item.strip() for item in items if item.strip()]


def _flag(name: str, default: str) -> bool:
    value = os.environ.get(name, default).lower()
    if value not in ("1", "true", "yes", "on", "", "0", "false", "no", "off"):
        raise ImproperlyConfigured(f"{name}={value} is neither true nor false.")
    return value in ("1", "true", "yes", "on")


def _number(name: str, default: str) -> float:
    value = os.environ.get(name, default)
    try:
        return float(value)
    except ValueError:
        raise ImproperlyConfigured(f"{name}={value} is not a number.") from None


DEBUG = _flag("DEBUG", "1")
SECRET_KEY = os.environ.get("SECRET_KEY", "for-the-demo-only" if DEBUG else "")
if not SECRET_KEY:
    raise ImproperlyConfigured("Without DEBUG, SECRET_KEY has to be set.")
ALLOWED_HOSTS = _list("ALLOWED_HOSTS", "")

SSE_API_KEY = os.environ.get("SSE_API_KEY", "demo-key" if DEBUG else "")
SSE_API_RATE = _number("SSE_API_RATE", "0")
SSE_COMPONENTS = {
    "BROKER_URL": os.environ.get("SSE_BROKER_URL", "memory://"),
    "PUBLIC_GROUPS": _list("SSE_PUBLIC_GROUPS", "news.*"),
    "HISTORY_SIZE": int(_number("SSE_HISTORY_SIZE", "1000")),
    "HISTORY_SECONDS": _number("SSE_HISTORY_SECONDS", "300"),
    "PRESENCE_GROUPS": _list("SSE_PRESENCE_GROUPS", "chat.*"),
    "PRESENCE_LEASE_SECONDS": _number("SSE_PRESENCE_LEASE_SECONDS", "15"),
    "PRESENCE_GRACE_SECONDS": _number("SSE_PRESENCE_GRACE_SECONDS", "10"),
    "CONSOLE": _flag("SSE_CONSOLE", "1"),
}
# What django_eventstream.send_event sends goes to our streams too.
EVENTSTREAM_STORAGE_CLASS = "sse_components.eventstream.Storage"
EVENTSTREAM_CHANNELMANAGER_CLASS = "sse_components.eventstream.ChannelManager"

INSTALLED_APPS = [
    "sse_components",  # above staticfiles, so that runserver is ours
    "django.contrib.admin",  # for the API's keys
    "django.contrib.auth",
    "django.contrib.contenttypes",
    "django.contrib.messages",
    "django.contrib.sessions",
    "django.contrib.staticfiles",
    "api",  # yours: "sse_components.api"
    "project.demo",
    "ninja",  # so that the API's docs page comes with its own scripts
]
MIDDLEWARE = [
    "django.middleware.security.SecurityMiddleware",
    "django.contrib.sessions.middleware.SessionMiddleware",
    "django.middleware.common.CommonMiddleware",
    "django.middleware.csrf.CsrfViewMiddleware",
    "django.contrib.auth.middleware.AuthenticationMiddleware",
    "django.contrib.messages.middleware.MessageMiddleware",
    "django.middleware.clickjacking.XFrameOptionsMiddleware",
    "sse_components.middleware.SSEComponentsMiddleware",
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
ROOT_URLCONF = "project.urls"
LOGIN_URL = "staff" if DEBUG else "admin:login"  # of the console
ASGI_APPLICATION = "project.asgi.application"
DATABASES = {
    "default": dj_database_url.parse(
        os.environ.get("DATABASE_URL", f"sqlite:///{BASE_DIR / 'db.sqlite3'}")
    )
}
if DATABASES["default"]["ENGINE"] == "django.db.backends.sqlite3":
    # Who reads first and writes then would find the database locked by another one.
    DATABASES["default"]["OPTIONS"] = {"transaction_mode": "IMMEDIATE"}
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"
STATIC_URL = "/static/"
USE_TZ = True
TIME_ZONE = "UTC"  # the pages show times in the visitor's own
