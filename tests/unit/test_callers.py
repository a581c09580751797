"""Callers behind IAM Identity Center and callers with a token: what a manifest may say, and what becomes of it."""

from __future__ import annotations

import re
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from reconciler.errors import ManifestError
from reconciler.model import CallerPolicy, Plan, PrincipalKind, Role, Severity, State
from reconciler.planner import narrow, plan
from reconciler.policy.arn import covers
from reconciler.policy.permission_sets import named_by, role_patterns
from reconciler.render.text import text
from reconciler.rules import RULES
from reconciler.rules.permission_sets import permission_set_policy
from tests.support import (
    DEV,
    HEAD,
    STORAGE,
    VENDOR,
    allow,
    desired_of,
    document,
    facts_for,
    grant_yaml,
    load_text,
    manifest_yaml,
    plan_for,
)

GITHUB, GITLAB = "token.actions.githubusercontent.com", "gitlab.com"
SUBJECT = "repo:acme/app:ref:refs/heads/main"
FOLDER = "role/aws-reserved/sso.amazonaws.com"
ROLE = "AWSReservedSSO_DataEngineer_0123456789abcdef"
FROM_LINE = HEAD.count("\n") + 3


def oidc(subject: str = f'"{SUBJECT}"', provider: str = GITHUB, audience: str = "") -> str:
    more = f", audience: {audience}" if audience else ""
    return f"{{oidc: {{provider: {provider}, subject: {subject}{more}}}}}"


def people(*names: str, account: str = "dev", beside: str = "") -> str:
    return f"{{account: {account}, permission_sets: [{', '.join(names)}]{beside}}}"


def state_of(folder: Path, *grants: str, head: str = HEAD) -> State:
    return desired_of(load_text(folder, manifest_yaml(*grants, head=head)))


def trust_of(folder: Path, head: str = HEAD, **parts: str) -> list[dict[str, Any]]:
    state = state_of(folder, grant_yaml(**parts), head=head)
    (role,) = (resource for resource in state.values() if isinstance(resource, Role))
    found: list[dict[str, Any]] = role.trust_policy.data()["Statement"]
    return found


def patterns(account_id: str, name: str) -> list[str]:
    role = f"AWSReservedSSO_{name}_" + "?" * 16
    return [f"arn:aws:iam::{account_id}:{FOLDER}/*/{role}", f"arn:aws:iam::{account_id}:{FOLDER}/{role}"]


def problems_of(folder: Path, text: str) -> list[str]:
    with pytest.raises(ManifestError) as caught:
        load_text(folder, text)
    return [str(problem).removeprefix(f"{folder}/") for problem in caught.value.problems]


# What the trust policy says


def test_a_permission_set_is_the_root_of_its_account_narrowed_to_the_pattern_of_its_role(tmp_path: Path) -> None:
    state = state_of(tmp_path, grant_yaml(**{"from": people("DataEngineer")}))
    (role,) = state.values()
    assert isinstance(role, Role)
    assert role.trust_policy.data()["Statement"] == [
        {
            "Effect": "Allow",
            "Principal": {"AWS": f"arn:aws:iam::{DEV}:root"},
            "Action": "sts:AssumeRole",
            "Condition": {"ArnLike": {"aws:PrincipalArn": patterns(DEV, "DataEngineer")}},
        }
    ]


def test_permission_sets_stand_beside_others_in_a_statement_of_their_own_with_the_same_conditions(
    tmp_path: Path,
) -> None:
    parts = {"from": people("DataEngineer", beside=", users: [alice], roles: [ci]")}
    named, sets = trust_of(tmp_path, **parts, require="{external_id: abc}")
    assert named["Principal"] == {"AWS": [f"arn:aws:iam::{DEV}:role/ci", f"arn:aws:iam::{DEV}:user/alice"]}
    assert named["Condition"] == {"StringEquals": {"sts:ExternalId": "abc"}}
    assert sets["Condition"] == {
        "ArnLike": {"aws:PrincipalArn": patterns(DEV, "DataEngineer")},
        "StringEquals": {"sts:ExternalId": "abc"},
    }


def test_groups_beside_permission_sets_let_in_users_of_their_account_only(tmp_path: Path) -> None:
    parts = {"from": people("Data", account="[dev, vendor]", beside=", groups: [developers]")}
    users, sets = trust_of(tmp_path, **parts, require="{external_id: abc}")
    roots = {"AWS": [f"arn:aws:iam::{DEV}:root", f"arn:aws:iam::{VENDOR}:root"]}
    assert (users["Principal"], sets["Principal"]) == (roots, roots)
    assert users["Condition"] == {
        "ArnLike": {"aws:PrincipalArn": [f"arn:aws:iam::{DEV}:user/*", f"arn:aws:iam::{VENDOR}:user/*"]},
        "StringEquals": {"sts:ExternalId": "abc"},
    }


def test_groups_without_permission_sets_are_the_root_of_their_account(tmp_path: Path) -> None:
    (statement,) = trust_of(tmp_path, **{"from": "{account: dev, groups: [developers], users: [alice]}"})
    assert (len(statement["Principal"]["AWS"]), "Condition" in statement) == (2, False)


def test_only_the_callers_that_are_no_permission_sets_get_caller_policies(tmp_path: Path) -> None:
    for account in ("dev", "vendor"):
        grant = grant_yaml(**{"from": people("DataEngineer", account=account, beside=", users: [alice]")})
        found = state_of(tmp_path, grant)
        holders = [address.holder for address, policy in found.items() if isinstance(policy, CallerPolicy)]
        assert holders == [(PrincipalKind.USER, "alice")]


def test_each_source_account_lets_in_its_own_roles_only(tmp_path: Path) -> None:
    (statement,) = trust_of(tmp_path, **{"from": people("Ops", account="[dev, vendor]")})
    assert statement["Principal"] == {"AWS": [f"arn:aws:iam::{DEV}:root", f"arn:aws:iam::{VENDOR}:root"]}
    assert statement["Condition"]["ArnLike"]["aws:PrincipalArn"] == sorted(
        patterns(DEV, "Ops") + patterns(VENDOR, "Ops")
    )


@pytest.mark.parametrize(
    ("role", "met"),
    [
        (f"{FOLDER}/AWSReservedSSO_Data_0123456789abcdef", True),
        (f"{FOLDER}/eu-central-1/AWSReservedSSO_Data_0123456789abcdef", True),
        (f"{FOLDER}/AWSReservedSSO_Data_Engineer_0123456789abcdef", False),
        (f"{FOLDER}/AWSReservedSSO_DataEngineer_0123456789abcdef", False),
        (f"{FOLDER}/AWSReservedSSO_Data__0123456789abcdef", False),
        (f"{FOLDER}/AWSReservedSSO_data_0123456789abcdef", False),
        ("role/AWSReservedSSO_Data_0123456789abcdef", False),
        ("role/x/aws-reserved/sso.amazonaws.com/AWSReservedSSO_Data_0123456789abcdef", False),
    ],
)
def test_the_patterns_of_a_permission_set_fit_its_roles_and_no_others(role: str, met: bool) -> None:
    fits = [covers(pattern, f"arn:aws:iam::{DEV}:{role}") for pattern in role_patterns("aws", DEV, "Data")]
    assert any(fits) is met


def test_patterns_are_read_back_only_where_they_are_whole() -> None:
    both = [*patterns(DEV, "A"), *patterns(DEV, "B_C")]
    assert named_by(both) == frozenset([(DEV, "A"), (DEV, "B_C")])
    assert named_by(both[1:]) is None
    assert named_by([*both, f"arn:aws:iam::{DEV}:{FOLDER}/*/AWSReservedSSO_A_*"]) is None


def test_a_token_is_taken_of_the_provider_in_each_target_account_and_of_its_subject_exactly(tmp_path: Path) -> None:
    state = state_of(tmp_path, grant_yaml(**{"from": oidc(), "to": "{account: [dev, storage]}"}))
    roles = {address.account: role for address, role in state.items() if isinstance(role, Role)}
    assert len(roles) == len(state) == 2
    for account, account_id in (("dev", DEV), ("storage", STORAGE)):
        assert roles[account].trust_policy.data()["Statement"] == [
            {
                "Effect": "Allow",
                "Principal": {"Federated": f"arn:aws:iam::{account_id}:oidc-provider/{GITHUB}"},
                "Action": "sts:AssumeRoleWithWebIdentity",
                "Condition": {"StringEquals": {f"{GITHUB}:aud": "sts.amazonaws.com", f"{GITHUB}:sub": SUBJECT}},
            }
        ]


def test_one_wildcard_puts_all_subjects_under_one_operator_since_iam_joins_operators_with_and(tmp_path: Path) -> None:
    subjects = f'["{SUBJECT}", "repo:acme/app:environment:*"]'
    (statement,) = trust_of(tmp_path, **{"from": oidc(subjects), "require": "{source_ip: [10.0.0.0/8]}"})
    assert statement["Condition"] == {
        "StringEquals": {f"{GITHUB}:aud": "sts.amazonaws.com"},
        "StringLike": {f"{GITHUB}:sub": [SUBJECT, "repo:acme/app:environment:*"]},
        "IpAddress": {"aws:SourceIp": "10.0.0.0/8"},
    }


def test_a_subject_may_have_variables_of_the_target_account(tmp_path: Path) -> None:
    for whose in ("target", "account"):
        (statement,) = trust_of(tmp_path, **{"from": oidc(f'"repo:acme/app:environment:${{{whose}.name}}"')})
        assert statement["Condition"]["StringEquals"][f"{GITHUB}:sub"] == "repo:acme/app:environment:storage"


def test_what_is_demanded_of_an_account_in_defaults_is_not_demanded_of_a_token(tmp_path: Path) -> None:
    head = HEAD + "defaults: {require: {external_id: abc, source_org: o-abcdefghij, source_ip: [10.0.0.0/8]}}\n"
    (statement,) = trust_of(tmp_path, head, **{"from": oidc()})
    assert statement["Condition"] == {
        "StringEquals": {f"{GITHUB}:aud": "sts.amazonaws.com", f"{GITHUB}:sub": SUBJECT},
        "IpAddress": {"aws:SourceIp": "10.0.0.0/8"},
    }
    (others,) = trust_of(tmp_path, head, **{"from": "{account: dev, users: [alice]}"})
    assert {"sts:ExternalId", "aws:PrincipalOrgID"} == set(others["Condition"]["StringEquals"])


@pytest.mark.parametrize("value", ["evil/x:ref", "a/b", "a:b"])
@pytest.mark.parametrize("where", ["subject", "audience"])
def test_a_tag_cannot_make_more_parts_of_a_subject_or_an_audience(tmp_path: Path, where: str, value: str) -> None:
    head = HEAD.replace("storage: {", f'storage: {{tags: {{team: "{value}"}}, ')
    tag = '"x-${account.tags.team}"'
    who = oidc(tag.replace("x-", "repo:acme/")) if where == "subject" else oidc(audience=tag)
    (problem,) = problems_of(tmp_path, manifest_yaml(grant_yaml(**{"from": who}), head=head))
    assert "XG047" in problem
    assert "letters, digits and _.=+@- here" in problem


def test_long_sessions_are_possible_with_a_token_since_that_is_no_chaining(tmp_path: Path) -> None:
    assert trust_of(tmp_path, **{"from": oidc(), "session": "{max_duration: 12h}"})


# What is refused


@pytest.mark.parametrize(
    ("parts", "place", "code", "words"),
    [
        pytest.param({"from": oidc('"repo:acme/*"')}, "+1:75", "XG050", "name the repository", id="any repository"),
        pytest.param({"from": oidc(f'["{SUBJECT}", "*"]')}, "+1:113", "XG050", "any token", id="anybody, in a list"),
        pytest.param({"from": oidc('"repo:a/b:x"', "accounts.google.com", "x")}, "+1:29", "XG050", "built into AWS", id="Google"),
        pytest.param({"from": oidc(audience='"*"')}, "+1:122", "XG050", "no wildcards", id="audience with a wildcard"),
        pytest.param({"from": oidc('"${source.id}"')}, "+1:75", "XG047", "no source account", id="source in oidc"),
        pytest.param({"from": oidc(), "description": '"${source.id}"'}, "+4:18", "XG047", "no source account", id="source elsewhere"),
        pytest.param({"from": oidc(provider="token.action.githubusercontent.com")}, "+1:12", "XG011", "or did you mean the provider token.actions.", id="mistyped provider"),
        pytest.param({"from": oidc(provider='"https://token.actions.githubusercontent.com"')}, "+1:29", "XG013", "without https://", id="provider as URL"),
        pytest.param({"from": "{services: [lambda.amazonaws.com]}"}, "+1:22", "XG013", "name the role that it has", id="services alone"),
        pytest.param({"from": oidc(provider=GITLAB)}, "+1:12", "XG011", "'audience' is missing", id="no audience"),
        pytest.param({"from": oidc(provider='"https://gitlab.com"', audience="x")}, "+1:29", "XG013", "without https://", id="a URL"),
        pytest.param({"from": oidc(provider="GitLab.com", audience="x")}, "+1:29", "XG013", "small letters", id="capitals"),
        pytest.param({"from": oidc(provider="gitlab.com/", audience="x")}, "+1:29", "XG013", "without / at", id="slash"),
        pytest.param({"from": oidc('""')}, "+1:75", "XG013", "cannot be empty", id="no subject"),
        pytest.param({"from": "{oidc: x}"}, "+1:18", "XG012", "oidc is written like", id="a text"),
        pytest.param({"from": oidc().replace("{", "{account: dev, ", 1)}, "+1:21", "XG013", "oidc stands alone", id="an account, too"),
        pytest.param({"from": oidc(), "caller_policy": "none"}, "+4:5", "XG033", "leave caller_policy out", id="a caller policy"),
        pytest.param({"from": oidc(), "to": "{account: vendor}"}, "+2:19", "XG036", "not managed here", id="of somebody else"),
        pytest.param({"from": oidc(), "require": "{mfa: true}"}, "+4:20", "XG040", "carries no MFA", id="MFA"),
        pytest.param({"from": oidc(), "require": "{external_id: abc}"}, "+4:28", "XG040", "no sts:ExternalId", id="external id"),
        pytest.param({"from": oidc(), "require": "{source_org: o-abcdefghij}"}, "+4:27", "XG040", "PrincipalOrgID", id="organization"),
        pytest.param(
            {"from": oidc(), "trust_conditions": '{ArnLike: {"aws:PrincipalArn": "arn:aws:iam::1:role/x"}}'},
            "+4:54", "XG040", "no principal of AWS yet", id="a principal",
        ),
        pytest.param(
            {"from": oidc(), "trust_conditions": '{StringEquals: {"aws:PrincipalTag/team": data}}'},
            "+4:64", "XG040", "no principal of AWS yet", id="a principal's tag",
        ),
        pytest.param(
            {"from": oidc(), "trust_conditions": f'{{StringEquals: {{"{GITHUB}:sub": x}}}}'},
            "+4:82", "XG034", "`from` demands", id="the subject twice",
        ),
        pytest.param({"from": "{account: dev, services: [lambda.amazonaws.com]}"}, "+1:36", "XG013", "name the role that it has", id="services"),
        pytest.param({"from": "{account: dev, users: [a], services: x}"}, "+1:48", "XG013", "in the source account in roles", id="services beside users"),
        pytest.param({"from": people('"a b"')}, "+1:44", "XG029", "1 to 32 letters", id="permission set's alphabet"),
        pytest.param({"from": people("x" * 33)}, "+1:44", "XG029", "1 to 32 letters", id="permission set's length"),
        pytest.param({"from": people(ROLE)}, "+1:44", "XG029", "AWS changes: DataEngineer", id="the role of a permission set"),
        pytest.param({"from": people("X", beside=", entire_account: true")}, "+1:64", "XG033", "not both", id="some and all"),
        pytest.param({"from": people("X"), "require": "{mfa: true}"}, "+4:20", "XG040", "the permission set X can never", id="MFA of a permission set"),
        pytest.param({"from": people("X"), "session": "{max_duration: 2h}"}, "+4:29", "XG040", "at most 1h", id="long sessions"),
        pytest.param(
            {"from": people("X"), "trust_conditions": '{ArnLike: {"aws:principalarn": "*"}}'},
            "+4:54", "XG034", "IAM would take either", id="the pattern twice",
        ),
        pytest.param(
            {"from": f"{{account: dev, roles: [aws-reserved/sso.amazonaws.com/{ROLE}]}}"},
            "+1:34", "XG041", "permission_sets: [DataEngineer]", id="a role of Identity Center",
        ),
    ],
)  # fmt: skip
def test_a_caller_that_cannot_be_is_refused(
    tmp_path: Path, parts: dict[str, str], place: str, code: str, words: str
) -> None:
    found = problems_of(tmp_path, manifest_yaml(grant_yaml(**parts)))
    line, column = place.removeprefix("+").split(":")
    assert len(found) == 1, found
    assert found[0].startswith(f"grants.yaml:{FROM_LINE - 1 + int(line)}:{column}: {code} "), found[0]
    assert words in found[0]


@pytest.mark.parametrize(
    "condition",
    [
        'StringNotEquals: {"aws:PrincipalArn": x}',
        'ArnLikeIfExists: {"aws:PrincipalArn": x}',
        '"ForAllValues:StringEquals": {"aws:PrincipalOrgPaths": x}',
    ],
)
def test_a_condition_that_is_met_without_its_key_may_be_demanded_of_a_token(tmp_path: Path, condition: str) -> None:
    assert trust_of(tmp_path, **{"from": oidc(), "trust_conditions": f"{{{condition}}}"})


def test_mfa_that_defaults_demand_can_be_declined_for_callers_with_a_token(tmp_path: Path) -> None:
    head = HEAD + "defaults: {require: {mfa: true}, caller_policy: managed}\n"
    assert "XG040" in problems_of(tmp_path, manifest_yaml(grant_yaml(**{"from": oidc()}), head=head))[0]
    assert trust_of(tmp_path, head, **{"from": oidc(), "require": "{mfa: false}"})


# What the plan says


def planned(folder: Path, *grants: str, **dev: Any) -> Plan:
    manifest = load_text(folder, manifest_yaml(*grants))
    facts = facts_for(manifest)
    facts["dev"] = replace(facts["dev"], **dev)
    return plan_for(manifest, {}, facts=facts)


def said(found: Plan, rule: str) -> list[str]:
    return [f"{finding.severity} {finding.message}" for finding in found.findings if finding.rule == rule]


def standing(*roles: str) -> dict[tuple[PrincipalKind, str], str]:
    return {
        (PrincipalKind.ROLE, role.rsplit("/", 1)[-1].casefold()): f"arn:aws:iam::{DEV}:{FOLDER}/{role}"
        for role in roles
    }


def test_the_plan_says_in_one_document_what_a_permission_set_has_to_allow_for_all_grants(tmp_path: Path) -> None:
    grants = [
        grant_yaml("one", **{"from": people("Ops"), "to": "{account: storage, role: One}"}),
        grant_yaml(
            "two", **{"from": people("Ops", "Data", account="[dev, vendor]"), "to": "{account: storage, role: Two}"}
        ),
    ]
    found = [finding for finding in planned(tmp_path, *grants).findings if finding.rule == "XG230"]
    one, two = (f"arn:aws:iam::{STORAGE}:role/{name}" for name in ("One", "Two"))
    assert [(f.severity, f.grant, f.documents[0][1].resources()) for f in found] == [
        (Severity.NOTE, "two", (two,)),
        (Severity.NOTE, "", (one, two)),
    ]
    assert [re.findall(r"permission set (\w+) of accounts? (.*) is not seen", f.message)[0] for f in found] == [
        ("Data", f"dev ({DEV}), vendor ({VENDOR})"),
        ("Ops", f"dev ({DEV}), vendor ({VENDOR})"),
    ]


def test_what_several_grants_need_of_a_permission_set_is_shown_while_anything_changes(tmp_path: Path) -> None:
    grants = [grant_yaml(name, **{"from": people("Ops")}) for name in ("one", "two")]
    manifest = load_text(tmp_path, manifest_yaml(*grants))
    desired = desired_of(manifest)
    assert '"sts:AssumeRole"' in text(plan_for(manifest, {}))
    unchanged = plan_for(manifest, desired)
    assert (unchanged.changes, said(unchanged, "XG230")) == ((), said(plan_for(manifest, {}), "XG230"))
    assert "    nothing changes, so the documents are left out" in text(unchanged)


def test_with_only_the_document_still_has_the_roles_of_the_grants_that_are_left_out(tmp_path: Path) -> None:
    grants = [grant_yaml(name, **{"from": people("Ops")}) for name in ("one", "two")]
    manifest = load_text(tmp_path, manifest_yaml(*grants))
    whole = plan_for(manifest, {})
    wanted, live = narrow(whole.desired, whole.live, frozenset(["one"]), stack="platform")
    part = plan(wanted, live, stack="platform", rules=RULES, whole=whole.whole)
    (note,) = permission_set_policy(part)
    assert len(note.documents[0][1].resources()) == 2


MAY = allow("sts:AssumeRole", f"arn:aws:iam::{STORAGE}:role/reader")
CONDITION = {"Condition": {"StringEquals": {"aws:RequestedRegion": "mars"}}}


@pytest.mark.parametrize(
    ("statements", "notes"),
    [
        pytest.param([MAY], 0, id="the role"),
        pytest.param([allow("sts:AssumeRole", "arn:aws:iam::*:role/*")], 0, id="all roles"),
        pytest.param([allow("sts:AssumeRole", f"arn:aws:iam::{STORAGE}:role/other")], 1, id="another role"),
        pytest.param([{**MAY, **CONDITION}], 1, id="on conditions"),
        pytest.param([MAY, {**MAY, "Effect": "Deny", **CONDITION}], 1, id="denied on conditions"),
        pytest.param([MAY, {"Effect": "Deny", "NotAction": "s3:*", "Resource": "*"}], 1, id="all else denied"),
        pytest.param([MAY, {**allow("s3:*", "*"), "Effect": "Deny"}], 0, id="something else denied"),
    ],
)
def test_a_permission_set_that_allows_the_roles_already_is_not_noted(
    tmp_path: Path, statements: list[dict[str, Any]], notes: int
) -> None:
    by_hand = {(PrincipalKind.ROLE, ROLE.casefold()): {"AwsSSOInlinePolicy": document(*statements)}}
    found = planned(
        tmp_path, grant_yaml(**{"from": people("DataEngineer")}), principals=standing(ROLE), by_hand=by_hand
    )
    assert (len(said(found, "XG230")), said(found, "XG231")) == (notes, [])


@pytest.mark.parametrize("role", [ROLE, f"eu-central-1/{ROLE}"])
def test_a_permission_set_that_has_a_role_in_the_account_is_assigned(tmp_path: Path, role: str) -> None:
    found = planned(tmp_path, grant_yaml(**{"from": people("DataEngineer")}), principals=standing(role))
    assert said(found, "XG231") == []


@pytest.mark.parametrize(
    ("standing_roles", "way_out"),
    [
        ((), "assign the permission set"),
        (("AWSReservedSSO_Data_Engineer_0123456789abcdef",), "assign the permission set"),
        (("AWSReservedSSO_dataengineer_0123456789abcdef",), "write dataengineer in the grant's `from`"),
    ],
)
def test_a_permission_set_without_a_role_in_the_account_is_a_warning(
    tmp_path: Path, standing_roles: tuple[str, ...], way_out: str
) -> None:
    grant = grant_yaml(**{"from": people("DataEngineer", account="[dev, vendor]")})
    found = planned(tmp_path, grant, principals=standing(*standing_roles))
    (warning,) = [finding for finding in found.findings if finding.rule == "XG231"]
    assert (warning.severity, found.refused()) == (Severity.WARNING, False)
    assert "account dev has no role of the permission set DataEngineer" in warning.message
    assert way_out in warning.way_out


def test_of_an_account_that_could_not_be_read_nothing_is_said_of_permission_sets(tmp_path: Path) -> None:
    found = planned(tmp_path, grant_yaml(**{"from": people("X")}), principals={}, error="refused")
    assert said(found, "XG230") + said(found, "XG231") == []


def test_what_is_said_of_a_permission_set_does_not_hang_on_whether_the_roles_account_could_be_read(
    tmp_path: Path,
) -> None:
    manifest = load_text(tmp_path, manifest_yaml(grant_yaml(**{"from": people("X")})))
    facts = facts_for(manifest)
    facts["storage"] = replace(facts["storage"], error="refused")
    for rule in ("XG230", "XG231"):
        assert said(plan_for(manifest, {}, facts=facts), rule) == said(plan_for(manifest, {}), rule) != []


def test_people_of_a_permission_set_get_an_hour_where_others_get_more(tmp_path: Path) -> None:
    grant = grant_yaml(**{"from": people("X", beside=", users: [alice]"), "session": "{max_duration: 4h}"})
    assert said(planned(tmp_path, grant), "XG226") == [
        "warning sessions of the permission set X last at most 1h, since roles that assume roles get no more"
    ]


@pytest.mark.parametrize(
    ("known", "warned"),
    [(None, 0), (frozenset(), 1), (frozenset({f"arn:aws:iam::{STORAGE}:oidc-provider/{GITHUB}"}), 0)],
)
def test_a_provider_that_the_target_account_lacks_is_a_warning(
    tmp_path: Path, known: frozenset[str] | None, warned: int
) -> None:
    manifest = load_text(tmp_path, manifest_yaml(grant_yaml(**{"from": oidc()})))
    facts = facts_for(manifest)
    facts["storage"] = replace(facts["storage"], oidc_providers=known)
    found = plan_for(manifest, {}, facts=facts)
    assert len(said(found, "XG232")) == warned
    assert all(f"storage has no identity provider {GITHUB}, so" in message for message in said(found, "XG232"))


def test_a_subject_of_every_branch_is_one_warning_when_it_comes_and_none_while_it_stands(tmp_path: Path) -> None:
    grant = grant_yaml(**{"from": oidc('"repo:acme/app:*"'), "to": "{account: [dev, storage]}"})
    manifest = load_text(tmp_path, manifest_yaml(grant))
    assert said(plan_for(manifest, {}), "XG233") == [
        "warning any branch, tag, environment and pull request of repo:acme/app may assume the role of reader"
    ]
    assert said(plan_for(manifest, desired_of(manifest)), "XG233") == []
