"""What may stand where a step was cut short by somebody else who writes: what the step itself has done, no more."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from reconciler.applier.partly import bare, between
from reconciler.model import CallerPolicy, ManagedPolicy, Role
from tests.support import allow, document

OLD, NEW, OTHER = (document(allow(action)) for action in ("s3:GetObject", "s3:PutObject", "s3:DeleteObject"))
ROLE = Role("g", "arn:r", "/", OLD, inline_policies={"p": OLD, "same": OLD}, managed_policies=frozenset({"a", "b"}))
WANTED = replace(
    ROLE, trust_policy=NEW, description="new", inline_policies={"p": NEW, "same": OLD, "q": NEW},
    managed_policies=frozenset({"b", "c"}), tags={"k": "v"},
)  # fmt: skip


@pytest.mark.parametrize(
    ("found", "fits"),
    [
        ({}, True),
        ({"trust_policy": NEW}, True),
        ({"trust_policy": OTHER}, False),
        ({"description": "other"}, False),
        ({"inline_policies": {"same": OLD}}, True),
        ({"inline_policies": {"same": OLD, "p": NEW}}, True),
        ({"inline_policies": {"same": OLD, "p": OTHER}}, False),
        ({"inline_policies": {"same": OLD, "more": OLD}}, False),
        ({"inline_policies": {"p": OLD}}, False),
        ({"managed_policies": frozenset({"b"})}, True),
        ({"managed_policies": frozenset({"a", "b", "c"})}, True),
        ({"managed_policies": frozenset({"a", "c"})}, False),
        ({"managed_policies": frozenset({"b", "d"})}, False),
        ({"tags": {"k": "v"}}, True),
        ({"tags": {"k": "w"}}, False),
        ({"permissions_boundary": "arn:b"}, False),
        ({"sessions_revoked": True}, True),
    ],
)
def test_each_part_is_as_before_or_as_after(found: dict[str, Any], fits: bool) -> None:
    assert between(replace(ROLE, **found), ROLE, WANTED) is fits


def test_both_ends_lie_between_themselves() -> None:
    for end in (ROLE, WANTED):
        assert between(end, ROLE, WANTED)
    for made in (ROLE, ManagedPolicy("g", "arn:p", "/", OLD, frozenset({"role/r"})), CallerPolicy("g", OLD)):
        assert between(bare(made), bare(made), made)
        assert between(made, bare(made), made)


def test_another_kind_of_resource_is_not_between() -> None:
    assert not between(CallerPolicy("g", OLD), ROLE, WANTED)
