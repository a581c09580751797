"""What AWS would refuse in the middle of an apply is said by the plan, or by validate already."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from reconciler.errors import ManifestError
from reconciler.model import Carried, Finding, Plan, PrincipalKind, Severity, State
from tests.support import DEV, HEAD, STORAGE, desired_of, facts_for, grant_yaml, load_text, manifest_yaml, plan_for

GROUP, USER, ROLE = PrincipalKind.GROUP, PrincipalKind.USER, PrincipalKind.ROLE
AWS_POLICY, OWN_POLICY = "arn:aws:iam::aws:policy/ReadOnlyAccess", f"arn:aws:iam::{STORAGE}:policy/own"

CALLER_POLICY = 134
"""Characters of the caller policy that `grant_yaml` makes on the group."""


def planned(folder: Path, grants: str, *, live: State | None = None, **facts: Mapping[str, Any]) -> Plan:
    """Plan against accounts of which these facts differ, by the account's name."""
    wanted = load_text(folder, manifest_yaml(grants))
    state = live or {}
    known = facts_for(wanted, state)
    for account, changed in facts.items():
        known[account] = replace(known[account], **changed)
    return plan_for(wanted, state, facts=known)


def found(plan: Plan, rule: str) -> list[Finding]:
    return [finding for finding in plan.findings if finding.rule == rule]


@pytest.mark.parametrize(("kind", "quota"), [(GROUP, 5120), (USER, 2048), (ROLE, 10240)])
@pytest.mark.parametrize("over", [0, 1])
def test_inline_policies_are_measured_with_all_that_hang_there_already(
    tmp_path: Path, kind: PrincipalKind, quota: int, over: int
) -> None:
    carried = {(kind, "them"): Carried({"by hand": quota - CALLER_POLICY + over})}
    grants = grant_yaml(**{"from": f"{{account: dev, {kind}s: [them]}}"})
    refused = found(planned(tmp_path, grants, dev={"carried": carried}), "XG220")
    assert [f.message for f in refused] == [
        f"the inline policies of the {kind} them would have {quota + 1:,} characters; AWS allows {quota:,}"
    ][:over]


def test_a_caller_policy_that_is_there_already_does_not_count_twice(tmp_path: Path) -> None:
    carried = {(GROUP, "developers"): Carried({"xgrant.platform.reader": 600, "by hand": 4600})}
    plan = planned(tmp_path, grant_yaml(), dev={"carried": carried})
    assert plan.changes
    assert found(plan, "XG220") == []


def test_grants_on_one_group_count_together(tmp_path: Path) -> None:
    grants = "".join(grant_yaml(f"reader-{number:02}") for number in range(50))
    assert len(found(planned(tmp_path, grants), "XG220")) == 1


def test_permissions_that_a_role_cannot_hold_beside_what_it_carries_are_refused(tmp_path: Path) -> None:
    resources = ", ".join(f'"arn:aws:s3:::bucket-{number:03}/*"' for number in range(300))
    before = load_text(tmp_path, manifest_yaml(grant_yaml()))
    carried = {(ROLE, "reader"): Carried({"xgrant.other.grant": 2500, "xgrant-permissions": 100})}
    grants = grant_yaml(permissions=f'[{{actions: "s3:GetObject", resources: [{resources}]}}]')
    plan = planned(tmp_path, grants, live=desired_of(before), storage={"carried": carried})
    assert "AWS allows 10,240" in found(plan, "XG220")[0].message


@pytest.mark.parametrize(("roles", "severities"), [(25, []), (36, [Severity.WARNING]), (40, [Severity.ERROR])])
def test_a_long_trust_policy_is_refused_where_aws_surely_does_and_else_warned_of(
    tmp_path: Path, roles: int, severities: list[Severity]
) -> None:
    names = ", ".join(f"deployer-{number:011}" for number in range(roles))
    grants = grant_yaml(**{"from": f"{{account: dev, users: [{names}]}}"})
    assert [f.severity for f in found(planned(tmp_path, grants), "XG221")] == severities


def test_the_quota_of_the_very_account_counts(tmp_path: Path) -> None:
    names = ", ".join(f"deployer-{number:011}" for number in range(40))
    grants = grant_yaml(**{"from": f"{{account: dev, users: [{names}]}}"})
    raised = {"summary": {"AssumeRolePolicySizeQuota": 4096}}
    assert found(planned(tmp_path, grants, storage=raised), "XG221") == []


def test_more_managed_policies_than_a_role_can_have_are_refused(tmp_path: Path) -> None:
    arns = ", ".join(f"arn:aws:iam::aws:policy/P{number}" for number in range(11))
    grants = grant_yaml(managed_policies=f"[{arns}]")
    assert "would have 11 managed policies; AWS allows 10" in found(planned(tmp_path, grants), "XG222")[0].message


@pytest.mark.parametrize(("roles", "refused"), [(999, 0), (1000, 1)])
def test_more_roles_than_the_account_can_have_are_refused(tmp_path: Path, roles: int, refused: int) -> None:
    plan = planned(tmp_path, grant_yaml(), storage={"summary": {"Roles": roles, "RolesQuota": 1000}})
    assert len(found(plan, "XG223")) == refused


@pytest.mark.parametrize(
    ("now", "room", "refused"),
    [
        pytest.param(grant_yaml("other"), 0, 1, id="another grant: its role comes before the old one goes"),
        pytest.param(grant_yaml("other"), 1, 0, id="another grant, and room for one"),
        pytest.param(grant_yaml(to="{account: storage, role: New}"), 0, 1, id="another name"),
        pytest.param(grant_yaml(to="{account: storage, path: /new/}"), 0, 0, id="another path: the old one goes first"),
    ],
)
def test_roles_are_counted_at_the_moment_when_there_are_most(tmp_path: Path, now: str, room: int, refused: int) -> None:
    live = desired_of(load_text(tmp_path, manifest_yaml(grant_yaml())))
    plan = planned(tmp_path, now, live=live, storage={"summary": {"Roles": 1000 - room, "RolesQuota": 1000}})
    assert len(found(plan, "XG223")) == refused


@pytest.mark.parametrize(("own", "refused"), [(9, 0), (10, 1)])
@pytest.mark.parametrize("stands", [True, False])
def test_the_managed_policies_of_a_role_that_is_a_caller_too_are_counted_together(
    tmp_path: Path, own: int, refused: int, stands: bool
) -> None:
    arns = [f"arn:aws:iam::{DEV}:policy/p{n}" for n in range(own)]
    hop = grant_yaml(
        "hop", managed_policies=f"[{', '.join(arns)}]", to="{account: dev}",
        **{"from": "{account: storage, groups: [ops]}"},
    )  # fmt: skip
    reader = grant_yaml(caller_policy="managed", **{"from": "{account: dev, roles: [hop]}"})
    live = desired_of(load_text(tmp_path, manifest_yaml(hop))) if stands else {}
    carried = {(ROLE, "hop"): Carried(attached=frozenset(arns))} if stands else {}
    plan = planned(tmp_path, hop + reader, live=live, dev={"policies": frozenset(arns), "carried": carried})
    assert [f.message for f in found(plan, "XG222")] == [
        "the role hop would have 11 managed policies; AWS allows 10 in this account"
    ] * refused


def test_a_group_of_another_spelling_is_said_with_the_right_one(tmp_path: Path) -> None:
    """IAM finds no group by a name in another case when it is to get a policy."""
    arn = f"arn:aws:iam::{DEV}:group/Developers"
    plan = planned(tmp_path, grant_yaml(), dev={"principals": {(GROUP, "developers"): arn}})
    (finding,) = found(plan, "XG202")
    assert finding.message.endswith("exists under another spelling, as Developers")


@pytest.mark.parametrize(
    ("keys", "known", "missing"),
    [
        ({"managed_policies": f"[{AWS_POLICY}]"}, [], [AWS_POLICY]),
        ({"managed_policies": f"[{AWS_POLICY}]"}, [AWS_POLICY], []),
        ({"permissions_boundary": OWN_POLICY}, [AWS_POLICY], [OWN_POLICY]),
        ({"permissions_boundary": OWN_POLICY}, [OWN_POLICY], []),
    ],
)
def test_a_policy_that_does_not_exist_is_named(
    tmp_path: Path, keys: dict[str, str], known: list[str], missing: list[str]
) -> None:
    plan = planned(tmp_path, grant_yaml(**keys), storage={"policies": frozenset(known)})
    assert [f.message.split(" does not exist")[0].split()[-1] for f in found(plan, "XG224")] == missing


def test_what_aws_holds_already_is_not_measured_again(tmp_path: Path) -> None:
    wanted = load_text(tmp_path, manifest_yaml(grant_yaml()))
    full = {(GROUP, "developers"): Carried({"by hand": 9000})}
    plan = planned(tmp_path, grant_yaml(), live=desired_of(wanted), dev={"carried": full})
    assert plan.findings == ()


@pytest.mark.parametrize(
    ("keys", "code", "place", "words"),
    [
        ({"require": "{mfa: true}"}, "XG040", "12:20", "the role deployer can never meet this"),
        (
            {"trust_conditions": "{NumericLessThan: {'aws:MultiFactorAuthAge': 3600}}"},
            "XG040", "12:", "the role deployer can never meet this",
        ),
        ({"session": "{max_duration: 2h}"}, "XG040", "12:", "at most 1h of another role"),
        ({"to": "{account: storage, path: /aws-service-role/x.amazonaws.com/}"}, "XG041", "10:9", "service-linked"),
        ({"to": "{account: storage, role: AWSReservedSSO_Admin_0123456789abcdef}"}, "XG041", "10:9", "Identity Center"),
        (
            {"from": "{account: dev, roles: [aws-reserved/sso.amazonaws.com/AWSReservedSSO_Admin_0123456789abcdef]}"},
            "XG041", "9:34", "nothing can be attached to it",
        ),
    ],
)  # fmt: skip
def test_what_could_never_work_is_a_problem_of_the_manifest(
    tmp_path: Path, keys: dict[str, str], code: str, place: str, words: str
) -> None:
    with pytest.raises(ManifestError) as error:
        load_text(tmp_path, manifest_yaml(grant_yaml(**{"from": "{account: dev, roles: [deployer]}", **keys})))
    assert [problem.code for problem in error.value.problems] == [code]
    assert words in str(error.value)
    assert f":{place}" in str(error.value)


@pytest.mark.parametrize(
    "keys",
    [
        {"from": "{account: dev, users: [alice]}", "require": "{mfa: true}", "session": "{max_duration: 4h}"},
        {"from": "{account: dev, users: [alice], roles: [deployer]}", "session": "{max_duration: 4h}"},
        {"trust_conditions": "{BoolIfExists: {'aws:MultiFactorAuthPresent': true}}"},
        {"trust_conditions": "{'Null': {'aws:MultiFactorAuthPresent': true}}"},
    ],
)
def test_what_some_caller_can_meet_is_no_problem(tmp_path: Path, keys: dict[str, str]) -> None:
    load_text(tmp_path, manifest_yaml(grant_yaml(**{"from": "{account: dev, roles: [deployer]}", **keys})))


def test_defaults_that_a_role_can_never_meet_are_blamed_where_they_stand(tmp_path: Path) -> None:
    head = HEAD + "defaults: {require: {mfa: true}}\n"
    with pytest.raises(ManifestError, match=r"grants.yaml:7:27: XG040"):
        load_text(tmp_path, manifest_yaml(grant_yaml(**{"from": "{account: dev, roles: [deployer]}"}), head=head))


def test_callers_who_are_roles_are_told_that_their_sessions_are_shorter(tmp_path: Path) -> None:
    keys = {"from": "{account: dev, users: [alice], roles: [deployer]}", "session": "{max_duration: 4h}"}
    plan = planned(tmp_path, grant_yaml(**keys))
    assert [(f.severity, f.message.split(",")[0]) for f in found(plan, "XG226")] == [
        (Severity.WARNING, "sessions of deployer last at most 1h")
    ]
    assert not plan.refused()


@pytest.mark.parametrize(
    ("working", "to", "place"),
    [
        ("xgrant-reconciler", "{account: storage, role: xgrant-reconciler}", "12:34"),
        ("ops/xgrant-reconciler", "{account: storage, role: XGRANT-reconciler, path: /}", "12:34"),
    ],
)
def test_the_role_that_xgrant_works_with_is_no_grants(tmp_path: Path, working: str, to: str, place: str) -> None:
    head = HEAD + f"defaults:\n  access: {{assume_role: {{name: {working}}}}}\n"
    with pytest.raises(ManifestError) as caught:
        load_text(tmp_path, manifest_yaml(grant_yaml(to=to, adopt="true"), head=head))
    (problem,) = caught.value.problems
    assert (problem.code, f"{problem.place.line}:{problem.place.column}") == ("XG044", place)
    assert load_text(tmp_path, manifest_yaml(grant_yaml(to=to.replace("storage", "vendor")), head=head)).grants


@pytest.mark.parametrize(
    ("tag", "stands", "missing"),
    [
        ({"storage": "a/Reader", "lake": "b/Reader"}, "a/Reader", "lake"),
        ({"storage": "a/Reader", "lake": "b/Reader"}, "b/Reader", "storage"),
        ({"storage": "Reader", "lake": "reader"}, "Reader", "lake"),
        ({"storage": "Reader", "lake": "reader"}, "reader", "storage"),
        ({"storage": "Reader", "lake": "Reader"}, "Reader", ""),
    ],
)
@pytest.mark.parametrize("kind", [ROLE, USER])
@pytest.mark.parametrize("caller_policy", ["inline", "none"])
def test_one_principal_under_two_names_is_said_for_each_role_that_names_it_in_vain(
    tmp_path: Path, tag: dict[str, str], stands: str, missing: str, kind: PrincipalKind, caller_policy: str
) -> None:
    text = manifest_yaml(
        grant_yaml(
            caller_policy=caller_policy, to="{account: [storage, lake]}",
            **{"from": f"{{account: dev, {kind}s: ['${{target.tags.reader}}']}}"},
        ),
        head=HEAD.replace(f'{{id: "{STORAGE}"}}', f'{{id: "{STORAGE}", tags: {{reader: {tag["storage"]}}}}}')
        + f"  lake: {{id: '444444444444', tags: {{reader: {tag['lake']}}}}}\n",
    )  # fmt: skip
    wanted = load_text(tmp_path, text)
    known = facts_for(wanted)
    known["dev"] = replace(known["dev"], principals={(kind, "reader"): f"arn:aws:iam::{DEV}:{kind}/{stands}"})
    said = found(plan_for(wanted, {}, facts=known), "XG202")
    assert [str(f.address) for f in said] == ([f"{missing}/role/reader"] if missing else [])
    assert all(f"exists under another path or spelling, as {stands}" in f.message for f in said)


def test_a_role_that_goes_with_the_plan_is_said_where_it_has_no_caller_policy_too(tmp_path: Path) -> None:
    before = desired_of(load_text(tmp_path, manifest_yaml(grant_yaml())))
    keys = {"from": "{account: storage, roles: [reader]}", "to": "{account: dev}", "caller_policy": "none"}
    (finding,) = found(planned(tmp_path, grant_yaml("lake", **keys), live=before), "XG202")
    assert "the role reader of account storage goes with this plan" in finding.message
