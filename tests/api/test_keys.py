from __future__ import annotations

import hashlib
import re

import pytest

from api.keys import PREFIX_LENGTH, digest, new_key, prefix_of


def test_a_key_says_that_it_is_one_and_which() -> None:
    key = new_key()
    assert re.fullmatch(r"sse_[a-z0-9]{12}_[\w-]{43}", key.text)
    assert key.text.startswith(f"sse_{key.prefix}_")
    assert len(key.prefix) == PREFIX_LENGTH


def test_no_two_keys_have_anything_in_common() -> None:
    keys = [new_key() for _ in range(100)]
    for parts in zip(*keys, strict=True):
        assert len(set(parts)) == 100


def test_what_is_kept_of_a_key_is_its_hash() -> None:
    key = new_key()
    assert key.digest == digest(key.text)
    assert key.digest == hashlib.sha256(key.text.encode()).hexdigest()
    assert key.text.rpartition("_")[2] not in key.prefix + key.digest


def test_the_prefix_is_found_in_a_key_with_any_secret() -> None:
    key = new_key()
    assert prefix_of(key.text) == key.prefix
    assert prefix_of("sse_abc_d_e-f") == "abc"


@pytest.mark.parametrize(
    "text",
    [
        "",
        "sse",
        "sse_",
        "sse__",
        "sse_abc",
        "sse_abc_",
        "sse__abc",
        "SSE_abc_d",
        "a_b_c",
    ],
)
def test_what_cannot_be_a_key_has_no_prefix(text: str) -> None:
    assert prefix_of(text) is None


def test_any_text_has_a_digest() -> None:
    assert len({digest(text) for text in ("", "é", "\udcff", "\0")}) == 4
