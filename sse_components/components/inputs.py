"""What a call sends, checked: its body, its page, its properties, its arguments."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Sequence
from typing import Any, Final

from django.http import HttpRequest
from django.utils.http import url_has_allowed_host_and_scheme
from pydantic import ValidationError

from sse_components.components import validators
from sse_components.components.base import ReactiveComponent
from sse_components.posts import Refused, body_of

_MEMBERS: Final[dict[str, type]] = {"props": dict, "pushed": list, "args": list}


def body(request: HttpRequest) -> dict[str, Any]:
    """Return the body of a call, the members of which are of their types."""
    found = body_of(request)
    for name, kind in _MEMBERS.items():
        if not isinstance(found.get(name, kind()), kind):
            raise Refused(400, "body", f"{name} is of another type.")
    return found


def path(request: HttpRequest, body: dict[str, Any]) -> str:
    """Return path and query of the page that calls."""
    given = body.get("page")
    if (
        isinstance(given, str)
        and given.startswith("/")
        and url_has_allowed_host_and_scheme(given, allowed_hosts=None)
    ):
        return given
    return request.get_full_path()


def props(component: type[ReactiveComponent], body: dict[str, Any]) -> dict[str, Any]:
    """Return the public properties of a body, validated; other keys are ignored."""
    given = body.get("props", {})
    found, errors = {}, []
    for name, public in component.public_properties().items():
        if name not in given:
            continue
        try:
            found[name] = public.validate(component, given[name])
        except ValidationError as error:
            errors.append(_error(f"/props/{name}", error))
    if errors:
        detail = "A property has a value that it can't have."
        raise Refused(422, "props", detail, errors=errors)
    return found


def arguments(method: Callable[..., Any], given: Sequence[Any]) -> list[Any]:
    """Return the arguments of a bound method, as its annotations want them."""
    try:
        inspect.signature(method).bind(*given)
    except TypeError as error:
        raise _refused([{"pointer": "/args", "message": str(error)}]) from None
    validator_of = validators.of_arguments(method.__func__)  # type: ignore[attr-defined]
    found, errors = [], []
    for number, value in enumerate(given):
        validator = validator_of(number)
        try:
            found.append(validator.validate_python(value) if validator else value)
        except ValidationError as error:
            errors.append(_error(f"/args/{number}", error))
    if errors:
        raise _refused(errors)
    return found


def _refused(errors: list[dict[str, str]]) -> Refused:
    return Refused(422, "args", "The method takes other arguments.", errors=errors)


def _error(pointer: str, error: ValidationError) -> dict[str, str]:
    return {"pointer": pointer, "message": error.errors()[0]["msg"]}
