"""API keys in Django's admin, where each is shown once: when it is made."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any, Final, get_args

from django.contrib import admin, messages
from django.contrib.admin.helpers import ACTION_CHECKBOX_NAME
from django.contrib.admin.utils import quote, unquote
from django.core.exceptions import PermissionDenied, ValidationError
from django.db import transaction
from django.db.models import Q, QuerySet
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.template.loader import render_to_string
from django.urls import URLPattern, path, reverse
from django.utils import timezone
from django.utils.decorators import method_decorator
from django.views.decorators.debug import sensitive_variables

from .forms import KeyForm, RotateForm
from .models import ApiKey, State

if TYPE_CHECKING:
    _KeyAdmin = admin.ModelAdmin[ApiKey]
else:
    _KeyAdmin = admin.ModelAdmin

TEMPLATES: Final = "sse_components_api"


class StateFilter(admin.SimpleListFilter):
    title = "state"
    parameter_name = "state"

    def lookups(
        self, request: HttpRequest, model_admin: Any
    ) -> list[tuple[State, State]]:
        return [(state, state) for state in get_args(State)]

    def queryset(
        self, request: HttpRequest, queryset: QuerySet[ApiKey]
    ) -> QuerySet[ApiKey]:
        is_expired = Q(expires_at__lte=timezone.now(), expires_at__isnull=False)
        match self.value():
            case "revoked":
                return queryset.exclude(revoked_at=None)
            case "expired":
                return queryset.filter(is_expired, revoked_at=None)
            case "valid":
                return queryset.filter(~is_expired, revoked_at=None)
        return queryset


@admin.register(ApiKey)
class ApiKeyAdmin(_KeyAdmin):
    """A revoked key is kept to be looked at, and changes no more."""

    form = KeyForm
    change_form_template = f"{TEMPLATES}/change_form.html"
    list_display = [
        "name",
        "state",
        "last_used",
        "expires_at",
        "prefixes",
        "scopes_listed",
        "groups_listed",
    ]
    list_filter = [StateFilter]
    search_fields = ["name", "secrets__prefix"]
    search_help_text = "A name, or a prefix: what stands between sse_ and the next _."
    readonly_fields = [
        "scopes_listed",
        "groups_listed",
        "created_at",
        "revoked_at",
        "state",
        "secrets",
    ]
    actions = ["revoke_selected"]

    @admin.display(description="scopes")
    def scopes_listed(self, key: ApiKey) -> str:
        return ", ".join(key.scopes)

    @admin.display(description="groups")
    def groups_listed(self, key: ApiKey) -> str:
        return ", ".join(key.patterns)

    @admin.display(description="last used")
    def last_used(self, key: ApiKey) -> datetime | None:
        return key.last_used_at

    @admin.display(description="secrets")
    def secrets(self, key: ApiKey) -> str:
        secrets = {"secrets": key.secrets.all()}
        return render_to_string(f"{TEMPLATES}/secrets.html", secrets)

    def get_queryset(self, request: HttpRequest) -> QuerySet[ApiKey]:
        return super().get_queryset(request).prefetch_related("secrets")

    def get_fields(
        self, request: HttpRequest, obj: ApiKey | None = None
    ) -> tuple[str, ...]:
        if obj is None:
            return KeyForm.Meta.fields
        if self.has_change_permission(request, obj):
            return (*KeyForm.Meta.fields, "created_at", "state", "secrets")
        lists = "scopes_listed", "groups_listed"
        dates = "expires_at", "created_at", "revoked_at"
        return ("name", *lists, "rate", *dates, "state", "secrets")

    def has_change_permission(
        self, request: HttpRequest, obj: ApiKey | None = None
    ) -> bool:
        is_over = obj is not None and obj.revoked_at is not None
        return super().has_change_permission(request, obj) and not is_over

    def render_change_form(
        self, request: HttpRequest, context: dict[str, Any], *args: Any, **kwargs: Any
    ) -> HttpResponse:
        if kwargs.get("add"):  # saving shows the key, and no form again
            context |= {"show_save_and_add_another": False}
            context |= {"show_save_and_continue": False}
        return super().render_change_form(request, context, *args, **kwargs)

    def save_model(
        self, request: HttpRequest, obj: ApiKey, form: Any, change: bool
    ) -> None:
        """Save what was changed alone: it may have been revoked meanwhile."""
        obj.save(update_fields=form.changed_data if change else None)

    @method_decorator(sensitive_variables())
    def response_add(
        self, request: HttpRequest, obj: ApiKey, post_url_continue: str | None = None
    ) -> HttpResponse:
        """Show the key instead of redirecting, which would have to keep it."""
        return self._show(request, obj, obj.issue())

    def get_urls(self) -> list[URLPattern]:
        own = {"rotate": self.rotate_view, "revoke": self.revoke_view}
        return [
            path(
                f"<path:object_id>/{name}/",
                self.admin_site.admin_view(view),
                name=f"{self.opts.app_label}_{self.opts.model_name}_{name}",
            )
            for name, view in own.items()
        ] + super().get_urls()

    def rotate_view(self, request: HttpRequest, object_id: str) -> HttpResponse:
        """Give a key a new secret and show it."""
        key = self._changeable(request, object_id)
        form = RotateForm(key, request.POST if request.method == "POST" else None)
        if form.is_valid():
            try:
                return self._rotate(request, key, form.cleaned_data["overlap"])
            except ValidationError as error:  # revoked meanwhile
                form.add_error(None, error)
        return self._page(request, "rotate", f"Rotate {key}", key=key, form=form)

    def revoke_view(self, request: HttpRequest, object_id: str) -> HttpResponse:
        """Revoke a key, when that was confirmed."""
        key = self._changeable(request, object_id)
        if request.method != "POST":
            return self._confirm(request, [key])
        self._revoke(request, [key])
        return redirect(self._address("change", quote(key.pk)))

    @admin.action(description="Revoke selected API keys", permissions=["change"])
    def revoke_selected(
        self, request: HttpRequest, queryset: QuerySet[ApiKey]
    ) -> HttpResponse | None:
        keys = list(queryset.filter(revoked_at=None))
        if keys and "confirmed" not in request.POST:
            return self._confirm(request, keys)
        self._revoke(request, keys)
        if not keys:
            self.message_user(request, "They are revoked already.", messages.WARNING)
        return None

    def _changeable(self, request: HttpRequest, object_id: str) -> ApiKey:
        key = self.get_object(request, unquote(object_id))
        if key is None:
            raise Http404
        if not self.has_change_permission(request, key):
            raise PermissionDenied
        return key

    @method_decorator(sensitive_variables())
    def _rotate(
        self, request: HttpRequest, key: ApiKey, overlap: timedelta
    ) -> HttpResponse:
        end = timezone.now() + overlap if overlap else None
        with transaction.atomic():
            text = key.rotate(overlap)
            self.log_change(request, key, f"Rotated. The key before it {_ends(end)}.")
            return self._show(request, key, text, is_new=False, end=end)

    def _revoke(self, request: HttpRequest, keys: Iterable[ApiKey]) -> None:
        for key in keys:
            with transaction.atomic():
                key.revoke()
                self.log_change(request, key, "Revoked.")
            self.message_user(request, f"Revoked {key}.", messages.SUCCESS)

    def _confirm(self, request: HttpRequest, keys: Sequence[ApiKey]) -> HttpResponse:
        title = f"Revoke {keys[0]}" if len(keys) == 1 else f"Revoke {len(keys)} keys"
        checkbox = ACTION_CHECKBOX_NAME
        return self._page(request, "revoke", title, keys=keys, checkbox=checkbox)

    @method_decorator(sensitive_variables())
    def _show(
        self, request: HttpRequest, key: ApiKey, text: str, **context: Any
    ) -> HttpResponse:
        # A call, because the report of an error shows what there is in each frame.
        given = {"is_new": True, "key": key, "text": lambda: text} | context
        # Not rendered later, so that what can't be shown isn't saved.
        return self._page(request, "key", f"The key of {key}", **given)

    def _page(
        self, request: HttpRequest, template: str, title: str, **context: Any
    ) -> HttpResponse:
        request.current_app = self.admin_site.name
        common = {"title": title, "opts": self.opts, "media": self.media}
        common["may_view"] = self.has_view_permission(request)
        common |= self.admin_site.each_context(request)
        return render(request, f"{TEMPLATES}/{template}.html", common | context)

    def _address(self, name: str, *args: str) -> str:
        view = f"admin:{self.opts.app_label}_{self.opts.model_name}_{name}"
        return reverse(view, args=args, current_app=self.admin_site.name)


def _ends(end: datetime | None) -> str:
    return f"is taken until {end:%Y-%m-%d %H:%M %Z}" if end else "is refused"
