"""Users by name and by primary key."""

from __future__ import annotations

import pytest
from django.contrib.auth.models import User

from sse_components.console import who

pytestmark = pytest.mark.django_db

NOBODYS = ["", "x", "-1", "1.5", "9" * 40, "é"]


def test_users_have_the_names_that_they_have_in_the_database() -> None:
    ada, ben = User.objects.create_user("ada"), User.objects.create_user("ben")
    given = [str(ada.pk), str(ben.pk), str(ben.pk + 1), *NOBODYS]
    assert who.names_of(given) == {str(ada.pk): "ada", str(ben.pk): "ben"}


def test_who_is_searched_by_a_part_of_the_name_or_by_the_whole_key() -> None:
    ada, ben = User.objects.create_user("ada"), User.objects.create_user("ben")
    assert who.search("A") == [ada]
    assert who.search(str(ben.pk)) == [ben]
    assert who.search("e") == [ben]
    for text in ("zz", "9" * 40, "\0zz"):
        assert who.search(text) == []


def test_a_name_goes_before_a_key() -> None:
    ada = User.objects.create_user("ada")
    ben = User.objects.create_user(str(ada.pk))
    assert who.primary_key("ada") == str(ada.pk)
    assert who.primary_key(str(ada.pk)) == str(ben.pk)
    assert who.primary_key(str(ben.pk)) == str(ben.pk)


def test_a_key_may_be_that_of_a_user_who_is_gone() -> None:
    assert who.primary_key("4711") == "4711"
    for text in ("ada", "", "9" * 40):
        with pytest.raises(ValueError, match="There is no user"):
            who.primary_key(text)
