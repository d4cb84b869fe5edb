"""The tests' settings, with the pages of this site."""

from tests.settings import *  # noqa: F403

ROOT_URLCONF = "tests.shop.site.urls"
MIDDLEWARE = [
    "django.middleware.locale.LocaleMiddleware",
    *MIDDLEWARE,  # noqa: F405
]
