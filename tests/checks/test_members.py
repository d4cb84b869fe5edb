from __future__ import annotations

from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from typing import Annotated, Any, Literal

import pytest
from django.contrib.auth.models import User
from django.core.checks import CheckMessage
from django.utils.translation import gettext_lazy
from pydantic import AfterValidator

from sse_components import ReactiveComponent, public
from tests.checks.messages import NAME, checked, found


def error() -> CheckMessage:
    (error,) = found()
    assert error.is_serious()
    assert error.obj == NAME
    assert error.hint
    return error


# Names


@pytest.mark.parametrize(
    "name",
    [
        "request",
        "page",
        "client",
        "watch",
        "props",
        "load",
        "subscription",
        "get_subscription",
        "component",
        "init",
        "destroy",
        "_refresh",
        "_private",
    ],
)
@pytest.mark.parametrize("is_method", [True, False])
def test_a_public_name_that_is_a_components_own_is_an_error(
    name: str, is_method: bool
) -> None:
    member = public(lambda component: None) if is_method else public("")
    checked(**{name: member})
    taken = error()
    assert taken.id == "sse_components.E014"
    assert repr(name) in taken.msg


@pytest.mark.parametrize("name", ["delete", "new", "class", "await", "default"])
@pytest.mark.parametrize("is_method", [True, False])
def test_a_public_name_that_is_a_word_of_javascript_is_an_error(
    name: str, is_method: bool
) -> None:
    checked(**{name: public(lambda component: None) if is_method else public("")})
    word = error()
    assert word.id == "sse_components.E019"
    assert repr(name) in word.msg


@pytest.mark.parametrize("name", ["remove", "static", "of", "items"])
def test_other_words_are_names(name: str) -> None:
    checked(**{name: public("")})
    assert found() == []


def test_what_is_a_components_own_may_be_overridden() -> None:
    checked(load=lambda component: None, get_subscription=lambda component: [], _x=1)
    assert found() == []


# What is watched


def test_to_watch_what_is_no_public_property_is_an_error_that_names_those() -> None:
    watches = public.watch("title")(lambda component: None)
    checked(titel=public(""), done=public(False), rename=watches)
    unknown = error()
    assert unknown.id == "sse_components.E015"
    assert "'rename'" in unknown.msg
    assert "'title'" in unknown.msg
    assert unknown.hint
    assert "titel, done" in unknown.hint


def test_to_watch_a_public_property_passes() -> None:
    checked(title=public(""), rename=public.watch("title")(lambda component: None))
    assert found() == []


# What is overridden


def overridden(**members: object) -> None:
    """Register a component that has public members, and others from a class below."""

    class Base(ReactiveComponent):
        title = public("")

        @public
        def rename(self) -> None: ...

    own = {"__module__": __name__, "template": "<p></p>"}
    type(NAME.partition(".")[2], (Base,), own | members)


@pytest.mark.parametrize(
    ("name", "member"),
    [("title", ""), ("rename", lambda component: None), ("rename", None)],
)
def test_what_hides_a_public_member_and_is_not_public_is_a_warning(
    name: str, member: object
) -> None:
    overridden(**{name: member})
    (warning,) = found()
    assert warning.id == "sse_components.W029"
    assert not warning.is_serious()
    assert warning.obj == NAME
    assert repr(name) in warning.msg
    assert "'Base'" in warning.msg
    assert warning.hint


def test_a_public_member_may_be_overridden_by_a_public_one() -> None:
    overridden(title=public("x"), rename=public(lambda component: None))
    assert found() == []


def test_a_coroutine_that_loads_is_an_error() -> None:
    async def load(component: object) -> None: ...

    checked(load=load)
    coroutine = error()
    assert coroutine.id == "sse_components.E028"
    assert "'load'" in coroutine.msg


# Types


@dataclass
class Colour:
    """What pydantic knows, and JSON has."""

    name: str


class Unknown:
    """Nothing that pydantic knows."""


@pytest.mark.parametrize(
    "annotation", [Unknown, "NoSuchName", "Any.no_such_name", "no syntax", "list | 3"]
)
def test_an_annotation_that_can_not_be_validated_is_an_error(annotation: Any) -> None:
    checked(__annotations__={"count": annotation}, count=public(1))
    unknown = error()
    assert unknown.id == "sse_components.E016"
    assert "'count'" in unknown.msg


def test_a_default_of_a_type_that_can_not_be_validated_is_an_error() -> None:
    checked(author=public(User(pk=7)))
    assert error().id == "sse_components.E016"


def test_a_default_that_can_not_be_sent_to_the_page_is_an_error() -> None:
    checked(count=public(Unknown()))
    assert error().id == "sse_components.E017"


def test_an_argument_that_can_not_be_validated_is_an_error() -> None:
    def choose(component: object, one: Unknown) -> None: ...

    checked(choose=public(choose))
    unknown = error()
    assert unknown.id == "sse_components.E016"
    assert "'choose'" in unknown.msg


@pytest.mark.parametrize(
    ("annotation", "default"),
    [
        (int, None),
        (int, "many"),
        (Literal["a", "b"], "c"),
        (list[int], ["x"]),
        (Any, float("inf")),
    ],
)
def test_a_default_that_its_annotation_refuses_is_an_error(
    annotation: Any, default: object
) -> None:
    checked(__annotations__={"count": annotation}, count=public(default))
    refused = error()
    assert refused.id == "sse_components.E017"
    assert "'count'" in refused.msg
    assert repr(default) in refused.msg


def raises(value: object) -> object:
    raise KeyError(value)


def test_a_default_whose_validator_fails_is_an_error() -> None:
    annotation = Annotated[str, AfterValidator(raises)]
    checked(__annotations__={"colour": annotation}, colour=public("red"))
    refused = error()
    assert refused.id == "sse_components.E017"
    assert "KeyError('red')" in refused.msg


@pytest.mark.parametrize(
    ("annotation", "default"),
    [
        (str, ""),
        (int | None, None),
        (Decimal, Decimal("1.5")),
        (date, date(2026, 11, 22)),
        (list[int], []),
        (str, gettext_lazy("Hello")),
        (Literal["a", "b"], "a"),
        (set[int], {1}),
        (Colour, Colour("red")),
    ],
)
def test_a_default_that_its_annotation_allows_passes(
    annotation: Any, default: object
) -> None:
    checked(__annotations__={"count": annotation}, count=public(default))
    assert found() == []


def test_what_has_no_annotation_passes() -> None:
    checked(title=public(None), names=public([]), save=public(lambda one, pk: None))
    assert found() == []
