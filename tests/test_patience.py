from __future__ import annotations

from sse_components.patience import (
    GAP_SECONDS,
    MANY,
    MOST_ATTEMPTS_BETWEEN,
    MOST_SECONDS,
    Patience,
)

COST = 0.008


def attempts(patience: Patience, fan_outs: int) -> int:
    """Return how many of so many lonely events were made to wait."""
    waited = 0
    for number in range(fan_outs):
        if patience.pause(float(number), MANY, 1):
            waited += 1
            assert patience.pause(number + GAP_SECONDS, MANY, 1) == 0
        patience.wrote(COST)
    return waited


def test_few_connections_never_wait() -> None:
    patience = Patience()
    patience.wrote(COST)
    assert patience.pause(0, MANY - 1, 1) == 0


def test_who_comes_alone_is_hardly_ever_made_to_wait() -> None:
    patience = Patience()
    assert attempts(patience, 2 * MOST_ATTEMPTS_BETWEEN) == 7  # 1, 2, 4, … between
    assert attempts(patience, 10 * MOST_ATTEMPTS_BETWEEN) <= 10


def test_company_is_waited_for_as_long_as_it_comes_and_a_fan_out_is_worth() -> None:
    patience = Patience()
    patience.wrote(COST)
    now, events = 0.0, 1
    while pause := patience.pause(now, MANY, events):
        now += pause
        events += 1
    assert 2 * COST <= now <= 2 * COST + 2 * GAP_SECONDS
    assert patience.pause(now, MANY, 1) == GAP_SECONDS  # and the next one waits too


def test_nothing_waits_longer_than_the_most() -> None:
    patience = Patience()
    patience.wrote(10)
    now, events = 0.0, 1
    while pause := patience.pause(now, MANY, events):
        now += pause
        events += 1
    assert now <= MOST_SECONDS + GAP_SECONDS


def test_company_once_is_enough_to_wait_again() -> None:
    patience = Patience()
    attempts(patience, 1000)
    while not patience.pause(0, MANY, 1):
        patience.wrote(COST)
    assert patience.pause(GAP_SECONDS, MANY, 2)
    assert patience.pause(2 * GAP_SECONDS, MANY, 2) == 0
    assert patience.pause(1, MANY, 1)


def test_one_that_is_stopped_early_counts_as_one_that_waited() -> None:
    patience = Patience()
    assert patience.pause(0, MANY, 1)
    patience.stop(5)
    assert patience.pause(1, MANY, 1)
