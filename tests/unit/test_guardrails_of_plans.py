"""Guardrails that need to see what AWS has, and how the findings of manifests stand in a plan."""

from __future__ import annotations

import sys
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import pytest

from reconciler.errors import Place
from reconciler.lint import RULES, lint_plan
from reconciler.manifest.places import Places
from reconciler.model import (
    AccountFacts,
    Address,
    Exemption,
    Finding,
    Kind,
    Level,
    Manifest,
    Plan,
    Policies,
    PrincipalKind,
    Role,
)
from reconciler.pipeline.guardrails import Guardrails
from reconciler.pipeline.main_job import Request, make_plan
from reconciler.policy.document import PolicyDocument
from tests.support import (
    DEV,
    HEAD,
    STORAGE,
    StateReader,
    desired_of,
    facts_for,
    grant_yaml,
    load_text,
    manifest_yaml,
    plan_for,
)
from tests.unit.test_guardrails import BROKEN

FIRST = HEAD.count("\n") + 2
NOW = datetime(2026, 6, 15, tzinfo=UTC)
CAREFUL = {"description": "Read", "tags": "{owner: data}"}


def of_plan(folder: Path, plan: Plan) -> list[tuple[str, str, str]]:
    """Return rule, place and message of what is found in the plan of `grants.yaml` in a folder."""
    manifest = load_text(folder, (folder / "grants.yaml").read_text())
    found = lint_plan(plan, Policies(), Places(manifest, []).place)
    return [(one.rule, str(one.place).removeprefix(f"{folder}/grants.yaml:"), one.message) for one in found]


def assuming(resource: str, effect: str = "Allow") -> PolicyDocument:
    statement = {"Effect": effect, "Action": "sts:AssumeRole", "Resource": resource}
    return PolicyDocument.parse({"Version": "2012-10-17", "Statement": [statement]})


def with_policy(folder: Path, resource: str) -> Plan:
    manifest = load_text(folder, manifest_yaml(grant_yaml()))
    facts = facts_for(manifest)
    holder = (PrincipalKind.GROUP, "developers")
    facts["dev"] = replace(facts["dev"], by_hand={holder: {"old": assuming(resource)}})
    return plan_for(manifest, {}, facts=facts)


def test_a_policy_by_hand_that_opens_more_than_the_role_is_named(tmp_path: Path) -> None:
    (found,) = of_plan(tmp_path, with_policy(tmp_path, f"arn:aws:iam::{STORAGE}:role/*"))
    assert found[:2] == ("XG120", f"{FIRST + 1}:5")
    assert (
        f"the policy old on group developers, which xgrant did not write, allows sts:AssumeRole on arn:aws:iam::{STORAGE}:role/*"
        in found[2]
    )


def test_a_policy_by_hand_that_opens_just_the_role_or_others_is_not(tmp_path: Path) -> None:
    assert of_plan(tmp_path, with_policy(tmp_path, f"arn:aws:iam::{STORAGE}:role/reader")) == []
    assert of_plan(tmp_path, with_policy(tmp_path, "arn:aws:iam::111111111111:role/*")) == []


def test_a_plan_that_closes_a_role_which_somebody_has_opened_to_everybody_is_not_held_up(tmp_path: Path) -> None:
    manifest = load_text(tmp_path, manifest_yaml(grant_yaml()))
    state = {**desired_of(manifest)}
    address = Address("storage", Kind.ROLE, "reader")
    role = state[address]
    assert isinstance(role, Role)
    everybody = {
        "Version": "2012-10-17",
        "Statement": [{"Effect": "Allow", "Principal": "*", "Action": "sts:AssumeRole"}],
    }
    state[address] = replace(role, trust_policy=PolicyDocument.parse(everybody))
    plan = plan_for(manifest, state)
    assert [change.attributes for change in plan.changes] == [("trust_policy",)]
    assert of_plan(tmp_path, plan) == []


def two_hops(folder: Path, *, first: str = "vendor", caller: str = "roles: [entry]") -> Plan:
    """Plan a role for a vendor, and one that it may assume."""
    entry = grant_yaml("entry", **{"from": f"{{account: {first}, users: [ann]}}", "to": "{account: dev}"})
    return plan_for(
        load_text(folder, manifest_yaml(entry, grant_yaml("deep", **{"from": f"{{account: dev, {caller}}}"}))), {}
    )


def test_a_role_that_somebody_elses_account_reaches_in_two_steps_is_named(tmp_path: Path) -> None:
    (found,) = of_plan(tmp_path, two_hops(tmp_path))
    assert found[:2] == ("XG121", f"{FIRST + 5}:5")
    assert (
        found[2]
        == "vendor, which is not managed here, reaches storage/role/deep in two steps, by the role dev/role/entry"
    )


def test_a_role_that_only_ours_reach_in_two_steps_or_theirs_in_one_is_not(tmp_path: Path) -> None:
    assert of_plan(tmp_path, two_hops(tmp_path, first="storage")) == []
    assert of_plan(tmp_path, two_hops(tmp_path, caller="roles: [another]")) == []


def test_permissions_that_may_assume_the_role_are_a_second_step_too(tmp_path: Path) -> None:
    may = f'[{{actions: "sts:*", resources: "arn:aws:iam::{STORAGE}:role/deep"}}]'
    entry = grant_yaml(
        "entry", **{"from": "{account: vendor, users: [ann]}", "to": "{account: dev}", "permissions": may}
    )
    deep = grant_yaml("deep", **{"from": "{account: dev, entire_account: true}"})
    assert [one[0] for one in of_plan(tmp_path, plan_for(load_text(tmp_path, manifest_yaml(entry, deep)), {}))] == [
        "XG121"
    ]


def test_every_rule_that_reads_plans_is_tested_here() -> None:
    assert {rule.id for rule in RULES if rule.of_plan} == {"XG120", "XG121"}


def judged(folder: Path, *grants: str, applied: bool = False) -> tuple[Finding, ...]:
    manifest = load_text(folder, manifest_yaml(*grants))
    plan = plan_for(manifest, desired_of(manifest) if applied else {})
    held = Guardrails(manifest, Policies(), NOW, Places(manifest, []))
    return tuple(one for one in held.of_plan(plan).findings if one.rule.startswith("XG1"))


def test_a_plan_warns_of_what_it_changes_and_gives_no_advice(tmp_path: Path) -> None:
    long = grant_yaml(session="{max_duration: 5h}")
    (finding,) = judged(tmp_path, long)
    assert (finding.rule, finding.severity) == ("XG112", "warning")
    assert str(finding.place).endswith(f":{FIRST + 4}:15")
    assert judged(tmp_path, long, applied=True) == ()


def test_a_plan_is_refused_for_what_is_denied_though_it_does_not_change_it(tmp_path: Path) -> None:
    denied = grant_yaml(permissions='[{actions: "*", resources: "*"}]', require="{mfa: true}")
    (finding,) = judged(tmp_path, denied, applied=True)
    assert (finding.rule, finding.severity) == ("XG104", "error")


def denying(manifest: Manifest, *rules: str, exempt: tuple[str, ...] = ()) -> Guardrails:
    at = Place("policies/team.yaml", 1, 1)
    exemptions = tuple(Exemption(rule, "*", "why", "me", "2999-12-31", at) for rule in exempt)
    return Guardrails(manifest, Policies(dict.fromkeys(rules, Level.DENY), exemptions), NOW, Places(manifest, []))


@pytest.mark.parametrize(
    ("rule", "parts"), {case.values[0]: case.values[:2] for case in BROKEN}.values(), ids=lambda one: str(one)[:5]
)
def test_every_rule_of_manifests_that_a_team_denies_refuses_the_plan(
    tmp_path: Path, rule: str, parts: dict[str, str]
) -> None:
    manifest = load_text(tmp_path, manifest_yaml(grant_yaml(**{**CAREFUL, **parts})))
    plan = denying(manifest, rule).of_plan(plan_for(manifest, {}))
    assert (rule, "error") in {(one.rule, one.severity) for one in plan.findings}
    assert plan.refused()


@pytest.mark.parametrize(("exempt", "said"), [((), {"XG116"}), (("XG116",), set())])
def test_what_a_plan_says_of_subjects_has_the_level_and_the_exceptions_of_the_team(
    tmp_path: Path, exempt: tuple[str, ...], said: set[str]
) -> None:
    oidc = "{oidc: {provider: token.actions.githubusercontent.com, subject: 'repo:a/b:*'}}"
    manifest = load_text(tmp_path, manifest_yaml(grant_yaml(**CAREFUL, **{"from": oidc})))
    facts = {name: AccountFacts(account) for name, account in manifest.accounts.items()}
    found = denying(manifest, exempt=exempt).of_plan(plan_for(manifest, {}, facts=facts)).findings
    assert {one.rule for one in found} & {"XG116", "XG233"} == said


def test_a_denied_way_in_two_steps_is_refused_whichever_half_is_planned(tmp_path: Path) -> None:
    entry = grant_yaml("entry", **{"from": "{account: vendor, users: [ann]}", "to": "{account: dev}"})
    deep = grant_yaml("deep", **{"from": "{account: dev, roles: [entry]}"})
    manifest = load_text(tmp_path, manifest_yaml(entry, deep))
    everything = desired_of(manifest)
    for only, other in (("deep", "entry"), ("entry", "deep")):
        live = {address: found for address, found in everything.items() if found.grant == other}
        request = Request(manifest, frozenset({only}), guardrails=denying(manifest, "XG121"))
        plan = make_plan(request, StateReader(manifest, live), now=NOW)
        assert [(one.rule, one.severity, one.grant) for one in plan.findings if one.rule == "XG121"] == [
            ("XG121", "error", "deep")
        ], only


OWN = f"arn:aws:iam::{STORAGE}:policy/all"


def test_a_managed_policy_of_the_account_is_judged_by_what_was_read(tmp_path: Path) -> None:
    manifest = load_text(tmp_path, manifest_yaml(grant_yaml(managed_policies=f"[{OWN}]")))
    facts = facts_for(manifest)
    everything = PolicyDocument.parse(
        {"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Action": "*", "Resource": "*"}]}
    )
    facts["storage"] = replace(facts["storage"], documents={OWN: everything}, policies=frozenset({OWN}))
    found = denying(manifest).of_plan(plan_for(manifest, {}, facts=facts)).findings
    denied = next(one for one in found if one.rule == "XG104")
    assert denied.message == f"{OWN}: every action of AWS is allowed"
    assert str(denied.place).endswith(f"grants.yaml:{FIRST + 4}:24")


DEEP = f"arn:aws:iam::{STORAGE}:role/deep"
ASSUMES = "sts:AssumeRole"


@pytest.mark.parametrize(
    ("parts", "reached"),
    [
        ({"permissions": "", "managed_policies": "[arn:aws:iam::aws:policy/AdministratorAccess]"}, True),
        ({"permissions": "", "managed_policies": f"[arn:aws:iam::{DEV}:policy/all]"}, True),
        ({"permissions": "[{not_actions: 's3:*', resources: '*'}]"}, True),
        ({"permissions": "[{actions: 'sts:*', not_resources: 'arn:aws:iam::1:role/x'}]"}, True),
        ({"permissions": f"[{{actions: {ASSUMES}, resources: '{DEEP}', conditions: {{Bool: {{'aws:SecureTransport': true}}}}}}]"}, True),
        ({"permissions": f"[{{actions: {ASSUMES}, resources: '*'}}, {{effect: Deny, actions: {ASSUMES}, resources: '{DEEP}'}}]"}, False),
        ({"permissions": f"[{{actions: {ASSUMES}, not_resources: '{DEEP}'}}]"}, False),
        ({"permissions": f"[{{actions: {ASSUMES}, resources: 'arn:aws:iam::{STORAGE}:role/other'}}]"}, False),
    ],
)  # fmt: skip
def test_the_second_step_is_judged_by_all_that_the_first_role_is_allowed(
    tmp_path: Path, parts: dict[str, str], *, reached: bool
) -> None:
    entry = grant_yaml("entry", **{"from": "{account: vendor, users: [ann]}", "to": "{account: dev}", **parts})
    deep = grant_yaml("deep", **{"from": "{account: dev, entire_account: true}"})
    manifest = load_text(tmp_path, manifest_yaml(entry, deep))
    facts = facts_for(manifest)
    own = f"arn:aws:iam::{DEV}:policy/all"
    facts["dev"] = replace(facts["dev"], documents={own: assuming("*")}, policies=frozenset({own}))
    found = of_plan(tmp_path, plan_for(manifest, {}, facts=facts))
    assert ("XG121" in {one[0] for one in found}) is reached


def test_two_steps_are_looked_for_in_time_that_grows_with_the_grants_and_not_with_their_square(tmp_path: Path) -> None:
    def steps(number: int) -> int:
        entries = [
            grant_yaml(f"v{i}", **{"from": "{account: vendor, users: [ann]}", "to": f"{{account: dev, role: v{i}}}"})
            for i in range(number)
        ]
        deep = [
            grant_yaml(
                f"d{i}", **{"from": f"{{account: dev, roles: [v{i}]}}", "to": f"{{account: storage, role: d{i}}}"}
            )
            for i in range(number)
        ]
        plan = plan_for(load_text(tmp_path, manifest_yaml(*entries, *deep)), {})
        counted = 0

        def count(*_: object) -> None:
            nonlocal counted
            counted += 1

        sys.setprofile(count)
        try:
            found = lint_plan(plan, Policies(), lambda *_: None)
        finally:
            sys.setprofile(None)
        assert len([one for one in found if one.rule == "XG121"]) == number
        return counted

    small, large = steps(20), steps(80)
    assert large < 6 * small
