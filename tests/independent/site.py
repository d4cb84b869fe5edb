"""The project, with the scripts that django-eventstream ships for its clients."""

from __future__ import annotations

import json
import os

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "project.settings")

from django.conf import settings
from django.contrib.staticfiles.handlers import ASGIStaticFilesHandler

from sse_components.asgi import get_asgi_application

settings.INSTALLED_APPS = [*settings.INSTALLED_APPS, "django_eventstream"]
settings.SSE_COMPONENTS |= json.loads(os.environ.get("SETTINGS", "{}"))
application = ASGIStaticFilesHandler(
    get_asgi_application()  # type: ignore[arg-type]  # it takes any ASGI application
)
