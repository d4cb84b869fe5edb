"""What uvicorn runs for the browser tests."""

from __future__ import annotations

import os

os.environ["DJANGO_SETTINGS_MODULE"] = "tests.browser.live.settings"

from sse_components.asgi import get_asgi_application

application = get_asgi_application()
