from __future__ import annotations

import pytest

from sse_components.meters import SECONDS, Distribution, Meters, RoundTrips


def test_what_takes_exactly_as_long_as_a_bound_counts_below_it() -> None:
    distribution = Distribution()
    for seconds in (0.0, 0.001, 0.0011, 10.0, 10.1):
        distribution.add(seconds)
    assert distribution.counts[:2] == [2, 1]
    assert distribution.counts[-2:] == [1, 1]
    assert distribution.total == pytest.approx(20.1021)
    assert len(distribution.counts) == len(SECONDS) + 1


def test_an_age_is_never_below_zero() -> None:
    distribution = Distribution()
    distribution.add_ages(1_000_000.0, [1_000_500, 800_000])
    assert distribution.counts[0] == 1
    assert distribution.total == pytest.approx(0.2)


def test_two_hubs_count_by_themselves() -> None:
    one, other = Meters(), Meters()
    one.resets["epoch"] += 1
    one.latency.add(1)
    assert not other.resets
    assert not any(other.latency.counts)


def test_a_round_trip_that_fails_is_counted_as_such() -> None:
    trips = RoundTrips()
    with trips.taken(["publish", "publish", "note"]):
        pass
    with pytest.raises(OSError), trips.taken(["note"]):
        raise OSError
    assert trips.calls == {
        ("publish", "answered"): 2,
        ("note", "answered"): 1,
        ("note", "failed"): 1,
    }
    assert sum(trips.seconds.counts) == 2
