"""The project's settings, with all that is logged at any level in one file."""

import os

from project.settings import *  # noqa: F403

LOGGING = {
    "version": 1,
    "disable_existing_loggers": False,
    "formatters": {"plain": {"format": "%(name)s %(levelname)s %(message)s"}},
    "handlers": {
        "file": {
            "class": "logging.FileHandler",
            "filename": os.environ["LOG"],
            "formatter": "plain",
        }
    },
    "root": {"handlers": ["file"], "level": "DEBUG"},
}
