"""Guardrails go by what a grant means: no other spelling of it gets by, and no condition that holds nobody back."""

from __future__ import annotations

from pathlib import Path

import pytest

from reconciler.catalogue import installed_catalogue
from reconciler.lint.catalogue import Catalogue
from reconciler.lint.escalation import WAYS
from reconciler.lint.reach import GIVING
from reconciler.policy.case import fold
from tests.support import DEV, STORAGE
from tests.unit.test_guardrails import OF_VENDOR, OIDC, WHOLE, allow, found

ROLES = f"arn:aws:iam::{STORAGE}:role"
PASS = "[iam:PassRole, ec2:RunInstances]"


def denied(actions: str, resources: str = "'*'") -> dict[str, str]:
    return {"permissions": allow(actions, resources)}


def under(actions: str, conditions: str, resources: str = "'*'") -> dict[str, str]:
    return {"permissions": allow(actions, resources, f", conditions: {{{conditions}}}")}


def trusting(conditions: str, who: str = WHOLE) -> dict[str, str]:
    return {"from": who, "trust_conditions": f"{{{conditions}}}"}


DODGES = [
    *(("XG106", denied(f"'{one}'")) for one in ("iam:?*", "iam:*e*", "kms:?*", "sts:?*", "organizations:?*", "KMS:**")),
    ("XG106", denied("'kms:*'", "'arn:aws:kms:*:*:key/*'")),
    ("XG106", denied("'kms:*'", "'arn:aws:kms:us-*:*:key/?*'")),
    ("XG106", denied("'sts:*'", "'arn:aws:iam::*:role/*'")),
    ("XG106", {"permissions": "[{not_actions: 's3:DeleteBucket', resources: '*'}]"}),
    ("XG106", {"permissions": "[{not_actions: ['iam:*', 'organizations:*', 'sts:*'], resources: '*'}]"}),
    *(("XG107", denied(PASS, f"'{one}'")) for one in (
        f"{ROLES}*", f"arn:aws:iam::{STORAGE}:r*", f"{ROLES}/?*", f"{ROLES}/*a*", f"arn:aws:iam::{STORAGE}:*/*",
        f"arn:aws:iam::{STORAGE}:?ole/*", "arn:aws:*:*:*:role/*", "arn:aws:iam::9*:role/*",
    )),
    ("XG107", {"permissions": f"[{{actions: {PASS}, not_resources: '{ROLES}/x'}}]"}),
    *((rule, under(actions, condition)) for condition in (
        "StringLike: {'iam:PassedToService': '*'}", "StringLike: {'iam:PassedToService': '*.amazonaws.com'}",
        "StringNotEquals: {'iam:PassedToService': x}", "StringEqualsIfExists: {'iam:PassedToService': x}",
        "'Null': {'iam:PassedToService': false}", "'ForAllValues:StringEquals': {'iam:PassedToService': x}",
        "StringLike: {'iam:PassedToService': [ec2.amazonaws.com, '?*']}",
    ) for rule, actions in (("XG107", "iam:PassRole"), ("XG108", "iam:PutRolePolicy"))),
    *(("XG108", under("iam:AttachUserPolicy", one)) for one in (
        "'Null': {'iam:PermissionsBoundary': true}", "StringLike: {'iam:PermissionsBoundary': '*'}",
        "StringNotEquals: {'iam:PermissionsBoundary': 'arn:aws:iam::1:policy/x'}",
    )),
    ("XG108", under("iam:DeleteRolePermissionsBoundary", "StringEquals: {'iam:PermissionsBoundary': 'arn:aws:iam::1:policy/x'}")),
    ("XG108", denied("'lambda:*'", "'arn:aws:lambda:*:*:function:*'")),
    ("XG108", denied("'ssm:*'")),
    ("XG108", denied("sts:AssumeRole", "'arn:aws:iam::*:role/*'")),
    ("XG108", denied("sso:CreateAccountAssignment")),
    ("XG110", denied("'s3:*'", "'arn:aws:s3:::*'")),
    ("XG110", under("s3:DeleteBucket", "StringNotEquals: {'aws:ResourceTag/x': y}")),
    ("XG110", under("s3:DeleteBucket", "StringLike: {'aws:ResourceAccount': '*'}")),
    *(("XG111", {**denied("s3:PutObject"), "trust_conditions": f"{{{one}}}"}) for one in (
        "BoolIfExists: {'aws:MultiFactorAuthPresent': true}", "Bool: {'aws:MultiFactorAuthPresent': false}",
        "'Null': {'aws:MultiFactorAuthPresent': true}", "NumericLessThanIfExists: {'aws:MultiFactorAuthAge': 3600}",
    )),
    ("XG111", {"permissions": "[{not_actions: 'iam:*', resources: '*'}]"}),
    *(("XG101", trusting(one)) for one in (
        "StringLike: {'aws:PrincipalTag/x': '*'}", "StringLike: {'aws:userid': '*'}",
        "StringLike: {'sts:ExternalId': '?*'}", "'ForAnyValue:StringLike': {'aws:PrincipalOrgPaths': 'o-*'}",
        "StringEquals: {'aws:userid': '${aws:userid}'}", "StringNotEquals: {'aws:PrincipalTag/x': y}",
        f"ArnLike: {{'aws:PrincipalArn': 'arn:aws:iam::{DEV}:role/*'}}", "'Null': {'aws:PrincipalTag/x': false}",
        "ArnLike: {'aws:PrincipalArn': 'arn:aws:iam::*:user/${aws:username}'}",
    )),
    ("XG101", {"from": "{account: vendor, groups: [devs]}", "require": "{external_id: agreed}"}),
    *(("XG103", trusting(f"ArnLike: {{'aws:PrincipalArn': {one}}}")) for one in (
        f"['arn:aws:iam::{DEV}:role/*', 'arn:aws:iam::{DEV}:user/*']", f"'arn:aws:*::{DEV}:*e*/*'", "'arn:aws:iam::*:*/*'",
    )),
    *((rule, trusting(one, OF_VENDOR)) for one in (
        "StringNotEquals: {'aws:PrincipalOrgID': o-abcdefghij}", "StringLike: {'aws:PrincipalOrgID': 'o-*'}",
        "StringEqualsIfExists: {'aws:PrincipalOrgID': o-abcdefghij}", "'Null': {'aws:PrincipalOrgID': true}",
    ) for rule in ("XG102", "XG113")),
    *(("XG102", trusting(one, OF_VENDOR)) for one in (
        "StringLike: {'sts:ExternalId': '*'}", "'Null': {'sts:ExternalId': true}", "'Null': {'sts:ExternalId': false}",
    )),
    *(("XG117", {"trust_conditions": f"{{{one}}}"}) for one in (
        f"ArnLike: {{'aws:PrincipalArn': 'arn:aws:sts::{DEV}:assumed-role/x/*'}}",
        f"ArnLike: {{'aws:PrincipalArn': 'arn:aws:iam::{DEV}:group/developers'}}",
        f"ArnEquals: {{'aws:PrincipalArn': 'arn:aws-cn:iam::{DEV}:role/x'}}",
        "IpAddress: {'aws:SourceIp': 100.64.0.0/10}", "IpAddress: {'aws:SourceIp': 'fd00::/8'}",
        "NumericLessThan: {'aws:MultiFactorAuthAge': 0}", "'Null': {'aws:PrincipalArn': true}",
        "DateLessThan: {'aws:EpochTime': '1593456000'}", "DateLessThan: {'aws:CurrentTime': 2026-06-14T18:59:59-05:00}",
    )),
]  # fmt: skip


@pytest.mark.parametrize(("rule", "parts"), DODGES, ids=lambda one: one if isinstance(one, str) else str(one)[:110])
def test_no_spelling_gets_by_a_rule(tmp_path: Path, rule: str, parts: dict[str, str]) -> None:
    assert found(tmp_path, rule, **parts)


FINE = [
    ("XG106", denied("'iam:Get*'")),
    ("XG106", denied("'kms:*'", f"'arn:aws:kms:*:{STORAGE}:key/1234*'")),
    ("XG106", {"permissions": "[{not_actions: ['iam:*', 'organizations:*', 'sts:*', 'kms:*'], resources: '*'}]"}),
    ("XG106", {"permissions": "[{not_actions: 's3:Delete*', resources: 'arn:aws:s3:::b/*'}]"}),
    ("XG106", {"permissions": "[{not_actions: ['iam:*', 'organizations:*'], resources: '*'}, {effect: Deny, actions: ['sts:*', 'kms:*'], resources: '*'}]"}),
    ("XG107", denied(PASS, f"'{ROLES}/app-*'")),
    ("XG107", denied(PASS, f"'{ROLES}/ci/*'")),
    ("XG107", under("iam:PassRole", "StringLike: {'iam:PassedToService': 'ecs*.amazonaws.com'}")),
    ("XG108", under("iam:PutRolePolicy", "StringEqualsIfExists: {'iam:PermissionsBoundary': 'arn:aws:iam::1:policy/b'}, 'Null': {'iam:PermissionsBoundary': false}")),
    ("XG108", denied("'lambda:*'", f"'arn:aws:lambda:eu-west-1:{STORAGE}:function:site-*'")),
    ("XG108", denied("sts:AssumeRole", f"'{ROLES}/reader'")),
    ("XG110", under("s3:DeleteBucket", "StringEquals: {'aws:ResourceTag/team': '${aws:PrincipalTag/team}'}")),
    ("XG110", under("s3:DeleteBucket", "StringEquals: {'s3:ResourceAccount': '987654321098'}")),
    ("XG111", denied("[s3:GetObject, kms:Decrypt, 'kms:GenerateDataKey*']")),
    ("XG111", {**denied("s3:PutObject"), "trust_conditions": "{NumericLessThan: {'aws:MultiFactorAuthAge': 3600}}"}),
    ("XG101", trusting("StringLike: {'aws:PrincipalTag/team': 'data-*'}")),
    ("XG101", trusting(f"ArnLike: {{'aws:PrincipalArn': 'arn:aws:iam::{DEV}:role/ci-*'}}")),
    ("XG101", {"from": "{account: vendor, groups: [devs]}", "trust_conditions": "{StringEquals: {'aws:PrincipalTag/team': data}}"}),
    ("XG103", trusting(f"ArnLike: {{'aws:PrincipalArn': ['arn:aws:iam::{DEV}:role/ci-*', 'arn:aws:iam::{DEV}:user/*']}}")),
    ("XG102", trusting("'ForAnyValue:StringLike': {'aws:PrincipalOrgPaths': 'o-abcdefghij/r-ab12/*'}", OF_VENDOR)),
    ("XG117", {"trust_conditions": "{DateLessThan: {'aws:CurrentTime': '1893456000'}}"}),
    ("XG117", {"from": OIDC % "repo:a/b:environment:production", "trust_conditions": "{'Null': {'aws:PrincipalArn': true}}"}),
    ("XG117", {"trust_conditions": "{DateLessThan: {'aws:CurrentTime': 2026-06-14T23:00:00-05:00}}"}),
    ("XG117", {"trust_conditions": f"{{StringLike: {{'aws:PrincipalArn': 'arn:aws:iam::{DEV}:*'}}}}"}),
]  # fmt: skip


@pytest.mark.parametrize(("rule", "parts"), FINE, ids=lambda one: one if isinstance(one, str) else str(one)[:110])
def test_what_is_right_is_not_named(tmp_path: Path, rule: str, parts: dict[str, str]) -> None:
    assert found(tmp_path, rule, **parts) == []


def test_every_action_that_is_known_by_heart_is_one_of_aws() -> None:
    catalogue = installed_catalogue()
    assert catalogue is not None
    known = {
        *(action for way in WAYS for action in way.actions),
        *(one for several in GIVING.values() for one in several),
    }
    missing = {one for one in known if not _is_known(catalogue, one)}
    assert missing == set()


def _is_known(catalogue: Catalogue, action: str) -> bool:
    service = catalogue.service(action.split(":")[0])
    return service is not None and fold(action.split(":")[1]) in service.actions
