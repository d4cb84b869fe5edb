from __future__ import annotations

from collections.abc import Callable
from functools import wraps
from typing import TYPE_CHECKING, Annotated, Any

import pytest
from pydantic import Field, ValidationError
from pydantic.errors import PydanticSchemaGenerationError

from sse_components.components.validators import of_arguments, of_attribute

if TYPE_CHECKING:
    from django.db.models import QuerySet


class Unknown:
    """Nothing that pydantic validates."""


class Row:
    pk: int
    small: Annotated[int, Field(le=10)] | None
    rows: QuerySet[Any]
    unknown: Unknown


class Narrowed(Row):
    pk: str  # type: ignore[assignment]


def test_an_attribute_has_the_validator_of_its_annotation() -> None:
    assert of_attribute(Row, "pk", Any).validate_python("5") == 5
    assert of_attribute(Narrowed, "pk", Any).validate_python("5") == "5"
    assert of_attribute(Narrowed, "small", Any).validate_python(10) == 10
    with pytest.raises(ValidationError):
        of_attribute(Row, "small", Any).validate_python(11)


def test_an_attribute_without_an_annotation_has_the_other_type() -> None:
    assert of_attribute(Row, "other", int).validate_python("5") == 5
    assert of_attribute(Row, "other", Any).validate_python("5") == "5"


def test_an_annotation_that_only_type_checkers_know_hurts_nobody_else() -> None:
    with pytest.raises(NameError, match="QuerySet"):
        of_attribute(Row, "rows", Any)
    with pytest.raises(PydanticSchemaGenerationError):
        of_attribute(Row, "unknown", Any)


class Taking:
    def plain(self, pk: int, other, *rest: float) -> None: ...  # type: ignore[no-untyped-def]

    def named(self, pk: int, *, rows: QuerySet[Any]) -> QuerySet[Any]:
        raise NotImplementedError

    def unknown(self, row: Unknown) -> None: ...


def decorated(method: Callable[..., Any]) -> Callable[..., Any]:
    @wraps(method)
    def wrapper(*args: Any, **kwargs: Any) -> Any:
        return method(*args, **kwargs)

    return wrapper


@pytest.mark.parametrize("method", [Taking.plain, decorated(Taking.plain)])
def test_arguments_have_the_validators_of_their_annotations(
    method: Callable[..., Any],
) -> None:
    validator_of = of_arguments(method)
    pk, other, first, third = (validator_of(number) for number in (0, 1, 2, 4))
    assert pk and first and third
    assert pk.validate_python("5") == 5
    assert other is None
    assert first is third
    assert first.validate_python("0.5") == 0.5


def test_the_validators_of_a_method_are_made_once() -> None:
    assert of_arguments(Taking.plain) is of_arguments(Taking.plain)


def test_what_no_page_gives_needs_no_validator() -> None:
    pk = of_arguments(Taking.named)(0)
    assert pk
    assert pk.validate_python("5") == 5


def test_an_argument_that_cannot_be_validated_is_an_error() -> None:
    with pytest.raises(PydanticSchemaGenerationError):
        of_arguments(Taking.unknown)
