"""The project with other settings: some can't be had from its environment."""

from __future__ import annotations

import json
import os

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "project.settings")

from django.conf import settings

from sse_components.asgi import get_asgi_application

settings.SSE_COMPONENTS |= json.loads(os.environ.get("SETTINGS", "{}"))
application = get_asgi_application()
