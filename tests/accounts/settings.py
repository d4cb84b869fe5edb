"""The project's settings with this app's user model, sessions as a test wants them."""

import os

from project.settings import *  # noqa: F403

INSTALLED_APPS = [*INSTALLED_APPS, "tests.accounts"]  # noqa: F405
AUTH_USER_MODEL = "accounts.Member"
SESSION_ENGINE = f"django.contrib.sessions.backends.{os.environ['SESSIONS']}"
SESSION_FILE_PATH = os.environ["SESSION_FOLDER"]
LOGGING = {  # whatever there is to read
    "version": 1,
    "disable_existing_loggers": False,
    "handlers": {"console": {"class": "logging.StreamHandler"}},
    "loggers": {"sse_components": {"handlers": ["console"], "level": "DEBUG"}},
}
