from __future__ import annotations

from sse_components.places import Place, Places


def taken(places: Places) -> Place:
    place = places.take()
    assert place
    return place


# A25
def test_no_more_places_are_given_than_there_are() -> None:
    places = Places(2, 9)
    first, _ = taken(places), taken(places)
    assert places.take() is None
    first.give_back()
    assert places.take()
    assert places.take() is None


# A25
def test_a_user_may_claim_so_many_and_others_as_many() -> None:
    places = Places(9, 2)
    assert [taken(places).claim("7") for _ in range(3)] == [True, True, False]
    assert [taken(places).claim("8") for _ in range(3)] == [True, True, False]


def test_a_place_that_is_given_back_may_be_claimed_again() -> None:
    places = Places(9, 1)
    first, second = taken(places), taken(places)
    assert first.claim("7")
    assert not second.claim("7")
    first.give_back()
    assert second.claim("7")


def test_a_place_whose_claim_was_refused_takes_none_from_the_user() -> None:
    places = Places(9, 1)
    first, second = taken(places), taken(places)
    assert first.claim("7")
    assert not second.claim("7")
    second.give_back()
    assert not taken(places).claim("7")


def test_a_place_of_nobody_is_given_back_too() -> None:
    places = Places(1, 1)
    for _ in range(3):
        taken(places).give_back()
    assert places.take()
