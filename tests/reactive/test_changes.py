from __future__ import annotations

import json
from typing import Any

import pytest

from sse_components.events import MAX_PAYLOAD, Draft
from sse_components.reactive.changes import Change, Groups, Row, drafts_of

ROW = Row("shop.book", 7)
HERE = Groups("shop.book.7", ("shop.book",))


def told(*changes: Change) -> list[tuple[str, str, dict[str, Any]]]:
    """Return what drafts say: the group, the operation, what of the payload is set."""
    return [_brief(draft) for draft in drafts_of(changes)]


def _brief(draft: Draft) -> tuple[str, str, dict[str, Any]]:
    payload = json.loads(draft.payload)
    payload.pop("model", None)
    operation = draft.type.removeprefix("component.")
    return draft.group, operation, {k: v for k, v in payload.items() if v}


def test_a_new_row_is_created_in_its_collections() -> None:
    here = Groups("shop.book.7", ("shop.book", "news.books"))
    assert told(Change(ROW, None, here)) == [
        ("shop.book", "created", {"data": {"pk": 7}}),
        ("news.books", "created", {"data": {"pk": 7}}),
    ]


def test_a_change_is_told_to_who_shows_the_row() -> None:
    change = Change(ROW, HERE, HERE, {"id": 7, "title": "x"}, complete=True)
    assert told(change) == [
        ("shop.book.7", "data_changed", {"data": {"id": 7, "title": "x"}})
    ]


def test_a_change_says_of_which_model_it_is() -> None:
    (draft,) = drafts_of([Change(ROW, HERE, HERE)])
    assert json.loads(draft.payload) == {
        "data": {},
        "update": False,
        "model": "shop.book",
    }


def test_a_row_that_is_gone_is_removed_from_its_collections_and_by_itself() -> None:
    assert told(Change(ROW, HERE, None)) == [
        ("shop.book", "removed", {"target_group": "shop.book.7"}),
        ("shop.book.7", "removed", {}),
    ]


def test_several_changes_of_a_row_are_one_with_the_last_values() -> None:
    first = Change(ROW, HERE, HERE, {"id": 7, "title": "x", "price": "1"}, True)
    second = Change(ROW, HERE, HERE, {"id": 7, "title": "y"}, True)
    assert told(first, second) == [
        (
            "shop.book.7",
            "data_changed",
            {"data": {"id": 7, "title": "y", "price": "1"}},
        )
    ]


def test_with_a_change_that_carries_nothing_they_fetch_as_well() -> None:
    first = Change(ROW, HERE, HERE, {"id": 7, "title": "x"}, True)
    data = {"id": 7, "title": "x"}
    changed = ("shop.book.7", "data_changed", {"data": data, "update": True})
    assert told(first, Change(ROW, HERE, HERE)) == [changed]
    assert told(Change(ROW, HERE, HERE), first) == [changed]


def test_created_and_changed_is_created() -> None:
    change = Change(ROW, HERE, HERE, {"id": 7}, True)
    assert told(Change(ROW, None, HERE), change) == [
        ("shop.book", "created", {"data": {"pk": 7}})
    ]


def test_created_and_deleted_is_nothing() -> None:
    assert told(Change(ROW, None, HERE), Change(ROW, HERE, None)) == []


def test_deleted_and_created_again_is_a_change() -> None:
    assert told(Change(ROW, HERE, None), Change(ROW, None, HERE)) == [
        ("shop.book.7", "data_changed", {})
    ]


def test_changed_and_deleted_is_removed_from_where_it_was() -> None:
    there = Groups("shop.book.7", ("sold.book",))
    assert told(Change(ROW, HERE, there), Change(ROW, there, None)) == [
        ("shop.book", "removed", {"target_group": "shop.book.7"}),
        ("shop.book.7", "removed", {}),
    ]


def test_a_row_that_moves_has_both_lists_fetch() -> None:
    there = Groups("shop.book.7", ("sold.book",))
    assert told(Change(ROW, HERE, there)) == [
        ("sold.book", "created", {"data": {"pk": 7}}),
        ("shop.book", "data_changed", {}),
        ("shop.book.7", "data_changed", {}),
    ]


def test_there_and_back_again_is_a_change_of_the_row_alone() -> None:
    there = Groups("shop.book.7", ("sold.book",))
    assert told(Change(ROW, HERE, there), Change(ROW, there, HERE)) == [
        ("shop.book.7", "data_changed", {})
    ]


def test_who_shows_a_row_under_its_old_name_fetches_the_new_one() -> None:
    there = Groups("sold.book.7", ("shop.book",))
    change = Change(ROW, HERE, there, {"id": 7, "title": "x"}, True)
    assert told(change) == [
        ("shop.book.7", "data_changed", {}),
        ("sold.book.7", "data_changed", {"data": {"id": 7, "title": "x"}}),
    ]


def test_a_list_is_told_once_of_all_that_is_new() -> None:
    rows = [Change(Row("shop.book", pk), None, HERE) for pk in range(3)]
    assert told(*rows) == [("shop.book", "created", {})]


def test_rows_whose_key_nobody_knows_are_different_rows() -> None:
    rows = [
        Change(Row("shop.book", None, object()), None, Groups(None, ("shop.book",)))
        for _ in range(2)
    ]
    assert told(*rows) == [("shop.book", "created", {})]


def test_a_row_without_a_group_of_its_own_has_its_lists_fetch() -> None:
    nameless = Groups(None, ("shop.book",))
    assert told(Change(ROW, nameless, None)) == [("shop.book", "data_changed", {})]
    assert told(Change(ROW, nameless, nameless)) == []


def test_a_list_is_told_once_that_rows_have_left_and_not_at_all_if_others_came() -> (
    None
):
    there = Groups("x", ("sold.book",))
    rows = [Change(Row("shop.book", pk), HERE, there) for pk in range(2)]
    groups = [group for group, *_ in told(*rows)]
    assert groups.count("shop.book") == groups.count("sold.book") == 1
    swapped = told(rows[0], Change(Row("shop.book", 9), there, HERE))
    assert [group for group, *_ in swapped[:3]] == [
        "sold.book",
        "shop.book",
        "shop.book.7",
    ]


def test_rows_keep_their_order() -> None:
    places = {pk: Groups(f"shop.book.{pk}", ()) for pk in (3, 1, 2)}
    changes = [Change(Row("shop.book", pk), at, at) for pk, at in places.items()]
    assert [group for group, *_ in told(*changes)] == [
        "shop.book.3",
        "shop.book.1",
        "shop.book.2",
    ]


def test_data_that_is_too_large_is_fetched_instead(
    caplog: pytest.LogCaptureFixture,
) -> None:
    data = {"id": 7, "title": "x" * MAX_PAYLOAD}
    assert told(Change(ROW, HERE, HERE, data, True)) == [
        ("shop.book.7", "data_changed", {})
    ]
    assert "shop.book" in caplog.text
    assert "xxx" not in caplog.text
