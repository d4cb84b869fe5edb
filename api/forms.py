"""What people fill in about API keys."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING, Any, Final

from django import forms
from django.core.exceptions import ValidationError
from django.utils import timezone

from .access import SCOPES
from .models import ApiKey

if TYPE_CHECKING:
    _KeyForm = forms.ModelForm[ApiKey]
else:
    _KeyForm = forms.ModelForm

_MEANINGS: Final = {
    "publish": "events to groups",
    "read": "groups, their history and members, and who is online",
    "subscribe": "to streams, and grant others to",
    "manage": "users: end their streams, take groups from them",
}
_OVERLAPS: Final = {
    0: "is refused at once",
    1: "is taken 1 hour more",
    24: "is taken 1 day more",
    168: "is taken 7 days more",
}
"""By hours."""
_WIDE: Final = {"class": "radiolist"}
"""In the admin, labels as wide as their text."""


class Lines(forms.Field):
    """A list, with an item on each line."""

    widget = forms.Textarea(
        {"rows": 5, "cols": 60, "spellcheck": "false", "autocapitalize": "none"}
    )

    def prepare_value(self, value: Any) -> Any:
        return "\n".join(map(str, value)) if isinstance(value, list) else value

    def to_python(self, value: Any) -> list[str]:
        lines = [line.strip() for line in (value or "").splitlines()]
        return [line for line in lines if line]

    def has_changed(self, initial: Any, data: Any) -> bool:
        return bool((initial or []) != self.to_python(data))


class KeyForm(_KeyForm):
    """A key, but for its secrets."""

    # That there has to be one of each is for the model to say.
    scopes = forms.MultipleChoiceField(
        choices=[(scope, f"{scope} {_MEANINGS[scope]}") for scope in SCOPES],
        widget=forms.CheckboxSelectMultiple(_WIDE),
        required=False,
    )
    patterns = Lines(
        label="Groups",
        help_text="One on a line: groups, or patterns of them, where * is a segment "
        "and a last ** several. Groups of users and of presence are named in full.",
        required=False,
    )

    class Meta:
        model = ApiKey
        fields = ("name", "scopes", "patterns", "rate", "expires_at")

    def clean_expires_at(self) -> Any:
        end = self.cleaned_data["expires_at"]
        if "expires_at" in self.changed_data and end and end <= timezone.now():
            raise ValidationError("That is over. A key is ended by revoking it.")
        return end


class RotateForm(forms.Form):
    """How a key gets a new secret."""

    overlap = forms.TypedChoiceField(
        label="The key before it",
        choices=list(_OVERLAPS.items()),
        coerce=lambda hours: timedelta(hours=int(hours)),
        initial=24,
        widget=forms.RadioSelect(_WIDE),
    )
    newest = forms.CharField(required=False)
    """The prefix that the page was made with, so that a reload doesn't rotate again."""

    def __init__(self, key: ApiKey, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._key = key
        self.current = next(iter(key.prefixes), "")

    def clean(self) -> None:
        if self._key.state == "expired":
            raise ValidationError("It has expired: have it expire later first.")
        if self.cleaned_data.get("newest") != self.current:
            raise ValidationError("It was rotated meanwhile: a new key was shown then.")
