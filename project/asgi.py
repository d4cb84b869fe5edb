"""What a server runs: `uvicorn project.asgi:application`."""

from __future__ import annotations

import os

from django.contrib.staticfiles.handlers import ASGIStaticFilesHandler

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "project.settings")

from sse_components.asgi import get_asgi_application  # needs the above

application = ASGIStaticFilesHandler(
    get_asgi_application()  # type: ignore[arg-type]  # it takes any ASGI application
)
