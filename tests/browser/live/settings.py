"""The project's settings, with the app of these tests before the demo."""

from project.settings import *  # noqa: F403

INSTALLED_APPS = ["tests.browser.live", *INSTALLED_APPS]  # noqa: F405
ROOT_URLCONF = "tests.browser.live.urls"
