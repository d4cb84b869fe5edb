from __future__ import annotations

import re
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import timedelta
from typing import Any

import pytest
from django.core.exceptions import ValidationError
from django.db.models.signals import post_save
from django.test import RequestFactory
from django.utils import timezone
from django.views.debug import ExceptionReporter
from pytest_django import Settings

from api.keys import digest, prefix_of
from api.models import ApiKey, Secret, State

pytestmark = pytest.mark.django_db
HOUR = timedelta(hours=1)


def _key(**fields: Any) -> ApiKey:
    given = {"name": "shop", "scopes": ["publish"], "patterns": ["news.**"]} | fields
    key = ApiKey(**given)
    key.full_clean()
    key.save()
    return key


def _ends(key: ApiKey) -> list[timedelta | None]:
    """From now, in whole minutes, of the newest secret first."""
    ends = key.secrets.values_list("expires_at", flat=True)
    now = timezone.now()
    return [
        timedelta(minutes=round((end - now).total_seconds() / 60)) if end else None
        for end in ends
    ]


@contextmanager
def _saved(receiver: Callable[..., None], sender: type[Any]) -> Iterator[None]:
    post_save.connect(receiver, sender)
    yield
    post_save.disconnect(receiver, sender)


def test_of_an_issued_key_a_prefix_and_a_digest_are_kept() -> None:
    key = _key()
    text = key.issue()
    (secret,) = Secret.objects.values()
    assert (secret["prefix"], secret["digest"]) == (prefix_of(text), digest(text))
    assert text.rpartition("_")[2] not in str([secret, *ApiKey.objects.values()])


def test_a_rotated_key_has_two_secrets_for_a_while() -> None:
    key = _key()
    first, second = key.issue(), key.rotate(HOUR)
    assert first != second
    assert key.prefixes == [prefix_of(second), prefix_of(first)]
    assert _ends(key) == [None, HOUR]


def test_without_an_overlap_the_secret_before_ends_at_once() -> None:
    key = _key()
    key.issue()
    second = key.rotate(timedelta())
    assert key.prefixes == [prefix_of(second)]
    assert _ends(key) == [None, timedelta()]


def test_a_secret_that_ends_sooner_is_not_prolonged() -> None:
    key = _key()
    key.issue()
    key.rotate(HOUR)
    key.rotate(2 * HOUR)
    assert _ends(key) == [None, 2 * HOUR, HOUR]
    key.rotate(timedelta())
    assert _ends(key) == [None, timedelta(), timedelta(), timedelta()]


def test_a_rotation_sees_secrets_made_since_the_key_was_read() -> None:
    _key().issue()
    read = ApiKey.objects.prefetch_related("secrets").get()
    ApiKey.objects.get().rotate(2 * HOUR)
    read.rotate(HOUR)
    assert _ends(ApiKey.objects.get()) == [None, HOUR, HOUR]


def test_a_rotation_tells_of_every_secret_that_it_changes() -> None:
    key = _key()
    key.issue()
    key.rotate(HOUR)
    told: list[tuple[int, bool]] = []

    def note(instance: Secret, created: bool, **_: object) -> None:
        told.append((instance.pk, created))

    with _saved(note, Secret):
        key.rotate(2 * HOUR)
    new, former, _ = key.secrets.values_list("pk", flat=True)
    assert told == [(former, False), (new, True)]


def test_a_revoked_key_stays_so_and_gets_no_secret() -> None:
    key = _key()
    key.issue()
    key.revoke()
    revoked_at = key.revoked_at
    key.revoke()
    assert ApiKey.objects.get().revoked_at == revoked_at
    for issue in (key.issue, lambda: key.rotate(HOUR)):
        with pytest.raises(ValidationError, match="shop is revoked, for good"):
            issue()
    assert _ends(key) == [None]


def test_who_read_a_key_before_it_was_revoked_rotates_it_no_more() -> None:
    _key().issue()
    read = ApiKey.objects.get()
    ApiKey.objects.get().revoke()
    with pytest.raises(ValidationError, match="revoked"):
        read.rotate(HOUR)
    assert _ends(read) == [None]


def test_a_revocation_is_told_and_changes_nothing_else() -> None:
    _key()
    read = ApiKey.objects.get()
    ApiKey.objects.update(name="renamed")
    told: list[bool] = []

    def note(instance: ApiKey, **_: object) -> None:
        told.append(instance.is_valid)

    with _saved(note, ApiKey):
        read.revoke()
    assert told == [False]
    assert ApiKey.objects.get().name == "renamed"


@pytest.mark.parametrize(
    ("expires_in", "is_revoked", "state"),
    [
        (None, False, "valid"),
        (HOUR, False, "valid"),
        (timedelta(), False, "expired"),
        (-HOUR, False, "expired"),
        (HOUR, True, "revoked"),
        (-HOUR, True, "revoked"),
    ],
)
def test_a_key_is_valid_until_it_expires_or_is_revoked(
    expires_in: timedelta | None, is_revoked: bool, state: State
) -> None:
    now = timezone.now()
    key = ApiKey(
        expires_at=None if expires_in is None else now + expires_in,
        revoked_at=now if is_revoked else None,
    )
    assert key.state == state
    assert key.is_valid == (state == "valid")


def test_a_key_was_used_when_any_of_its_secrets_was() -> None:
    key = _key()
    assert key.last_used_at is None
    key.issue()
    key.rotate(HOUR)
    assert key.last_used_at is None
    new, former = key.secrets.all()
    for secret, ago in ((new, 2 * HOUR), (former, HOUR)):
        secret.last_used_at = timezone.now() - ago
        secret.save()
    assert key.last_used_at == former.last_used_at


@pytest.mark.parametrize(
    ("field", "given", "said"),
    [
        ("scopes", [], "At least one is needed."),
        ("scopes", "publish", "At least one is needed."),
        ("scopes", ["publish", "write"], "'write' is no scope: there are publish, "),
        ("scopes", [None], "None is no scope"),
        ("patterns", [], "At least one is needed."),
        ("patterns", {"news": 1}, "At least one is needed."),
        ("patterns", ["news.**.a"], r"'news.**.a' is not a pattern"),
        ("patterns", ["news.a b"], "'news.a b' is not a pattern"),
        ("patterns", [""], "'' is not a pattern"),
        ("patterns", [7], "7 is not a pattern"),
        ("patterns", ["session.0123abc"], "never by its key"),
        ("patterns", ["auth.user.*"], "auth.user.* covers nothing"),
        ("patterns", ["presence.**"], "presence.** covers nothing"),
        ("name", "", "This field cannot be blank."),
        ("name", "a" * 101, "at most 100 characters"),
        ("rate", -1, "greater than or equal to 0"),
    ],
)
def test_what_a_key_cannot_be_is_said_of_the_field(
    field: str, given: Any, said: str
) -> None:
    with pytest.raises(ValidationError) as caught:
        _key(**{field: given})
    assert list(caught.value.message_dict) == [field]
    assert said in " ".join(caught.value.message_dict[field])


def test_all_that_is_wrong_is_said_at_once() -> None:
    with pytest.raises(ValidationError) as caught:
        _key(scopes=["a", "b"], patterns=["a b", "news", ".."])
    said = caught.value.message_dict
    assert {field: len(messages) for field, messages in said.items()} == {
        "scopes": 2,
        "patterns": 2,
    }


@pytest.mark.parametrize(
    "pattern",
    ["**", "news", "*.a", "news.*", "auth.user.7", "presence.users", "broadcast"],
)
def test_a_key_may_have_groups_and_patterns_and_those_of_users_in_full(
    pattern: str,
) -> None:
    assert _key(patterns=[pattern]).patterns == [pattern]


def test_what_is_said_twice_is_kept_once() -> None:
    key = _key(scopes=["read", "publish", "read"], patterns=["b", "a", "b"])
    assert (key.scopes, key.patterns) == (["read", "publish"], ["b", "a"])


def test_a_name_is_taken_once() -> None:
    _key()
    with pytest.raises(ValidationError, match="already exists"):
        _key()


def test_the_report_of_an_error_does_not_show_the_key(settings: Settings) -> None:
    settings.DEBUG = False

    def fail(**_: object) -> None:
        raise RuntimeError("The disk is full")

    with _saved(fail, Secret):
        try:
            _key().issue()
        except RuntimeError:
            reporter = ExceptionReporter(RequestFactory().get("/"), *sys.exc_info())
    report = reporter.get_traceback_html()
    assert "in issue" in report
    assert not re.search(r"sse_[a-z0-9]{12}_", report)
