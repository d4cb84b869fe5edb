from __future__ import annotations

from dataclasses import replace
from datetime import date
from decimal import Decimal
from typing import Any
from uuid import UUID

import pytest
from django.contrib.auth.models import Group, User
from django.core import signing
from django.core.exceptions import ObjectDoesNotExist
from pytest_django import Settings

from sse_components.components.state import SALT, InvalidState, State, read

NAME = "tests.Anything"
STATE = State(
    name=NAME,
    key="7",
    args=(),
    kwargs={},
    subscribe="news.a",
    user="3",
    language="de",
)


def carried(*args: Any, **kwargs: Any) -> State:
    return read(replace(STATE, args=args, kwargs=kwargs).signed(), NAME)


def test_a_state_comes_back_as_it_was() -> None:
    assert read(STATE.signed(), NAME) == STATE


def test_plain_arguments_come_back() -> None:
    state = carried(1, "Ünïcode", None, [1, [2]], {"a": {"model": 1}}, flag=True)
    assert state.args == (1, "Ünïcode", None, [1, [2]], {"a": {"model": 1}})
    assert state.kwargs == {"flag": True}


def test_what_json_does_not_know_travels_as_text() -> None:
    number = UUID(int=1)
    state = carried(date(2026, 11, 22), Decimal("1.50"), number)
    assert state.args == ("2026-11-22", "1.50", str(number))


def test_an_argument_that_cannot_travel_is_an_error() -> None:
    with pytest.raises(TypeError):
        replace(STATE, args=(object(),)).signed()


@pytest.mark.django_db
def test_models_travel_as_their_primary_key() -> None:
    anna = User.objects.create_user("anna", "anna@example.com")
    editors = Group.objects.create(name="editors")
    state = carried(anna, [editors], found={"who": anna})
    assert state.args == (anna, [editors])
    assert state.kwargs == {"found": {"who": anna}}
    User.objects.update(first_name="Anna")
    again = carried(anna).args[0]
    assert again.first_name == "Anna"


@pytest.mark.django_db
def test_a_row_that_is_gone_does_not_exist() -> None:
    anna = User.objects.create_user("anna")
    text = replace(STATE, args=(anna,)).signed()
    anna.delete()
    with pytest.raises(ObjectDoesNotExist):
        read(text, NAME)


@pytest.mark.parametrize(
    "text",
    [
        None,
        "",
        "garbage",
        "a:b:c",
        5,
        ["x"],
        {},
        "Ünïcode:1:2",
        "\0",
        # Signed now, so each has a name of its own: a test is called the same always.
        pytest.param(signing.dumps({"c": NAME}, salt="another"), id="another salt"),
        pytest.param(signing.dumps({"c": NAME}, salt=SALT), id="nothing but a name"),
        pytest.param(signing.dumps({}, salt=SALT), id="empty"),
        pytest.param(
            signing.dumps(
                {"c": NAME, "k": None, "w": {}, "s": None, "u": None, "l": None}
                | {"a": [{"model": "demo.goneforever", "pk": 1}]},
                salt=SALT,
            ),
            id="an unknown model",
        ),
    ],
)
def test_a_text_that_is_not_a_state_of_ours_is_invalid(text: object) -> None:
    with pytest.raises(InvalidState):
        read(text, NAME)


def test_no_character_of_a_state_can_be_changed() -> None:
    text = STATE.signed()
    for place in range(len(text)):
        other = "A" if text[place] != "A" else "B"
        with pytest.raises(InvalidState):
            read(text[:place] + other + text[place + 1 :], NAME)


def test_a_state_fits_no_other_component() -> None:
    with pytest.raises(InvalidState):
        read(STATE.signed(), "tests.Other")


def test_a_state_of_an_older_secret_key_is_read(settings: Settings) -> None:
    settings.SECRET_KEY = "before"
    text = STATE.signed()
    settings.SECRET_KEY = "now"
    with pytest.raises(InvalidState):
        read(text, NAME)
    settings.SECRET_KEY_FALLBACKS = ["before"]
    assert read(text, NAME) == STATE
