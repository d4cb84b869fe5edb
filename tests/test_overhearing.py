from __future__ import annotations

import asyncio
import logging
from typing import Any

import pytest

from sse_components import wire
from sse_components.events import Event, Position
from sse_components.groups import session_group
from sse_components.overhearing import NOBODY, overheard, tell, tell_command
from sse_components.wire import Farewell, Frame
from tests.transports import Recorder

HERE = Position("e", 7)
NAME = "sse_components.frames"
EVENT = wire.event(
    Event(HERE, "news.updates", "component.data_changed", b'{"data":"marker"}')
)


def _opened() -> Frame:
    return wire.stream_open(
        HERE,
        connection="abc",
        groups=[f"news.{number}" for number in range(7)],
        denied=["marker.denied"],
        keep_alive=15,
        retry=2000,
        expires=None,
    )


def _lines(caplog: pytest.LogCaptureFixture) -> list[str]:
    lines = [one.getMessage() for one in caplog.records if one.name == NAME]
    caplog.clear()
    return lines


@pytest.mark.parametrize(
    ("frame", "line"),
    [
        (EVENT, "component.data_changed news.updates at e:7"),
        (
            _opened(),
            "stream-open news.0, news.1, news.2, news.3, news.4, 2 more at e:7",
        ),
        (wire.keep_alive(HERE), "keep-alive at e:7"),
        (wire.pong(HERE), "pong at e:7"),
        (wire.stream_reset(HERE, ["b", "a"]), "stream-reset a, b at e:7"),
        (wire.stream_close("rotated", 500), "stream-close (rotated)"),
        (
            wire.stream_error("forbidden", "marker", ["news.x"]),
            "stream-error news.x (forbidden)",
        ),
        (
            wire.subscription_response("news.x", "error", "marker"),
            "subscription.response news.x (error)",
        ),
    ],
    ids=lambda value: value.split()[0] if isinstance(value, str) else "",
)
def test_a_frame_is_one_line_without_what_is_in_it(
    caplog: pytest.LogCaptureFixture, frame: Frame, line: str
) -> None:
    caplog.set_level(logging.DEBUG, NAME)
    tell("abc", frame)
    tell("abc", frame.behind(b"retry: 1\n\n"))
    assert _lines(caplog) == [f"abc -> {line}, {len(frame.json)} bytes"] * 2


@pytest.mark.parametrize(
    ("said", "line"),
    [
        ({"type": "ping"}, "ping"),
        ({"type": "subscribe", "groups": ["a", "b.*"]}, "subscribe a, b.*"),
        (
            {"type": "subscribe", "groups": [], "grants": ["marker", "marker"]},
            "subscribe with 2 grants",
        ),
        ({"type": "unsubscribe", "groups": ["a\nb", 7, None]}, "unsubscribe 3 groups"),
        ({"type": "unsubscribe", "groups": "marker"}, "unsubscribe"),
        (
            {"type": "subscribe", "groups": ["session.marker"]},
            f"subscribe {session_group('marker')}",
        ),
        ({"type": "marker"}, "nonsense"),
        ({"type": ["marker"]}, "nonsense"),
        ({}, "nonsense"),
        (None, "nonsense"),
    ],
)
def test_what_a_client_says_is_its_type_and_its_groups(
    caplog: pytest.LogCaptureFixture, said: dict[str, Any] | None, line: str
) -> None:
    caplog.set_level(logging.DEBUG, NAME)
    tell_command(NOBODY, said)
    assert _lines(caplog) == [f"- <- {line}"]


def test_where_nobody_reads_it_a_transport_is_left_as_it_is(
    caplog: pytest.LogCaptureFixture,
) -> None:
    transport = Recorder()
    caplog.set_level(logging.INFO, NAME)
    assert overheard(transport, "abc") is transport
    tell("abc", EVENT)
    tell_command("abc", {"type": "ping"})
    assert _lines(caplog) == []


async def test_what_a_transport_has_taken_is_logged_and_nothing_else(
    caplog: pytest.LogCaptureFixture,
) -> None:
    caplog.set_level(logging.DEBUG, NAME)
    transport = Recorder()
    heard = overheard(transport, "abc")
    assert not heard.write_now([EVENT])
    assert _lines(caplog) == []
    transport.door.clear()
    writing = asyncio.create_task(heard.write([EVENT, EVENT]))
    await asyncio.sleep(0)
    assert _lines(caplog) == []
    transport.door.set()
    await writing
    assert len(_lines(caplog)) == 2
    await heard.end(wire.stream_close("shutdown", 500))
    (line,) = _lines(caplog)
    assert line.startswith("abc -> stream-close (shutdown), ")
    heard.abort()
    with pytest.raises(OSError):
        await heard.write([EVENT])
    assert _lines(caplog) == []
    assert transport.types[-1] == "stream-close"


async def test_what_is_written_at_once_is_logged_too(
    caplog: pytest.LogCaptureFixture,
) -> None:
    class AtOnce(Recorder):
        def write_now(self, frames: Any) -> bool:
            self.written += frames
            return True

    caplog.set_level(logging.DEBUG, NAME)
    transport = AtOnce()
    assert overheard(transport, "abc").write_now([EVENT])
    assert len(_lines(caplog)) == 1
    assert transport.written == [EVENT]
    assert not isinstance(EVENT, Farewell)
