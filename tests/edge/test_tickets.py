from __future__ import annotations

import time

import pytest
from pytest_django import Settings

from sse_components import channels
from sse_components.edge import tickets
from sse_components.edge.tickets import Further, Ticket, Unreadable
from sse_components.events import Position
from sse_components.revocations import Whose
from sse_components.wire import Vector

AT = Position("7f3a", 17)
WHOSE = Whose(AT, "7", "f" * 32, "h-abc", frozenset({"issuer:shop", "key:shop"}))


def test_a_ticket_comes_back_as_it_was() -> None:
    ticket = Ticket(WHOSE, 1_800_000_000)
    assert tickets.read(ticket.channel) == ticket
    assert tickets.read(Ticket(Whose(AT), 5).channel) == Ticket(Whose(AT), 5)


def test_a_ticket_is_a_channel_that_no_group_has() -> None:
    channel = Ticket(WHOSE, 1_800_000_000).channel
    assert channel.startswith("sse-.")
    assert channels.group_of(channel) is None
    assert not set(channel) & set(' ,;:="%')  # which stand for something in a header
    assert len(channel) < 500


def test_a_ticket_that_is_not_ours_is_unreadable(settings: Settings) -> None:
    channel = Ticket(WHOSE, 1_800_000_000).channel
    for wrong in (channel[:-1], "sse-.", "sse-.abc.def", channel.replace(".", "", 1)):
        with pytest.raises(Unreadable):
            tickets.read(wrong)
    settings.SECRET_KEY = "another one"
    with pytest.raises(Unreadable):
        tickets.read(channel)


def test_a_ticket_is_over_at_its_time() -> None:
    assert Ticket(WHOSE, int(time.time()) - 1).is_over
    assert not Ticket(WHOSE, int(time.time()) + 60).is_over


def test_where_a_stream_goes_on_stands_in_an_address() -> None:
    places = {"demo.todo.*": AT, "news.local": Position("7f3a", 4)}
    further = Further(places, "sse-.ticket", True)
    assert tickets.read_further(further.text) == further
    had = Further(places, "", False, Vector({"0" * 8: AT}))
    assert tickets.read_further(had.text) == had
    assert not set(further.text) & set("/?#%: ")
    for wrong in (further.text[:-1], "", Ticket(WHOSE, 5).channel):
        with pytest.raises(Unreadable):
            tickets.read_further(wrong)


def test_where_a_stream_goes_on_is_said_for_a_moment_only(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    now = time.time()
    text = Further({"news": AT}, "", False).text
    monkeypatch.setattr(time, "time", lambda: now + 60)
    assert tickets.read_further(text).places == {"news": AT}
    monkeypatch.setattr(time, "time", lambda: now + 200)
    with pytest.raises(Unreadable):
        tickets.read_further(text)


def test_a_channel_says_its_name_and_where_that_is() -> None:
    assert tickets.place(channels.channel("demo.todo.*"), "7f3a-17") == (
        "demo.todo.*",
        AT,
    )


@pytest.mark.parametrize("id", ["", "0", "7f3a:17"])
def test_a_place_that_can_not_be_read_is_none(id: str) -> None:
    with pytest.raises(Unreadable):
        tickets.place(channels.channel("news.local"), id)


def test_a_channel_that_somebody_has_made_up_is_none() -> None:
    with pytest.raises(Unreadable):
        tickets.place(f"sse-news.local.{'0' * 16}", "7f3a-17")
