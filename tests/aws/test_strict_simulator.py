"""The strict sandbox simulates as AWS does: identity policies and boundaries, with what the request has (facts sheet 6)."""

from __future__ import annotations

from typing import Any

import pytest

from reconciler.sandbox.server import Sandbox
from tests.aws.strict_support import iam_of, policy, refused, trust
from tests.support import STORAGE

ROLE = f"arn:aws:iam::{STORAGE}:role/reader"
MFA = {"aws:MultiFactorAuthPresent": "true"}


@pytest.fixture
def iam(sandbox: Sandbox) -> Any:
    client = iam_of(sandbox)
    client.create_role(RoleName="reader", AssumeRolePolicyDocument=trust())
    return client


def asked(iam: Any, action: str, resource: str = "*", arn: str = ROLE, **context: str) -> str:
    entries = [
        {"ContextKeyName": key, "ContextKeyValues": [value], "ContextKeyType": "string"}
        for key, value in context.items()
    ]
    found = iam.simulate_principal_policy(
        PolicySourceArn=arn, ActionNames=[action], ResourceArns=[resource], ContextEntries=entries
    )
    (result,) = found["EvaluationResults"]
    assert (result["EvalActionName"], result["EvalResourceName"]) == (action, resource)
    return str(result["EvalDecision"])


@pytest.mark.parametrize(
    ("statement", "context", "decision"),
    [
        ({}, {}, "allowed"),
        ({"Action": "S3:get*"}, {}, "allowed"),
        ({"Action": "s3:PutObject"}, {}, "implicitDeny"),
        ({"Resource": "arn:aws:s3:::other/*"}, {}, "implicitDeny"),
        ({"Effect": "Deny"}, {}, "explicitDeny"),
        ({"Condition": {"Bool": MFA}}, {}, "implicitDeny"),
        ({"Condition": {"Bool": MFA}}, MFA, "allowed"),
        ({"Condition": {"Null": {"aws:MultiFactorAuthAge": "true"}}}, {}, "allowed"),
        ({"Condition": {"DateLessThan": {"aws:CurrentTime": "2020-01-01T00:00:00Z"}}}, {}, "implicitDeny"),
        ({"Condition": {"DateLessThan": {"aws:CurrentTime": "2099-01-01T00:00:00Z"}}}, {}, "allowed"),
    ],
)
def test_a_policy_decides_with_what_the_request_has(
    iam: Any, statement: dict[str, Any], context: dict[str, str], decision: str
) -> None:
    iam.put_role_policy(RoleName="reader", PolicyName="p", PolicyDocument=policy(**statement))
    assert asked(iam, "s3:GetObject", "arn:aws:s3:::b/x", **context) == decision


def test_a_user_has_the_policies_of_its_groups_and_a_group_its_own(iam: Any) -> None:
    iam.create_user(UserName="eve")
    iam.create_group(GroupName="readers")
    iam.put_group_policy(GroupName="readers", PolicyName="p", PolicyDocument=policy())
    user, group = f"arn:aws:iam::{STORAGE}:user/eve", f"arn:aws:iam::{STORAGE}:group/readers"
    assert (asked(iam, "s3:GetObject", arn=user), asked(iam, "s3:GetObject", arn=group)) == ("implicitDeny", "allowed")
    iam.add_user_to_group(GroupName="readers", UserName="eve")
    assert asked(iam, "s3:GetObject", arn=user) == "allowed"


def test_a_boundary_cuts_what_managed_policies_allow(iam: Any) -> None:
    arns = [
        iam.create_policy(PolicyName=name, PolicyDocument=policy(Action=action))["Policy"]["Arn"]
        for name, action in (("all", "s3:*"), ("bound", "s3:Get*"))
    ]
    iam.attach_role_policy(RoleName="reader", PolicyArn=arns[0])
    iam.put_role_permissions_boundary(RoleName="reader", PermissionsBoundary=arns[1])
    assert (asked(iam, "s3:GetObject"), asked(iam, "s3:PutObject")) == ("allowed", "implicitDeny")


def test_what_is_not_there_and_what_is_no_action_are_refused(iam: Any) -> None:
    refused("NoSuchEntity", 404, lambda: asked(iam, "s3:GetObject", arn=f"{ROLE}-2"))
    refused("InvalidInput", 400, lambda: asked(iam, "s3:Get*"))
