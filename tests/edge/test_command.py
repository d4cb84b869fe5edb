from __future__ import annotations

import pytest
from django.core.management import CommandError, call_command
from pytest_django import Settings

from tests.edge.worlds import World

GRIP = {"GRIP_URL": "http://127.0.0.1:5561", "GRIP_KEY": "k" * 32}


def test_without_a_proxy_there_is_nothing_to_relay_to(settings: Settings) -> None:
    settings.SSE_COMPONENTS = {}
    with pytest.raises(CommandError, match=r"SSE_COMPONENTS\['GRIP_URL'\] is not set"):
        call_command("sse_relay")


def test_the_embedded_broker_is_relayed_by_its_own_process(settings: Settings) -> None:
    settings.SSE_COMPONENTS = GRIP
    with pytest.raises(CommandError, match="the process that serves relays by itself"):
        call_command("sse_relay")


@pytest.mark.alone
@pytest.mark.timeout(60)
async def test_it_ends_in_order_and_prints_no_payloads(own_world: World) -> None:
    with own_world.running():
        (relay,) = own_world.relays
        await own_world.publish(("news.a", "a secret"))
        await own_world.publish(("demo.todo.1", "another"))
        relay.terminate()
        printed, _ = relay.communicate(timeout=10)
        assert relay.returncode == 0
        assert printed.startswith("Published ")
        assert "secret" not in printed
        own_world.relays.clear()
