"""What may stand where a step was cut short: nothing that is neither as it was nor as it will be."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from reconciler.applier.execute import between
from reconciler.caller_policies import opening
from reconciler.model import CallerPolicy, Role
from reconciler.ownership import GRANT_TAG, PREVENT_DESTROY_TAG, STACK_TAG, role_tags
from tests.support import STORAGE, allow, document

MARKS = role_tags("platform", "g")
ARN = f"arn:aws:iam::{STORAGE}:role/r"
BEFORE = Role("g", ARN, "/", document(allow()), description="old", tags=MARKS)
AFTER = replace(BEFORE, description="new", tags={**role_tags("platform", "h"), "team": "x"})
OPENS, OTHER = opening([ARN]), opening([f"{ARN}2"])


@pytest.mark.parametrize(
    ("changed", "tags", "may"),
    [
        (AFTER, MARKS, True),
        (AFTER, {**AFTER.tags}, True),
        (AFTER, {}, False),
        (AFTER, {GRANT_TAG: "g"}, False),
        (AFTER, {STACK_TAG: "platform"}, False),
        (AFTER, {**MARKS, PREVENT_DESTROY_TAG: "true"}, False),
        (None, MARKS, True),
        (None, {}, False),
        (None, {GRANT_TAG: "g"}, False),
    ],
)
def test_a_role_is_gone_on_with_only_while_it_is_marked_as_before_or_after(
    changed: Role | None, tags: dict[str, str], *, may: bool
) -> None:
    assert between(BEFORE, replace(BEFORE, tags=tags), changed) is may


def test_a_deletion_goes_on_only_from_a_role_with_all_its_tags() -> None:
    before = replace(BEFORE, tags={**MARKS, "team": "x"})
    assert not between(before, replace(before, tags=MARKS), None)
    assert between(before, replace(before, inline_policies={}), None)


@pytest.mark.parametrize(
    ("before", "found", "may"),
    [
        ({"name": "by-hand"}, {"name": "by-hand"}, True),
        ({"beside": ("a", "b")}, {"beside": ("b",)}, True),
        ({"beside": ("a", "b")}, {"beside": ("c",)}, False),
        ({}, {"name": "by-hand"}, False),
        ({"name": "by-hand"}, {"name": "by-hand", "document": OTHER}, False),
    ],
)
def test_a_caller_policy_made_by_hand_may_have_been_taken_over_in_part(
    before: dict[str, Any], found: dict[str, Any], *, may: bool
) -> None:
    after = CallerPolicy("g", OPENS)
    assert between(replace(after, **before), replace(after, **found), after) is may
