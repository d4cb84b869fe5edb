from __future__ import annotations

import hashlib
from base64 import urlsafe_b64encode
from datetime import UTC, datetime
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sse_components.errors import (
    InvalidEvent,
    InvalidGroup,
    PayloadTooLarge,
    SSEComponentsError,
)
from sse_components.events import (
    Draft,
    Position,
    check_group,
    check_own_type,
    check_pattern,
    check_text,
    is_pattern,
    is_subscribable,
    matches,
    pattern_over,
    segment,
)

GROUPS = [
    "broadcast",
    "news.updates",
    "demo.todo.7",
    "a.b.c.d.e",
    "UPPER.lower.0",
    "-._.-_-",
    "x" * 200,
]
PATTERN_GROUPS = ["news.*", "demo.todo.*", f"{'x' * 198}.*"]
NEVER_NAMES: list[object] = [
    "",
    " ",
    ".",
    ".news",
    "news.",
    "news..updates",
    "*",
    "**",
    ".*",
    "news updates",
    " news",
    "news ",
    "news\n",
    "news\r\n",
    "news.updates\n",
    "\nnews",
    "news\0",
    "news\t",
    "news.*\n",
    "news.*.*",
    "*.updates",
    "news.**",
    "new*",
    "news.up*",
    "ñews",
    "news.ü",
    "новости",
    "news.\u0663",  # Arabic-Indic three
    "n\u0435ws",  # Cyrillic e
    "\uff4eews",  # fullwidth n
    "\ud800",
    "news/updates",
    "news:updates",
    'news"><script>',
    "x" * 201,
    f"{'x' * 199}.*",
    "a." * 100_000,
    None,
    7,
    b"news",
    ["news"],
]


@pytest.mark.parametrize("name", GROUPS)
def test_a_group_can_be_published_and_subscribed_to(name: str) -> None:
    assert check_group(name) == name
    assert is_subscribable(name)
    assert not is_pattern(name)


# A61
@pytest.mark.parametrize("name", PATTERN_GROUPS)
def test_a_pattern_group_can_only_be_subscribed_to(name: str) -> None:
    with pytest.raises(InvalidGroup, match="is a pattern"):
        check_group(name)
    assert is_subscribable(name)
    assert is_pattern(name)


# A24
@pytest.mark.parametrize("name", NEVER_NAMES, ids=lambda name: ascii(name)[:30])
def test_anything_else_is_no_group_and_no_pattern_group(name: object) -> None:
    with pytest.raises(ValueError, match="is not a group: segments of letters") as why:
        check_group(name)
    assert isinstance(why.value, InvalidGroup)
    assert not is_subscribable(name)


# A24
@given(st.text() | st.text("ab.*-_9 \n", max_size=8))
def test_any_text_is_a_group_by_its_segments_or_refused(name: str) -> None:
    legal = set("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789_-")
    segments = name.split(".")
    plain = all(segment and set(segment) <= legal for segment in segments)
    pattern = len(segments) > 1 and segments[-1] == "*"
    pattern = pattern and all(part and set(part) <= legal for part in segments[:-1])
    try:
        accepted = check_group(name) == name
    except InvalidGroup:
        accepted = False
    assert accepted == (plain and len(name) <= 200)
    assert is_subscribable(name) == ((plain or pattern) and len(name) <= 200)


def test_an_error_shows_the_culprit_in_ascii_and_shortened() -> None:
    with pytest.raises(InvalidGroup, match=r"^'n\\xe4\\n' is not a group"):
        check_group("nä\n")
    with pytest.raises(InvalidGroup) as caught:
        check_group("x" * 100_000)
    assert len(str(caught.value)) < 250


@pytest.mark.parametrize(
    "pattern",
    [
        "**",
        "*",
        "news",
        "news.*",
        "news.**",
        "*.updates",
        "*.*",
        "*.**",
        "a.*.c",
        "a.*.**",
        "x" * 200,
    ],
)
def test_patterns_of_settings_may_have_stars_anywhere(pattern: str) -> None:
    assert check_pattern(pattern) == pattern


@pytest.mark.parametrize(
    "pattern",
    [
        "",
        ".",
        "news.",
        ".*",
        "*.",
        "**.news",
        "a.**.c",
        "***",
        "new*",
        "*s",
        "news.*\n",
        "news *",
        "ñ.*",
        "x" * 201,
        None,
        7,
        ["news.*"],
    ],
)
def test_other_patterns_are_refused(pattern: object) -> None:
    with pytest.raises(InvalidGroup, match="is not a pattern"):
        check_pattern(pattern)


@pytest.mark.parametrize(
    ("pattern", "covered", "not_covered"),
    [
        ("**", "a a.b a.b.c a.* a.b.*", ""),
        ("*", "a", "a.b a.*"),
        ("a", "a", "b a.b aa A a.*"),
        ("a.*", "a.b a.*", "a b.a a.b.c a.b.*"),
        ("a.**", "a.b a.b.c a.b.c.d a.* a.b.*", "a b b.a aa.b"),
        ("*.b", "a.b c.b", "b a.c a.b.b a.*"),
        ("*.*", "a.b a.*", "a a.b.c a.b.*"),
        ("*.**", "a.b a.b.c a.* a.b.*", "a"),
        ("a.*.c", "a.b.c a.c.c", "a.b a.c a.b.c.d a.b.b a.b.* a.*"),
        ("a.b.**", "a.b.c a.b.c.d a.b.*", "a.b a.c.d a.*"),
        ("a.*.**", "a.b.c a.b.c.d a.b.*", "a.b a.*"),
    ],
)
def test_a_pattern_covers(pattern: str, covered: str, not_covered: str) -> None:
    assert [name for name in covered.split() if not matches(pattern, name)] == []
    assert [name for name in not_covered.split() if matches(pattern, name)] == []


def naive(pattern: list[str], name: list[str]) -> bool:
    """Whether a pattern matches a group, by the words of the protocol."""
    match pattern, name:
        case ["**"], [_, *_]:
            return True
        case ["*", *more], [_, *rest]:
            return naive(more, rest)
        case [want, *more], [have, *rest]:
            return want == have and naive(more, rest)
    return pattern == name == []


parts = st.sampled_from(["a", "b", "c"])
names = st.lists(parts, min_size=1, max_size=4)
patterns = st.builds(
    lambda head, last: [*head, last],
    st.lists(parts | st.just("*"), max_size=3),
    parts | st.sampled_from(["*", "**"]),
)


@given(patterns, names)
def test_matches_agrees_with_the_words_of_the_protocol(
    pattern: list[str], name: list[str]
) -> None:
    expected = naive(pattern, name)
    assert matches(check_pattern(".".join(pattern)), ".".join(name)) == expected


@given(patterns, names)
def test_a_pattern_group_is_covered_if_all_that_it_delivers_is(
    pattern: list[str], parent: list[str]
) -> None:
    # "z" stands for every segment that no pattern here names
    everything = all(naive(pattern, [*parent, part]) for part in ["a", "b", "c", "z"])
    group = ".".join([*parent, "*"])
    assert matches(".".join(pattern), group) == everything


# A61
@pytest.mark.parametrize(
    ("group", "pattern"),
    [
        ("broadcast", None),
        ("news.updates", "news.*"),
        ("demo.todo.7", "demo.todo.*"),
    ],
)
def test_one_pattern_group_is_over_a_group(group: str, pattern: str | None) -> None:
    assert pattern_over(group) == pattern


@given(names)
def test_the_pattern_over_a_group_is_a_pattern_group_that_matches_it(
    name: list[str],
) -> None:
    pattern = pattern_over(".".join(name))
    if len(name) == 1:
        assert pattern is None
    else:
        assert pattern
        assert is_pattern(pattern)
        assert is_subscribable(pattern)
        assert naive(pattern.split("."), name)


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (7, "7"),
        (-1, "-1"),
        ("slug_with-both", "slug_with-both"),
        (
            UUID("6f1d3f1e-0c1a-4c38-9d0e-0d2b6f0a1b2c"),
            "6f1d3f1e-0c1a-4c38-9d0e-0d2b6f0a1b2c",
        ),
    ],
)
def test_a_key_that_is_a_legal_segment_stands_as_it_is(
    value: object, text: str
) -> None:
    assert segment(value) == text


# A24, A27
@pytest.mark.parametrize(
    "key",
    [
        "",
        "a.b",
        "a b",
        "7\n",
        "*",
        "ü",
        "a@example.com",
        '"><script>',
        "\u0663",
        "\ud800",
    ],
)
def test_any_other_key_stands_as_its_hash(key: str) -> None:
    digest = urlsafe_b64encode(
        hashlib.sha256(key.encode(errors="surrogatepass")).digest()
    )
    assert segment(key) == "h-" + digest[:22].decode()


def test_the_hash_of_a_key_is_the_one_that_others_compute() -> None:
    # printf '' | openssl dgst -sha256 -binary | basenc --base64url | cut -c -22
    assert segment("") == "h-47DEQpj8HBSa-_TImW-5JC"


@given(st.text())
def test_any_key_makes_a_legal_group(key: str) -> None:
    name = f"demo.todo.{segment(key)}"
    if len(name) <= 200:
        assert check_group(name) == name


def test_a_position_reads_as_an_id_and_as_a_moment() -> None:
    position = Position("7f3a9c21", 1763799845130001)
    assert str(position) == "7f3a9c21:1763799845130001"
    assert position.time == datetime(2025, 11, 22, 8, 24, 5, 130001, UTC)


@pytest.mark.parametrize(
    "type",
    [
        "stream-open",
        "stream-",
        "stream-anything",
        "keep-alive",
        "keep-alive-too",
        "component.data_changed",
        "component.",
        "component.of_mine",
        "presence.join",
        "presence.",
    ],
)
def test_types_of_the_library_cannot_be_sent_by_hand(type: str) -> None:
    with pytest.raises(InvalidEvent, match="can't be sent by hand"):
        check_own_type(type)


@pytest.mark.parametrize(
    "type",
    ["message", "stock", "streams", "component", "presence", "my.stream-open", "Ω ü"],
)
def test_other_types_can_be_sent_by_hand(type: str) -> None:
    assert check_own_type(type) == type


BAD_TEXTS: list[object] = [
    "",
    "a\rb",
    "a\nb",
    "a\r\nb",
    "message\n",
    "a\0b",
    "\n",
    "\ud800",
    "x" * 201,
    None,
    7,
    b"message",
]


# CWE-93
@pytest.mark.parametrize("text", BAD_TEXTS, ids=lambda text: ascii(text)[:30])
def test_a_text_that_could_forge_a_field_is_refused(text: object) -> None:
    with pytest.raises(InvalidEvent, match=r"^The name of an event "):
        check_text("The name of an event", text)
    with pytest.raises(InvalidEvent, match=r"^An event's type "):
        check_own_type(text)


@given(st.text(st.characters(exclude_categories=["Cs"]), min_size=1, max_size=200))
def test_a_text_without_cr_lf_and_nul_is_accepted(text: str) -> None:
    if set("\r\n\0") & set(text):
        with pytest.raises(InvalidEvent):
            check_text("A text", text)
    else:
        assert check_text("A text", text) == text


def test_a_draft_holds_what_it_was_given() -> None:
    draft = Draft("news.updates", "component.data_changed", b"{}", "Tab-1.42_x")
    assert draft.group == "news.updates"
    assert draft.type == "component.data_changed"
    assert draft.payload == b"{}"
    assert draft.sender == "Tab-1.42_x"


# A24
@pytest.mark.parametrize("group", ["", "a b", "news\n", "ü", "x" * 201, "news.*"])
def test_a_draft_goes_to_a_group(group: str) -> None:
    with pytest.raises(InvalidGroup):
        Draft(group, "message", b"{}")


@pytest.mark.parametrize("type", ["", "a\nid: 1", "a\r", "a\0", "x" * 201])
def test_a_draft_has_a_type_that_forges_no_field(type: str) -> None:
    with pytest.raises(InvalidEvent, match="An event's type"):
        Draft("a", type, b"{}")


@pytest.mark.parametrize("sender", ["t.r", f"{'t' * 64}.{'r' * 64}", "A-_9.0"])
def test_a_sender_is_a_tab_and_a_request(sender: str) -> None:
    assert Draft("a", "b", b"{}", sender).sender == sender


@pytest.mark.parametrize(
    "sender",
    [
        "",
        "tab",
        "tab.",
        ".request",
        "a.b.c",
        "a b.c",
        "a.b\n",
        "a.b\r\nid: 1",
        '".".',
        "ü.b",
        f"{'t' * 65}.r",
        f"t.{'r' * 65}",
    ],
)
def test_other_senders_are_refused(sender: str) -> None:
    with pytest.raises(InvalidEvent, match="is not a sender"):
        Draft("a", "b", b"{}", sender)


def test_a_payload_may_be_64_kib_and_not_a_byte_more() -> None:
    edge = b'"' + b"x" * (65_536 - 2) + b'"'
    assert Draft("a", "b", edge).payload == edge
    with pytest.raises(PayloadTooLarge, match="65537 bytes"):
        Draft("a", "b", edge + b" ")


def test_every_refusal_is_a_value_error_of_the_package() -> None:
    for error in (InvalidEvent, InvalidGroup, PayloadTooLarge):
        assert issubclass(error, InvalidEvent)
        assert issubclass(error, SSEComponentsError)
        assert issubclass(error, ValueError)
