from __future__ import annotations

import json
from datetime import UTC, date, datetime, time, timedelta
from decimal import Decimal
from enum import Enum, Flag, IntEnum, StrEnum, auto
from typing import Any
from uuid import UUID

import pytest
from django.contrib.auth.models import Group, User
from django.contrib.sessions.models import Session
from django.core.exceptions import ObjectDoesNotExist
from django.db import models
from django.utils import timezone
from django.utils.safestring import SafeString, mark_safe
from django.utils.translation import gettext_lazy, override
from hypothesis import given
from hypothesis import strategies as st

from sse_components.components.packing import packed, unpacked

PLAIN = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(),
    st.floats(allow_nan=False),
    st.text(),
    st.dates(),
    st.datetimes(timezones=st.none() | st.just(UTC)),
    st.times(),
    st.timedeltas(),
    st.decimals(allow_nan=False),
    st.uuids(),
)
ANYTHING = st.recursive(
    PLAIN,
    lambda inner: (
        st.lists(inner)
        | st.tuples(inner, inner)
        | st.dictionaries(st.text() | st.integers() | st.dates(), inner)
    ),
)


def carried(value: Any) -> Any:
    return unpacked(json.loads(json.dumps(packed(value))))


@given(ANYTHING)
def test_what_is_packed_comes_back(value: object) -> None:
    found = carried(value)
    assert found == value
    assert type(found) is type(value)


@pytest.mark.parametrize(
    "value",
    [
        {"model": ["auth.user", 1]},
        {"dict": []},
        [{"date": "2026-11-22"}],
        {"a": {"tuple": [1]}},
        {7: {None: True}},
    ],
)
def test_a_dict_is_taken_for_nothing_else(value: object) -> None:
    assert carried(value) == value


@pytest.mark.parametrize(
    "value",
    [
        date(2026, 11, 22),
        datetime(2026, 11, 22, 8, 24, 5, 130001, UTC),
        time(8, 24),
        timedelta(days=-1, microseconds=7),
        Decimal("1.50"),
        UUID(int=1),
    ],
)
def test_what_json_does_not_know_is_what_it_was(value: object) -> None:
    assert carried([value]) == [value]


def test_text_that_is_safe_stays_so_and_no_other_becomes_it() -> None:
    assert isinstance(carried(mark_safe("<b>")), SafeString)
    assert not isinstance(carried("<b>"), SafeString)


def test_a_lazy_text_is_that_of_its_page() -> None:
    with override("de"):
        text = packed(gettext_lazy("Yes"))
    assert text == "Ja"


class Kind(Enum):
    NEW = "new"
    NONE = None
    PAIR = (1, Decimal("1.50"))


class Status(models.TextChoices):
    NEW = "new", gettext_lazy("New")


class Size(IntEnum):
    SMALL = 1


class Day(date, Enum):
    FIRST = (2026, 11, 22)


class Rights(Flag):
    READ = auto()
    WRITE = auto()


class Holder:
    class Inner(StrEnum):
        DEEP = auto()


MEMBERS = [
    *Kind,
    Status.NEW,
    Size.SMALL,
    Day.FIRST,
    Rights.READ | Rights.WRITE,
    Holder.Inner.DEEP,
]


@pytest.mark.parametrize("member", MEMBERS, ids=repr)
def test_a_member_of_an_enum_comes_back_as_the_same(member: Enum) -> None:
    assert carried(member) is member
    assert carried({member: [member]}) == {member: [member]}
    (key,) = carried({member: 1})
    assert key is member


def test_a_member_of_an_enum_that_cannot_be_found_again_is_refused() -> None:
    class Own(Enum):
        ONE = 1

    with pytest.raises(TypeError, match="the type Own, which isn't found by its name"):
        packed(Own.ONE)
    with pytest.raises(TypeError, match="the type object"):
        packed(Unpackable.ONE)


class Unpackable(Enum):
    ONE = object()


@pytest.mark.parametrize("value", [object(), {1}, b"x", Kind, User, lambda: None])
@pytest.mark.parametrize("inside", [lambda value: value, lambda value: {"a": [value]}])
def test_what_cannot_come_back_is_refused(value: object, inside: Any) -> None:
    with pytest.raises(TypeError, match=f"the type {type(value).__name__}"):
        packed(inside(value))


@pytest.mark.django_db
def test_models_travel_as_their_primary_key() -> None:
    anna = User.objects.create_user("anna", "anna@example.com")
    editors = Group.objects.create(name="editors")
    text = json.dumps(packed({"who": [anna, editors]}))
    assert "example.com" not in text
    User.objects.update(first_name="Anna")
    found = unpacked(json.loads(text))
    assert found == {"who": [anna, editors]}
    assert found["who"][0].first_name == "Anna"


@pytest.mark.django_db
def test_a_primary_key_may_be_a_text() -> None:
    session = Session.objects.create(session_key="x", expire_date=timezone.now())
    assert carried(session) == session


@pytest.mark.django_db
def test_a_row_that_is_gone_does_not_exist() -> None:
    anna = User.objects.create_user("anna")
    text = packed(anna)
    anna.delete()
    with pytest.raises(ObjectDoesNotExist):
        unpacked(text)


def test_a_row_that_is_not_saved_is_refused() -> None:
    with pytest.raises(TypeError, match="the type User, not saved"):
        packed(User(username="anna"))


@pytest.mark.parametrize(
    "value",
    [
        {"model": ["demo.goneforever", 1]},
        {"gone": 1},
        {"enum": [__name__, "Kind", "gone"]},
        {"enum": [__name__, "Gone", 1]},
        {"enum": ["tests.gone", "Kind", "new"]},
        {"enum": [__name__, "date.today", 1]},
        {"enum": ["builtins", "str", "new"]},
    ],
)
def test_what_another_release_has_packed_is_unknown(value: object) -> None:
    with pytest.raises(LookupError):
        unpacked(value)
