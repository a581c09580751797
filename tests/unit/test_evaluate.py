"""How the strict sandbox judges a request by policies: IAM user guide, "Policy evaluation logic", "Condition operators"."""

from __future__ import annotations

from typing import Any

import pytest

from reconciler.sandbox.strict.evaluate import Asked, decide
from tests.support import allow

ROLE = "arn:aws:iam::123456789012:role/xgrant/a"
CONTEXT = {
    "aws:resourcetag/xgrant:stack": ("platform",),
    "iam:permissionsboundary": ("arn:aws:iam::123456789012:policy/b",),
    "aws:tagkeys": ("team", "owner"),
    "aws:securetransport": ("true",),
}


def decided(*statements: dict[str, Any], action: str = "iam:PutRolePolicy", resource: str = ROLE) -> bool | None:
    return decide([{"Statement": [each]} for each in statements], Asked(action, resource, CONTEXT))


def deny(**more: Any) -> dict[str, Any]:
    return allow("*", **more) | {"Effect": "Deny"}


@pytest.mark.parametrize(
    ("statement", "answer"),
    [
        (allow("iam:PutRolePolicy"), True),
        (allow("IAM:putrolepolicy"), True),
        (allow("iam:Put*"), True),
        (allow("iam:PutRolePolic?"), True),
        (allow(["s3:*", "iam:*"]), True),
        (allow("iam:PutRole"), None),
        (allow("s3:*"), None),
        (allow("iam:*", "arn:aws:iam::123456789012:role/xgrant/*"), True),
        (allow("iam:*", "arn:aws:iam::*:role/xgrant/*"), True),
        (allow("iam:*", ["arn:aws:s3:::b", ROLE]), True),
        (allow("iam:*", "arn:aws:iam::123456789012:role/XGRANT/*"), None),
        (allow("iam:*", "arn:aws:iam::123456789012:role/xgrant"), None),
        ({"Effect": "Allow", "NotAction": ["s3:*"], "Resource": "*"}, True),
        ({"Effect": "Allow", "NotAction": ["s3:*", "IAM:*"], "Resource": "*"}, None),
        ({"Effect": "Allow", "Action": "*", "NotResource": ["arn:aws:iam::123456789012:role/xgrant/*"]}, None),
        ({"Effect": "Allow", "Action": "*", "NotResource": ["arn:aws:s3:::b"]}, True),
        (deny(), False),
        (deny(resources="arn:aws:s3:::b"), None),
    ],
)
def test_a_statement_speaks_of_actions_in_any_case_and_of_resources_in_theirs(
    statement: dict[str, Any], answer: bool | None
) -> None:
    assert decided(statement) is answer


def test_an_explicit_denial_wins_and_silence_allows_nothing() -> None:
    assert decided(allow("*"), deny()) is False
    assert decided(deny(), allow("*")) is False
    assert decided() is None


def test_an_action_without_a_resource_is_allowed_on_any_resource_only() -> None:
    assert decided(allow("iam:ListRoles"), action="iam:ListRoles", resource="*") is True
    assert decided(allow("iam:ListRoles", "arn:aws:iam::*"), action="iam:ListRoles", resource="*") is None


TAG, OTHER = "aws:ResourceTag/xgrant:stack", "aws:ResourceTag/other"
BOUNDARY = "iam:PermissionsBoundary"


@pytest.mark.parametrize(
    ("operator", "key", "value", "met"),
    [
        ("StringEquals", TAG, "platform", True),
        ("StringEquals", "AWS:resourcetag/XGRANT:Stack", "platform", True),
        ("StringEquals", TAG, ["other", "platform"], True),
        ("StringEquals", TAG, "Platform", False),
        ("StringEquals", OTHER, "platform", False),
        ("StringEqualsIgnoreCase", TAG, "PLATFORM", True),
        ("StringEqualsIfExists", TAG, "other", False),
        ("StringEqualsIfExists", OTHER, "x", True),
        ("StringNotEquals", TAG, "platform", False),
        ("StringNotEquals", TAG, ["a", "platform"], False),
        ("StringNotEquals", TAG, "other", True),
        ("StringNotEquals", OTHER, "x", True),
        ("StringLike", TAG, "plat*", True),
        ("StringNotLike", TAG, "plat*", False),
        ("ArnEquals", BOUNDARY, "arn:aws:iam::123456789012:policy/b", True),
        ("ArnLike", BOUNDARY, "arn:*:iam::*:policy/*", True),
        ("ArnLike", BOUNDARY, "arn:*:policy/b", False),
        ("ArnNotEquals", BOUNDARY, "arn:aws:iam::123456789012:policy/b", False),
        ("ArnNotEquals", BOUNDARY, "arn:aws:iam::123456789012:policy/c", True),
        ("ArnNotEquals", OTHER, "arn:aws:iam::123456789012:policy/c", True),
        ("Bool", "aws:SecureTransport", "false", False),
        ("Bool", "aws:SecureTransport", "True", True),
        ("Null", TAG, "false", True),
        ("Null", TAG, "true", False),
        ("Null", OTHER, "true", True),
        ("ForAnyValue:StringEquals", "aws:TagKeys", "team", True),
        ("ForAnyValue:StringEquals", "aws:TagKeys", "x", False),
        ("ForAnyValue:StringEquals", OTHER, "x", False),
        ("ForAllValues:StringEquals", "aws:TagKeys", "team", False),
        ("ForAllValues:StringEquals", "aws:TagKeys", ["team", "owner", "x"], True),
        ("ForAllValues:StringEquals", OTHER, "x", True),
    ],
)
def test_a_condition_is_met_as_its_operator_says(operator: str, key: str, value: Any, met: bool) -> None:
    condition = {operator: {key: value}}
    assert decided(allow("*", Condition=condition)) is (True if met else None)
    assert decided(deny(Condition=condition)) is (False if met else None)


def test_all_operators_and_all_keys_of_one_have_to_be_met() -> None:
    both = {"StringEquals": {TAG: "platform", "aws:SecureTransport": "true"}, "Null": {BOUNDARY: "false"}}
    assert decided(allow("*", Condition=both)) is True
    assert decided(allow("*", Condition=both | {"Null": {BOUNDARY: "true"}})) is None
    assert decided(allow("*", Condition={"StringEquals": {TAG: "platform", OTHER: "x"}})) is None


def test_an_operator_that_is_not_known_allows_nothing_and_denies_always() -> None:
    unknown = {"IpAddress": {"aws:SourceIp": "203.0.113.0/24"}}
    assert decided(allow("*", Condition=unknown)) is None
    assert decided(deny(Condition=unknown)) is False
