"""What a component needs to be made again, as a signed text in its page."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Final

from django.apps import apps
from django.core import signing
from django.core.exceptions import ObjectDoesNotExist
from django.core.serializers.json import DjangoJSONEncoder
from django.db.models import Model

SALT: Final = "sse_components.state"


class InvalidState(ValueError):
    """A text is not a state of ours."""


@dataclass(frozen=True, slots=True)
class State:
    """How a component was put on a page."""

    name: str
    key: str | None
    args: tuple[Any, ...]
    kwargs: dict[str, Any]
    subscribe: str | None
    user: str | None
    language: str | None

    def signed(self) -> str:
        """Return the state as text; models travel as their primary key."""
        content = {
            "c": self.name,
            "k": self.key,
            "a": [_packed(value) for value in self.args],
            "w": {name: _packed(value) for name, value in self.kwargs.items()},
            "s": self.subscribe,
            "u": self.user,
            "l": self.language,
        }
        return signing.dumps(content, salt=SALT, serializer=_Serializer, compress=True)


def read(text: object, name: str) -> State:
    """Return the state of a component of a name, its models fetched.

    Raises `InvalidState`, and `ObjectDoesNotExist` if a model's row is gone.
    """
    try:
        content = signing.loads(str(text), salt=SALT, serializer=_Serializer)
        if content["c"] != name:
            raise InvalidState("The state is another component's.")
        return State(
            name=name,
            key=content["k"],
            args=tuple(_unpacked(value) for value in content["a"]),
            kwargs={name: _unpacked(value) for name, value in content["w"].items()},
            subscribe=content["s"],
            user=content["u"],
            language=content["l"],
        )
    except signing.BadSignature:
        raise InvalidState("The state is not one of ours.") from None
    except LookupError:  # no such member, no such model: of another release
        raise InvalidState("The state is of another version.") from None


class _Serializer(signing.JSONSerializer):
    def dumps(self, obj: Any) -> bytes:
        text = DjangoJSONEncoder(separators=(",", ":")).encode(obj)
        return text.encode("latin-1")


def _packed(value: Any) -> Any:
    if isinstance(value, Model):
        return {"model": value._meta.label_lower, "pk": value.pk}
    if isinstance(value, dict):
        return {"dict": {name: _packed(one) for name, one in value.items()}}
    if isinstance(value, list | tuple):
        return [_packed(one) for one in value]
    return value


def _unpacked(value: Any) -> Any:
    if isinstance(value, list):
        return [_unpacked(one) for one in value]
    if not isinstance(value, dict):
        return value
    if "dict" in value:
        return {name: _unpacked(one) for name, one in value["dict"].items()}
    model = apps.get_model(value["model"])
    row = model._default_manager.filter(pk=value["pk"]).first()
    if row is None:
        raise ObjectDoesNotExist
    return row
