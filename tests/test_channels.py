"""Groups as a GRIP proxy knows them."""

from __future__ import annotations

import pytest
from pytest_django import Settings

from sse_components.channels import are_of, channel, group_of, tag


@pytest.mark.parametrize("group", ["news", "news.local", "news.*", "a-b_c.7"])
def test_a_channel_says_which_group_it_is_of(group: str) -> None:
    assert group_of(channel(group)) == group


@pytest.mark.parametrize(
    "text",
    [
        "",
        "news",
        "sse-",
        "sse-news",
        "sse-news.0123456789abcdef",
        "sse-.0123456789abcdef",
        f"SSE-{channel('news')[4:]}",
        channel("news")[:-1],
        channel("news") + "0",
        channel("news").replace("news", "new"),
        channel("news").replace("sse-news", "sse-news\n"),
        channel("news").replace("news", "nëws"),
    ],
)
def test_a_channel_that_is_not_ours_is_of_no_group(text: str) -> None:
    assert group_of(text) is None


def test_a_channel_cannot_be_made_without_the_key(settings: Settings) -> None:
    ours = channel("news")
    settings.SECRET_KEY = "another one"
    assert channel("news") != ours
    assert group_of(ours) is None


def test_a_tag_says_nothing_of_the_channel() -> None:
    assert tag("news") not in channel("news")


def test_tags_are_of_names_and_of_the_patterns_over_them() -> None:
    assert are_of([tag("news.*")], ["sport", "news.local"])
    assert are_of([tag("news.local")], ["news.local"])
    assert not are_of([tag("news.local")], ["news.*", "news"])
    assert not are_of([], ["news"])


def test_a_tag_is_short_and_of_one_group() -> None:
    assert len({tag("news"), tag("news.*"), tag("news.local")}) == 3
    assert all(len(tag(name)) == 8 for name in ("news", "news.*", "a" * 200))
