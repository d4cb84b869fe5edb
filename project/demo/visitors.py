"""How one becomes somebody in the demo: with any name, or as staff. Needs DEBUG."""

from __future__ import annotations

import re
from typing import Any

from django.conf import settings
from django.contrib.admin.forms import AdminAuthenticationForm
from django.contrib.auth.forms import AuthenticationForm
from django.contrib.auth.hashers import make_password
from django.contrib.auth.models import User
from django.contrib.auth.views import LoginView
from django.core.exceptions import ValidationError
from django.http import Http404, HttpRequest
from django.http.response import HttpResponseBase

STAFF = "staff"
"""The name of the demo's staff user, and its password."""
NAME = r"[\w.@+-]{1,30}"


def named(name: str) -> User:
    """Return the user of a name, who is created if there is none.

    Raises `ValidationError` if it can't be a name, or is one that has a password: those
    are staff, or come from elsewhere.
    """
    name = User.normalize_username(name.strip())
    if not re.fullmatch(NAME, name):
        raise ValidationError("A name has 1 to 30 letters, digits and @.+-_ in it.")
    user = User.objects.filter(username__iexact=name).first()
    if user is None:
        user, _ = User.objects.get_or_create(
            username=name, defaults={"password": make_password(None)}
        )
    if user.is_staff or user.has_usable_password() or not user.is_active:
        raise ValidationError("This name is taken.")
    return user


class StaffForm(AuthenticationForm):
    def confirm_login_allowed(self, user: User) -> None:
        super().confirm_login_allowed(user)
        if not user.is_staff:
            raise ValidationError("This account isn't staff's.", code="no_staff")


class AdminForm(AdminAuthenticationForm):
    """Of /admin/, where without DEBUG a password that everybody knows isn't one."""

    def confirm_login_allowed(self, user: User) -> None:
        super().confirm_login_allowed(user)
        if not settings.DEBUG and self.cleaned_data.get("password") == STAFF:
            raise self.get_invalid_login_error()


class StaffLogin(LoginView):
    """The door of /staff/online, while the password is one that everybody knows."""

    authentication_form = StaffForm
    next_page = "online"
    template_name = "demo/staff.html"

    def dispatch(
        self, request: HttpRequest, *args: Any, **kwargs: Any
    ) -> HttpResponseBase:
        if not settings.DEBUG:
            raise Http404("There is no login without DEBUG.")
        return super().dispatch(request, *args, **kwargs)
