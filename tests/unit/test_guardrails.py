"""Each guardrail: a grant that breaks it, with the place that is named, and one that does not."""

from __future__ import annotations

from pathlib import Path

import pytest

from reconciler.catalogue import installed_catalogue
from reconciler.lint import RULES, SEVERITIES, Seen, lint
from reconciler.lint.catalogue import Catalogue
from reconciler.manifest.places import Places
from reconciler.model import Finding, Level, Policies
from tests.support import DEV, HEAD, STORAGE, grant_yaml, load_text, manifest_yaml

FIRST = HEAD.count("\n") + 2
"""The line of the first grant's name; `from`, `to` and `permissions` stand below it."""

CAREFUL = {"description": "Read the bucket", "tags": "{owner: data}"}
TODAY, NOW = "2026-06-15", 1_781_481_600
BUCKET = "arn:aws:s3:::b/*"
OIDC = "{oidc: {provider: token.actions.githubusercontent.com, subject: %s}}"
WHOLE = "{account: dev, entire_account: true}"
OF_VENDOR = "{account: vendor, users: [ann]}"


def allow(actions: str, resources: str = '"*"', more: str = "") -> str:
    return f"[{{actions: {actions}, resources: {resources}{more}}}]"


def found_in(folder: Path, text: str, *, catalogue: Catalogue | None = None) -> tuple[Finding, ...]:
    manifest = load_text(folder, text)
    seen = Seen(manifest, TODAY, NOW, catalogue or installed_catalogue())
    return lint(seen, Policies(), Places(manifest, [str(folder / "grants.yaml")]).place)


def found(folder: Path, rule: str, **parts: str) -> list[Finding]:
    every = found_in(folder, manifest_yaml(grant_yaml(**{**CAREFUL, **parts})))
    return [finding for finding in every if finding.rule == rule]


BROKEN = [
    pytest.param("XG101", {"from": WHOLE}, "+1:26", "whoever dev lets", id="whole account"),
    pytest.param("XG101", {"from": WHOLE, "require": "{source_ip: [203.0.113.0/24]}"}, "+1:26", "dev", id="whole account by address"),
    pytest.param("XG101", {"from": WHOLE, "trust_conditions": "{StringLikeIfExists: {'aws:PrincipalTag/a': b}}"}, "+1:26", "dev", id="whole account if exists"),
    pytest.param("XG102", {"from": OF_VENDOR}, "+1:12", "vendor is somebody else's", id="third party"),
    pytest.param("XG126", {"require": "{external_id: [long-and-means-nothing, elevenchars]}"}, "+6:15", "fewer than 12", id="short external id"),
    pytest.param("XG103", {"from": WHOLE, "trust_conditions": "{ArnLike: {'aws:PrincipalArn': '*'}}"}, "+6:34", "met by every principal", id="any ARN"),
    pytest.param("XG103", {"from": WHOLE, "trust_conditions": f"{{ArnLike: {{'AWS:principalarn': 'arn:aws:iam::{DEV}:*'}}}}"}, "+6:34", "met by every", id="any ARN of the account"),
    pytest.param("XG104", {"permissions": allow('"*"')}, "+3:29", "every action of AWS", id="all actions"),
    pytest.param("XG104", {"permissions": allow('["s3:GetObject", "*"]')}, "+3:46", "every action of AWS", id="all actions in a list"),
    pytest.param("XG104", {"managed_policies": "[arn:aws:iam::aws:policy/ReadOnlyAccess, arn:aws:iam::aws:policy/AdministratorAccess]"}, "+6:64", "AdministratorAccess", id="administrator"),
    pytest.param("XG105", {"permissions": '[{not_actions: ["iam:*"], resources: "*"}]'}, "+3:20", "all but 1 action of AWS", id="NotAction"),
    pytest.param("XG106", {"permissions": allow('"iam:*"', "arn:aws:iam::1:role/x")}, "+3:29", "who may do what", id="all of IAM"),
    pytest.param("XG106", {"permissions": allow('"KMS:*"')}, "+3:29", "every key", id="all of KMS on all keys"),
    pytest.param("XG106", {"managed_policies": "[arn:aws:iam::aws:policy/IAMFullAccess]"}, "+6:24", "IAMFullAccess", id="IAMFullAccess"),
    pytest.param("XG107", {"permissions": allow('"iam:PassRole"')}, "+3:56", "hands any role", id="PassRole"),
    pytest.param("XG107", {"permissions": allow('"iam:Pass*"', f'["arn:aws:iam::{STORAGE}:role/x", "arn:aws:iam::{STORAGE}:role/*"]')}, "+3:90", "hands any role", id="PassRole by pattern"),
    pytest.param("XG108", {"permissions": allow('["s3:GetObject", "iam:CreatePolicyVersion"]', '"arn:aws:iam::1:policy/x"')}, "+3:46", "writes new permissions", id="escalation"),
    pytest.param("XG108", {"permissions": allow('["iam:Put*"]', '"arn:aws:iam::1:role/x"')}, "+3:30", "a user's permissions", id="escalation by pattern"),
    pytest.param("XG108", {"permissions": allow('["iam:PassRole", "ec2:RunInstances"]')}, "+3:30", "starts a machine", id="escalation in two"),
    pytest.param("XG109", {"permissions": '[{actions: "s3:GetObject", not_resources: ["arn:aws:s3:::b"]}]'}, "+3:45", "on all but what is named", id="NotResource"),
    pytest.param("XG110", {"permissions": allow('[s3:ListAllMyBuckets, s3:GetObject]')}, "+3:77", "s3:GetObject is allowed on every", id="any resource"),
    pytest.param("XG110", {"permissions": allow('"s3:*"')}, "+3:48", "s3:* (as ", id="all of a service on any resource"),
    pytest.param("XG111", {"permissions": allow("[s3:GetObject, s3:PutObject]", BUCKET)}, "+3:44", "the group developers may do s3:PutObject", id="write without MFA"),
    pytest.param("XG112", {"session": "{max_duration: 5h}"}, "+6:15", "up to 5h", id="long session"),
    pytest.param("XG113", {"from": OF_VENDOR}, "+1:12", "no end", id="third party for ever"),
    pytest.param("XG114", {"description": ""}, "+0:3", "nothing says", id="no description"),
    pytest.param("XG115", {"tags": "{cost-center: '42'}"}, "+5:5", "no tag says", id="no owner"),
    pytest.param("XG115", {"tags": ""}, "+0:3", "no tag says", id="no tags"),
    pytest.param("XG116", {"from": OIDC % "['repo:a/b:ref:refs/heads/main', 'repo:a/b:*']"}, "+1:108", "any branch", id="any branch"),
    pytest.param("XG116", {"from": OIDC % "repo:a/b:pull_request"}, "+1:66", "any pull request", id="any pull request"),
    pytest.param("XG117", {"trust_conditions": "{StringEquals: {'aws:PrincipalArn': 'arn:aws:iam::1:role/*'}}"}, "+6:39", "a star for a star", id="literal star"),
    pytest.param("XG117", {"trust_conditions": "{IpAddress: {'aws:SourceIp': [10.0.0.0/8]}}"}, "+6:36", "public addresses", id="private address"),
    pytest.param("XG117", {"require": "{source_ip: [192.168.1.0/24]}"}, "+6:15", "public addresses", id="private address required"),
    pytest.param("XG117", {"trust_conditions": "{StringEquals: {'aws:PrincipalAccount': '111111111111'}}"}, "+6:39", "the callers are of dev", id="another account"),
    pytest.param("XG117", {"trust_conditions": "{ArnLike: {'aws:PrincipalArn': 'arn:aws:iam::111111111111:user/*'}}"}, "+6:34", "the callers are of dev", id="ARN of another account"),
    pytest.param("XG117", {"trust_conditions": "{NumericLessThan: {'sts:DurationSeconds': 3600}}"}, "+6:42", "in no request", id="absent key"),
    pytest.param("XG117", {"trust_conditions": "{DateLessThan: {'aws:CurrentTime': 2026-06-14T00:00:00Z}}"}, "+6:39", "that time is over", id="over"),
    pytest.param("XG117", {"trust_conditions": "{'Null': {'aws:PrincipalTag/a': true}, StringEquals: {'aws:PrincipalTag/a': b}}"}, "+6:77", "not there", id="there and not there"),
    pytest.param("XG123", {"permissions": allow("s3:PutObject", BUCKET, ", conditions: {Bool: {'aws:MultiFactorAuthPresent': true}}")}, "+3:92", "this allows nothing", id="MFA of a session"),
    pytest.param("XG123", {"permissions": "[{effect: Deny, actions: '*', resources: '*', conditions: {BoolIfExists: {'aws:MultiFactorAuthPresent': false}}}]"}, "+3:92", "this always denies", id="no MFA of a session"),
    pytest.param("XG124", {"managed_policies": "[arn:aws:iam::aws:policy/PowerUserAccess]"}, "+6:24", "it is AWS's", id="much of AWS's own"),
    pytest.param("XG124", {"managed_policies": f"[arn:aws:iam::{STORAGE}:policy/all]"}, "+6:24", "only a plan reads it", id="policy of the account"),
    pytest.param("XG119", {"permissions": allow("s3:ListBucket", "arn:aws:s3:::b", ", conditions: {StringEquals: {'s4:prefix': a}}")}, "+3:99", "no service 's4'", id="key of no service"),
    pytest.param("XG125", {"permissions": allow("s3:ListBucket", "arn:aws:s3:::b", ", conditions: {StringEquals: {'aws:PrincpalOrgID': o-1}}")}, "+3:99", "did you mean aws:PrincipalOrgID?", id="global key misspelt"),
    pytest.param("XG125", {"trust_conditions": "{StringEquals: {'sts:ExternalIds': agreed}}"}, "+6:39", "did you mean sts:ExternalId?", id="key of STS misspelt"),
    pytest.param("XG125", {"trust_conditions": "{StringEquals: {'aws:PrincpalTag/team': a}}"}, "+6:39", "did you mean aws:PrincipalTag/team?", id="tag misspelt"),
    pytest.param("XG118", {"permissions": allow("[s3:GetObjekt]", BUCKET)}, "+3:30", "did you mean s3:GetObject?", id="no such action"),
    pytest.param("XG118", {"permissions": allow("s3s:GetObject", BUCKET)}, "+3:29", "no service 's3s'; did you mean s3?", id="no such service"),
    pytest.param("XG118", {"permissions": allow("s3:Fetch*", BUCKET)}, "+3:29", "no action of s3 is like Fetch*", id="pattern of none"),
    pytest.param("XG119", {"permissions": allow("s3:ListBucket", "arn:aws:s3:::b", ", conditions: {StringEquals: {'s3:prefx': a}}")}, "+3:99", "did you mean s3:prefix?", id="no such key"),
]  # fmt: skip


@pytest.mark.parametrize(("rule", "parts", "place", "words"), BROKEN)
def test_a_grant_that_breaks_a_rule_is_named_with_its_place(
    tmp_path: Path, rule: str, parts: dict[str, str], place: str, words: str
) -> None:
    finding = found(tmp_path, rule, **parts)[0]
    line, column = place.removeprefix("+").split(":")
    assert finding.place is not None
    assert (finding.place.line - FIRST, finding.place.column) == (int(line), int(column))
    assert words in finding.message
    assert finding.grant == "reader"
    assert finding.severity is SEVERITIES[next(one.level for one in RULES if one.id == rule)]


KEPT = [
    pytest.param("XG101", {}, id="a group"),
    pytest.param("XG101", {"from": WHOLE, "trust_conditions": "{StringEquals: {'aws:PrincipalTag/team': data}}"}, id="narrowed by a tag"),
    pytest.param("XG101", {"from": "{account: vendor, entire_account: true}", "require": "{external_id: agreed}"}, id="narrowed by an external id"),
    pytest.param("XG102", {"from": OF_VENDOR, "require": "{external_id: agreed}"}, id="external id"),
    pytest.param("XG126", {"require": "{external_id: twelve-chars}"}, id="external id of twelve"),
    pytest.param("XG102", {"from": OF_VENDOR, "require": "{source_org: o-abcdefghij}"}, id="of the organization"),
    pytest.param("XG102", {}, id="our own account"),
    pytest.param("XG103", {"from": WHOLE, "trust_conditions": f"{{ArnLike: {{'aws:PrincipalArn': 'arn:aws:iam::{DEV}:role/ci/*'}}}}"}, id="pattern of a path"),
    pytest.param("XG103", {"from": WHOLE, "trust_conditions": "{ArnNotLike: {'aws:PrincipalArn': '*'}}"}, id="negated"),
    pytest.param("XG104", {"permissions": '[{effect: Deny, actions: "*", resources: "*"}]'}, id="all denied"),
    pytest.param("XG105", {"permissions": '[{effect: Deny, not_actions: "s3:*", resources: "*"}]'}, id="all else denied"),
    pytest.param("XG106", {"permissions": allow('"kms:*"', f"arn:aws:kms:eu-west-1:{STORAGE}:key/a")}, id="all of one key"),
    pytest.param("XG106", {"permissions": allow('"iam:Get*"')}, id="part of IAM"),
    pytest.param("XG107", {"permissions": allow('"iam:PassRole"', f"arn:aws:iam::{STORAGE}:role/app")}, id="one role"),
    pytest.param("XG107", {"permissions": allow('"iam:PassRole"', more=", conditions: {StringEquals: {'iam:PassedToService': ec2.amazonaws.com}}")}, id="to one service"),
    pytest.param("XG108", {"permissions": allow('"iam:PutRolePolicy"', more=", conditions: {StringEquals: {'iam:PermissionsBoundary': 'arn:aws:iam::1:policy/b'}}")}, id="under a boundary"),
    pytest.param("XG108", {"permissions": allow('"iam:CreateAccessKey"', '"arn:aws:iam::*:user/${aws:username}"')}, id="own keys"),
    pytest.param("XG108", {"permissions": allow('"lambda:UpdateFunctionCode"', f"arn:aws:lambda:eu-west-1:{STORAGE}:function:site")}, id="one function"),
    pytest.param("XG109", {"permissions": '[{effect: Deny, actions: "s3:*", not_resources: "arn:aws:s3:::b"}]'}, id="denied elsewhere"),
    pytest.param("XG110", {"permissions": allow("s3:ListAllMyBuckets")}, id="action on no resource"),
    pytest.param("XG110", {"permissions": allow("s3:GetObject", more=", conditions: {StringEquals: {'aws:ResourceAccount': '1'}}")}, id="narrowed by a condition"),
    pytest.param("XG111", {"permissions": allow("s3:PutObject", BUCKET), "require": "{mfa: true}"}, id="write with MFA"),
    pytest.param("XG111", {"permissions": allow("s3:PutObject", BUCKET), "from": "{account: dev, roles: [ci]}"}, id="a role writes"),
    pytest.param("XG112", {"session": "{max_duration: 4h}"}, id="four hours"),
    pytest.param("XG113", {"from": OF_VENDOR, "expires": "2027-01-01T00:00:00Z"}, id="third party with an end"),
    pytest.param("XG114", {}, id="description"),
    pytest.param("XG115", {"tags": "{'acme:Owner': data}"}, id="owner behind a prefix"),
    pytest.param("XG116", {"from": OIDC % "repo:a/b:environment:production"}, id="one environment"),
    pytest.param("XG117", {"trust_conditions": "{StringLike: {'aws:PrincipalArn': '*'}, DateLessThan: {'aws:CurrentTime': 2026-06-15T00:00:00Z}}"}, id="until today"),
    pytest.param("XG117", {"expires": "2026-06-14T00:00:00Z"}, id="a grant that has ended"),
    pytest.param("XG117", {"trust_conditions": "{IpAddress: {'aws:SourceIp': [10.0.0.0/8, 203.0.113.0/24]}}"}, id="a public address too"),
    pytest.param("XG123", {"permissions": "[{effect: Deny, actions: '*', resources: '*', conditions: {Bool: {'aws:MultiFactorAuthPresent': false}}}]"}, id="denies nothing"),
    pytest.param("XG124", {"managed_policies": "[arn:aws:iam::aws:policy/ReadOnlyAccess, arn:aws:iam::aws:policy/AdministratorAccess]"}, id="not much, or known"),
    pytest.param("XG119", {"permissions": allow("s3:GetObject", BUCKET, ", conditions: {StringEquals: {'saml:aud': a, 'accounts.google.com:aud': b}}")}, id="key of a provider"),
    pytest.param("XG125", {"permissions": allow("s3:GetObject", BUCKET, ", conditions: {StringEquals: {'AWS:principaltag/x': y, 'aws:SomethingNew': z, 's3:prefix': a}}")}, id="global keys"),
    pytest.param("XG118", {"permissions": allow("[S3:getobject, 's3:Get*', 's3:Get?bject']", BUCKET)}, id="actions that are there"),
    pytest.param("XG119", {"permissions": allow("s3:GetObject", BUCKET, ", conditions: {StringEquals: {'s3:ExistingObjectTag/a': b, 'aws:PrincipalTag/x': y}}")}, id="key with a tag"),
]  # fmt: skip


@pytest.mark.parametrize(("rule", "parts"), KEPT)
def test_a_grant_that_keeps_a_rule_is_not_named(tmp_path: Path, rule: str, parts: dict[str, str]) -> None:
    assert found(tmp_path, rule, **parts) == []


def test_every_rule_that_reads_manifests_has_both_kinds_of_example() -> None:
    offline = {rule.id for rule in RULES if rule.of_grant or rule.of_catalogue}
    assert {case.values[0] for case in BROKEN} == offline
    assert {case.values[0] for case in KEPT} == offline


def test_a_careful_grant_breaks_no_rule(tmp_path: Path) -> None:
    assert found_in(tmp_path, manifest_yaml(grant_yaml(**CAREFUL))) == ()


def test_a_grant_over_many_accounts_is_named_once(tmp_path: Path) -> None:
    head = HEAD + '  other: {id: "111111111111"}\n'
    to_both = grant_yaml(**CAREFUL, to="{account: [storage, other]}", session="{max_duration: 5h}")
    assert [one.rule for one in found_in(tmp_path, manifest_yaml(to_both, head=head))] == ["XG112"]


def test_what_a_grant_inherits_is_named_where_the_defaults_say_it(tmp_path: Path) -> None:
    head = HEAD + "defaults:\n  session: {max_duration: 6h}\n"
    finding = found_in(tmp_path, manifest_yaml(grant_yaml(**CAREFUL), head=head))[0]
    assert str(finding.place).endswith(f"grants.yaml:{HEAD.count(chr(10)) + 2}:13")


@pytest.mark.parametrize("inline", [False, True], ids=["policy", "inline policy"])
def test_a_statement_of_a_policy_file_is_named_in_that_file(tmp_path: Path, *, inline: bool) -> None:
    (tmp_path / "p.json").write_text(
        '{"Version": "2012-10-17", "Statement": [\n'
        '  {"Effect": "Allow", "Action": "s3:GetObject", "Resource": "arn:aws:s3:::b/*"},\n'
        '  {"Effect": "Allow", "Action": ["s3:GetObject", "*"], "Resource": "arn:aws:s3:::b/*"}]}\n'
    )
    stated = {"inline_policies": "{all: {file: p.json}}"} if inline else {"policy": "{file: p.json}"}
    finding = found(tmp_path, "XG104", permissions="", **stated)[0]
    assert str(finding.place) == f"{tmp_path}/p.json:3:50"


def test_a_value_with_a_variable_is_named_where_the_variable_stands(tmp_path: Path) -> None:
    on_any = allow('"iam:PassRole"', '["arn:aws:s3:::x-${account.id}", "arn:aws:iam::${account.id}:role/*"]')
    finding = found(tmp_path, "XG107", permissions=on_any)[0]
    assert f"arn:aws:iam::{STORAGE}:role/*" in finding.message
    assert finding.place is not None
    assert finding.place.column == 89


def test_a_team_sets_levels_and_off_is_not_looked_for(tmp_path: Path) -> None:
    manifest = load_text(tmp_path, manifest_yaml(grant_yaml()))
    seen = Seen(manifest, TODAY, NOW, installed_catalogue())
    levels = Policies({"XG114": Level.DENY, "XG115": Level.OFF})
    findings = lint(seen, levels, Places(manifest, []).place)
    assert [(one.rule, one.severity) for one in findings] == [("XG114", "error")]


def test_without_the_catalogue_it_is_said_once_which_rules_did_not_run(tmp_path: Path) -> None:
    manifest = load_text(
        tmp_path, manifest_yaml(grant_yaml(**CAREFUL), grant_yaml("other", **CAREFUL, to="{account: storage, role: o}"))
    )
    seen = Seen(manifest, TODAY, NOW, None)
    (finding,) = lint(seen, Policies(), Places(manifest, []).place)
    assert (finding.rule, finding.severity) == ("XG122", "note")
    assert finding.message.startswith("XG110, XG111, XG118, XG119 did not run")
    assert "'.[lint]'" in finding.way_out


def test_without_the_catalogue_what_a_team_denies_is_not_let_through(tmp_path: Path) -> None:
    manifest = load_text(tmp_path, manifest_yaml(grant_yaml(**CAREFUL)))
    (finding,) = lint(Seen(manifest, TODAY, NOW, None), Policies({"XG118": Level.DENY}), Places(manifest, []).place)
    assert (finding.rule, finding.severity) == ("XG122", "error")
    assert finding.message.startswith("XG118 did not run")
