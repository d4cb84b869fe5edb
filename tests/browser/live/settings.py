"""The project's settings, with the app of these tests before the demo."""

import os

from project.settings import *  # noqa: F403

INSTALLED_APPS = ["tests.browser.live", *INSTALLED_APPS]  # noqa: F405
ROOT_URLCONF = "tests.browser.live.urls"
SSE_COMPONENTS |= {  # noqa: F405
    "KEEP_ALIVE_SECONDS": float(os.environ.get("LIVE_KEEP_ALIVE_SECONDS", "15"))
}
