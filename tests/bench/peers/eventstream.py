"""django-eventstream with its own view and its own delivery within the process.

No storage, as by default: nothing goes through a database, and events have no ids. It
would lose most of a burst then, since a listener's pending events are limited to 10 and
what is more is dropped. The limit is raised here, by a patch for want of a setting. No
middleware either.
"""

from __future__ import annotations

import json

from django.conf import settings
from django.core.asgi import get_asgi_application
from django.http import HttpRequest, HttpResponse
from django.urls import include, path

CHANNEL = "bench"
MAX_PENDING = 10_000

settings.configure(
    ALLOWED_HOSTS=["127.0.0.1"],
    INSTALLED_APPS=[
        "django.contrib.contenttypes",
        "django.contrib.auth",
        "django_eventstream",
    ],
    ROOT_URLCONF=__name__,
    SECRET_KEY="bench",
)
application = get_asgi_application()

# Needs the apps.
from django_eventstream import (  # type: ignore[import-untyped]  # noqa: E402
    send_event,
    views,
)

views.MAX_PENDING = MAX_PENDING


def publish(request: HttpRequest) -> HttpResponse:
    send_event(CHANNEL, "message", json.loads(request.body))
    return HttpResponse(status=202)


urlpatterns = [
    path("events/", include("django_eventstream.urls"), {"channels": [CHANNEL]}),
    path("publish", publish),
]
