"""Limits on what one plan may do at once, and how they are let through."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from reconciler.errors import ManifestError
from reconciler.model import Action, Limits, Live, Plan, PrincipalKind, Severity, Whole
from reconciler.planner import destroyed, narrow, plan
from reconciler.render.text import text
from reconciler.rules import RULES
from tests.support import (
    HEAD,
    STORAGE,
    allow,
    desired_of,
    document,
    facts_for,
    grant_yaml,
    load_text,
    manifest_yaml,
    plan_for,
)

GRANTS = 20
"""Each of two resources, so forty in all."""


def removing(
    folder: Path, number: int, *, of: int = GRANTS, limits: str = "", accepted: frozenset[str] = frozenset()
) -> Plan:
    """Plan to remove this many of so many grants, which are all in AWS."""
    head = HEAD + (f"limits: {limits}\n" if limits else "")
    whole = load_text(folder, manifest_yaml(*(grant_yaml(f"g{n:02}") for n in range(of)), head=head))
    left = load_text(folder, manifest_yaml(*(grant_yaml(f"g{n:02}") for n in range(number, of)), head=head))
    live = desired_of(whole)
    return plan(
        desired_of(left), Live(live, facts_for(whole, live)), stack="platform", rules=RULES,
        limits=left.limits, accepted=accepted,
    )  # fmt: skip


def rules_of(found: Plan) -> list[str]:
    return [finding.rule for finding in found.findings]


@pytest.mark.parametrize(
    ("number", "limits", "rules"),
    [
        (5, "", []),
        (6, "", ["XG206"]),  # 12 of 40: 30%, which is not more
        (7, "", ["XG206", "XG207"]),
        (7, "{delete: 14}", ["XG207"]),
        (7, "{delete: 14, delete_percent: 35}", []),
        (1, "{delete: 0}", ["XG206"]),
        (1, "{delete_percent: 0}", ["XG207"]),
        (3, "{change_per_account: 3}", []),
        (3, "{change_per_account: 2}", ["XG208", "XG208"]),
    ],
)
def test_a_plan_beyond_a_limit_is_refused_with_its_rule(
    tmp_path: Path, number: int, limits: str, rules: list[str]
) -> None:
    found = removing(tmp_path, number, limits=limits)
    assert rules_of(found) == rules
    assert found.refused() is bool(rules)


def test_both_numbers_and_the_way_out_are_said(tmp_path: Path) -> None:
    shown = text(removing(tmp_path, 7))
    assert "error XG206 the plan deletes or replaces 14 resources; the limit is delete: 10\n" in shown
    assert (
        "error XG207 the plan deletes or replaces 14 of 40 resources, 35%; the limit is delete_percent: 30\n" in shown
    )
    assert "--accept XG206" in shown


@pytest.mark.parametrize(("grants", "refused"), [(5, False), (6, True)])
def test_a_stack_of_ten_resources_or_fewer_has_no_limits_but_those_that_are_written(
    tmp_path: Path, grants: int, refused: bool
) -> None:
    assert removing(tmp_path, grants, of=grants).refused() is refused


@pytest.mark.parametrize(
    ("limits", "rules"),
    [
        ("{delete: 0}", ["XG206"]),
        ("{delete: 1}", ["XG206"]),
        ("{delete: 2}", []),
        ("{delete_percent: 49}", ["XG207"]),
        ("{delete_percent: 50}", []),
        ("{delete: 10, delete_percent: 30}", ["XG207"]),
        ("{change_per_account: 0}", ["XG208", "XG208"]),
    ],
)
def test_a_limit_that_is_written_holds_for_the_smallest_plan_too(tmp_path: Path, limits: str, rules: list[str]) -> None:
    assert rules_of(removing(tmp_path, 1, of=2, limits=limits)) == rules


def test_what_a_plan_creates_counts_toward_its_size(tmp_path: Path) -> None:
    live = desired_of(load_text(tmp_path, manifest_yaml(*(grant_yaml(f"old{n}") for n in range(4)))))
    for more, rules in ((1, []), (2, ["XG207"])):
        kept, new = [grant_yaml("old0")], [grant_yaml(f"new{n}") for n in range(more)]
        found = load_text(tmp_path, manifest_yaml(*kept, *new))
        assert rules_of(plan_for(found, live)) == rules


def test_only_some_grants_are_measured_against_all_that_the_stack_owns(tmp_path: Path) -> None:
    """Else --only would refuse what a plan of everything does, or let it through."""
    whole = load_text(tmp_path, manifest_yaml(*(grant_yaml(f"g{n:02}") for n in range(GRANTS))))
    live = Live(desired_of(whole), facts_for(whole))
    for number, rules in ((5, []), (7, ["XG206", "XG207"])):
        only = frozenset(f"g{n:02}" for n in range(number))
        desired, seen = narrow({}, live, only, stack="platform")
        found = plan(desired, seen, stack="platform", rules=RULES, whole=Whole({}, live.state))
        assert rules_of(found) == rules


def test_a_rename_that_keeps_the_role_and_the_access_deletes_nothing(tmp_path: Path) -> None:
    names = [f"g{n:02}" for n in range(GRANTS)]
    live = desired_of(load_text(tmp_path, manifest_yaml(*map(grant_yaml, names))))
    moved = [grant_yaml(f"new-{name}", moved=f"[{{from: {name}}}]") for name in names]
    found = plan_for(load_text(tmp_path, manifest_yaml(*moved)), live)
    assert (found.count(Action.REPLACE), rules_of(found)) == (GRANTS, [])
    strict = plan(
        desired_of(load_text(tmp_path, manifest_yaml(*moved))), found.live, stack="platform", rules=RULES,
        limits=Limits(0, 0),
    )  # fmt: skip
    assert rules_of(strict) == []


def test_a_rename_that_replaces_the_role_deletes(tmp_path: Path) -> None:
    names = [f"g{n:02}" for n in range(GRANTS)]
    live = desired_of(load_text(tmp_path, manifest_yaml(*map(grant_yaml, names))))
    moved = [grant_yaml(f"new-{n}", moved=f"[{{from: {n}}}]", to=f"{{account: storage, role: x-{n}}}") for n in names]
    found = plan_for(load_text(tmp_path, manifest_yaml(*moved)), live)
    assert rules_of(found) == ["XG206", "XG207"]
    assert "the plan deletes or replaces 40 of 40 resources, 100%" in text(found)


def test_what_was_made_by_hand_is_no_part_of_what_the_stack_owns(tmp_path: Path) -> None:
    found = load_text(tmp_path, manifest_yaml(grant_yaml(adopt="true"), grant_yaml("other")))
    other = {a: r for a, r in desired_of(found).items() if r.grant == "other"}
    facts = facts_for(found, other)
    opens = document(allow("sts:AssumeRole", f"arn:aws:iam::{STORAGE}:role/reader"))
    facts["dev"] = replace(facts["dev"], by_hand={(PrincipalKind.GROUP, "developers"): {"ByHand": opens}})
    left = load_text(tmp_path, manifest_yaml(grant_yaml(adopt="true"), head=HEAD + "limits: {delete_percent: 99}\n"))
    result = plan(desired_of(left), Live(other, facts), stack="platform", rules=RULES, limits=left.limits)
    assert "the plan deletes or replaces 2 of 2 resources, 100%" in text(result)


@pytest.mark.parametrize(("grants", "rules"), [(5, []), (6, ["XG206", "XG207"])])
def test_to_destroy_is_limited_as_any_plan_is(tmp_path: Path, grants: int, rules: list[str]) -> None:
    whole = load_text(tmp_path, manifest_yaml(*(grant_yaml(f"g{n:02}") for n in range(grants))))
    live = desired_of(whole)
    for limits, expected in (
        (Limits(), rules),
        (Limits(delete=0), ["XG206", *rules[1:]]),
        (Limits(delete_percent=100), rules[:1]),
    ):
        found = plan(destroyed(live), Live(live, facts_for(whole, live)), stack="platform", rules=RULES, limits=limits)
        assert rules_of(found) == expected


def test_to_destroy_everything_is_limited_too(tmp_path: Path) -> None:
    whole = load_text(tmp_path, manifest_yaml(*(grant_yaml(f"g{n:02}") for n in range(GRANTS))))
    live = desired_of(whole)
    found = plan(destroyed(live), Live(live, facts_for(whole, live)), stack="platform", rules=RULES)
    assert rules_of(found) == ["XG206", "XG207"]


def test_creating_is_not_limited_by_deletions(tmp_path: Path) -> None:
    whole = load_text(tmp_path, manifest_yaml(*(grant_yaml(f"g{n:02}") for n in range(GRANTS))))
    found = plan(desired_of(whole), Live({}, facts_for(whole)), stack="platform", rules=RULES, limits=Limits(0, 0))
    assert (len(found.changes), rules_of(found)) == (40, [])


def test_only_the_accepted_rule_is_let_through_and_stays_visible(tmp_path: Path) -> None:
    one = removing(tmp_path, 7, accepted=frozenset({"XG206"}))
    assert one.refused()
    both = removing(tmp_path, 7, accepted=frozenset({"XG206", "XG207"}))
    assert not both.refused()
    assert {(f.severity, f.accepted) for f in both.findings} == {(Severity.WARNING, True)}
    assert "warning XG206, accepted: the plan deletes" in text(both)


def test_what_was_accepted_is_not_told_how_to_be_accepted(tmp_path: Path) -> None:
    shown = text(removing(tmp_path, 7, accepted=frozenset({"XG206"})))
    assert "--accept XG206" not in shown
    assert "what to do: if all of it is meant, give the same command --accept XG207" in shown


@pytest.mark.parametrize(
    ("limits", "code"),
    [
        ("{delete: -1}", "XG013"),
        ("{delete: many}", "XG012"),
        ("{delete_percent: 101}", "XG013"),
        ("{deletes: 1}", "XG010"),
        ("[]", "XG012"),
    ],
)
def test_wrong_limits_are_problems(tmp_path: Path, limits: str, code: str) -> None:
    with pytest.raises(ManifestError) as caught:
        load_text(tmp_path, manifest_yaml(grant_yaml(), head=HEAD + f"limits: {limits}\n"))
    assert [problem.code for problem in caught.value.problems] == [code]


def test_limits_stand_in_one_file(tmp_path: Path) -> None:
    from reconciler.manifest import load

    (tmp_path / "a.yaml").write_text(manifest_yaml(grant_yaml(), head=HEAD + "limits: {delete: 1}\n"))
    (tmp_path / "b.yaml").write_text("version: 1\nlimits: {delete: 2}\n")
    with pytest.raises(ManifestError) as caught:
        load([str(tmp_path)])
    (problem,) = caught.value.problems
    assert (problem.code, problem.place.line) == ("XG038", 2)
