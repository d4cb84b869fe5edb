"""The project's settings, with an app of models for the tests."""

from project.settings import *  # noqa: F403

INSTALLED_APPS = [*INSTALLED_APPS, "tests.shop"]  # noqa: F405
