from __future__ import annotations

import random
from base64 import urlsafe_b64decode
from dataclasses import replace
from datetime import date
from decimal import Decimal
from typing import Any

import pytest
from django.contrib.auth.models import User
from django.core import signing
from django.core.exceptions import ImproperlyConfigured, ObjectDoesNotExist
from pytest_django import Settings

from sse_components.components.state import (
    LARGE,
    MAX_STATE,
    SALT,
    VERSION,
    InvalidState,
    State,
    read,
)

NAME = "tests.Anything"
BARE = State(NAME)
STATE = State(
    name=NAME,
    key="7",
    args=(1, "Ünïcode", None),
    kwargs={"day": date(2026, 11, 22)},
    subscribe=["news.a", "news.b"],
    user="3",
    language="de",
    zone="Europe/Berlin",
    attributes={"step": 2, "price": Decimal("1.50")},
    counted={"tests.Row": 3},
)


def test_a_state_comes_back_as_it_was() -> None:
    assert read(STATE.signed(), NAME) == STATE
    assert read(BARE.signed(), NAME) == BARE
    fixed = replace(BARE, zone=0, subscribe="news.a")
    assert read(fixed.signed(), NAME) == fixed


def test_a_state_of_little_is_short() -> None:
    content, _, _ = BARE.signed().rpartition(":")[0].rpartition(":")
    assert urlsafe_b64decode(content + "==") == b'{"v":1,"c":"tests.Anything"}'


@pytest.mark.parametrize(
    ("state", "what"),
    [
        (State("demo.Todo", args=(1, object())), "argument 2"),
        (State("demo.Todo", kwargs={"rows": [object()]}), "argument rows"),
        (State("demo.Todo", attributes={"form": object()}), r"self\.form"),
    ],
)
def test_what_cannot_travel_is_an_error_that_names_it(state: State, what: str) -> None:
    with pytest.raises(
        TypeError, match=rf"demo\.Todo can't keep {what}: .* the type object"
    ):
        state.signed()


def of_size(characters: int) -> State:
    """Return a state of about so many characters, which no compression shortens."""
    text = random.Random(1).randbytes(characters * 9 // 16).hex()
    return replace(BARE, attributes={"text": text})


def test_a_state_that_is_large_is_an_error_while_debugging_and_a_warning_later(
    settings: Settings, caplog: pytest.LogCaptureFixture
) -> None:
    state = of_size(2 * LARGE)
    assert LARGE < len(state.signed()) < MAX_STATE
    (warning,) = caplog.records
    assert "tests.Anything keeps" in warning.getMessage()
    assert f"may be {LARGE}" in warning.getMessage()
    settings.DEBUG = True
    with pytest.raises(ImproperlyConfigured, match=r"tests\.Anything keeps \d+ char"):
        state.signed()


@pytest.mark.parametrize("debug", [True, False])
def test_a_state_is_never_larger_than_a_page_bears(
    settings: Settings, debug: bool
) -> None:
    settings.DEBUG = debug
    with pytest.raises(ImproperlyConfigured, match="have load\\(\\) fetch the rest"):
        of_size(2 * MAX_STATE).signed()


def test_a_state_of_ordinary_size_is_nothing_to_speak_of(
    settings: Settings, caplog: pytest.LogCaptureFixture
) -> None:
    settings.DEBUG = True
    assert 10_000 < len(of_size(20_000).signed()) < LARGE
    assert not caplog.records


@pytest.mark.django_db
def test_without_the_row_of_an_argument_there_is_no_state() -> None:
    anna = User.objects.create_user("anna")
    texts = [
        replace(BARE, args=(anna,)).signed(),
        replace(BARE, kwargs={"users": [anna]}).signed(),
    ]
    anna.delete()
    for text in texts:
        with pytest.raises(ObjectDoesNotExist):
            read(text, NAME)


@pytest.mark.django_db
def test_an_attribute_whose_row_is_gone_is_left_out() -> None:
    anna = User.objects.create_user("anna")
    text = replace(BARE, attributes={"who": anna, "step": 2}).signed()
    assert read(text, NAME).attributes == {"who": anna, "step": 2}
    anna.delete()
    assert read(text, NAME).attributes == {"step": 2}


def signed(**members: Any) -> str:
    return signing.dumps(members, salt=SALT)


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
        pytest.param(signed(), id="empty"),
    ],
)
def test_a_text_that_is_not_a_state_of_ours_is_invalid(text: object) -> None:
    with pytest.raises(InvalidState):
        read(text, NAME)


@pytest.mark.parametrize(
    "members",
    [
        {"c": NAME, "k": None, "a": [], "w": {}, "s": None, "u": None, "l": None},
        {"v": VERSION - 1, "c": NAME},
        {"v": VERSION + 1, "c": NAME, "a": {"in": "another shape"}},
        {"v": VERSION},
        {"v": VERSION, "c": NAME, "a": [{"model": ["demo.goneforever", 1]}]},
        {"v": VERSION, "c": NAME, "i": {"step": {"of another kind": 1}}},
    ],
)
def test_a_state_of_another_shape_is_of_another_version(members: Any) -> None:
    with pytest.raises(InvalidState, match="of another version"):
        read(signed(**members), NAME)


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
