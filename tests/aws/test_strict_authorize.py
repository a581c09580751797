"""The strict sandbox lets somebody do what their policies, boundary and session policy allow together."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest

from reconciler.sandbox.scenario import BUCKET, OBJECT, TARGET, Credentials, Scenario, root_client
from reconciler.sandbox.server import Sandbox
from tests.aws.bootstrap_support import client, trusting
from tests.aws.strict_support import policy, refused, trust

BY_HAND = f"arn:aws:iam::{TARGET}:role/by-hand"
TAGS = [{"Key": "stack", "Value": "platform"}]


@pytest.fixture
def may(scenario: Scenario, sandbox: Sandbox) -> Callable[..., Any]:
    """Return a client of storage-admin, who may do what these statements say."""
    admin = root_client(sandbox, "iam", TARGET)
    admin.create_role(RoleName="tagged", Path="/x/", AssumeRolePolicyDocument=trust(), Tags=TAGS)
    admin.create_role(RoleName="plain", AssumeRolePolicyDocument=trust())

    def with_policy(*statements: dict[str, Any], service: str = "iam") -> Any:
        document = {
            "Version": "2012-10-17",
            "Statement": [{"Effect": "Allow", "Resource": "*"} | s for s in statements],
        }
        sandbox.enforce(on=False)
        admin.put_user_policy(UserName="storage-admin", PolicyName="administer", PolicyDocument=json.dumps(document))
        sandbox.enforce(on=True)
        return scenario.client(service, "storage-admin")

    return with_policy


def denied(call: Callable[[], object]) -> str:
    return refused("AccessDenied", 403, call)


def test_a_refusal_names_who_asked_for_what_on_which_resource(may: Callable[..., Any]) -> None:
    iam = may({"Action": "iam:GetRole"})
    message = denied(lambda: iam.delete_role(RoleName="tagged"))
    assert message == (
        f"User: arn:aws:iam::{TARGET}:user/storage-admin is not authorized to perform: iam:DeleteRole on resource: "
        f"arn:aws:iam::{TARGET}:role/x/tagged"
    )


def test_a_role_that_is_made_with_tags_needs_the_right_to_tag_it(may: Callable[..., Any]) -> None:
    said = {"AssumeRolePolicyDocument": trust(), "Tags": TAGS}
    iam = may({"Action": "iam:CreateRole"})
    assert "iam:TagRole" in denied(lambda: iam.create_role(RoleName="new", **said))
    may({"Action": ["iam:CreateRole", "iam:TagRole"]}).create_role(RoleName="new", **said)


def test_what_does_not_exist_has_no_path_so_that_a_right_by_path_is_refused(may: Callable[..., Any]) -> None:
    iam = may({"Action": "iam:GetRole", "Resource": f"arn:aws:iam::{TARGET}:role/x/*"})
    iam.get_role(RoleName="tagged")
    denied(lambda: iam.get_role(RoleName="nobody"))


@pytest.mark.parametrize("key", ["aws:ResourceTag/stack", "iam:ResourceTag/STACK"])
def test_a_role_is_known_by_its_tags(may: Callable[..., Any], key: str) -> None:
    iam = may({"Action": "iam:UntagRole", "Condition": {"StringEquals": {key: "platform"}}})
    denied(lambda: iam.untag_role(RoleName="plain", TagKeys=["x"]))
    iam.untag_role(RoleName="tagged", TagKeys=["x"])


def test_a_request_is_known_by_the_tags_that_it_sends(may: Callable[..., Any]) -> None:
    iam = may({"Action": "iam:TagRole", "Condition": {"ForAllValues:StringEquals": {"aws:TagKeys": ["stack"]}}})
    iam.tag_role(RoleName="plain", Tags=TAGS)
    denied(lambda: iam.tag_role(RoleName="plain", Tags=[*TAGS, {"Key": "more", "Value": "x"}]))


def test_an_attachment_is_known_by_its_policy(may: Callable[..., Any], sandbox: Sandbox) -> None:
    admin = root_client(sandbox, "iam", TARGET)
    arns = [admin.create_policy(PolicyName=name, PolicyDocument=policy())["Policy"]["Arn"] for name in ("a", "b")]
    iam = may({"Action": "iam:AttachRolePolicy", "Condition": {"ArnEquals": {"iam:PolicyARN": arns[0]}}})
    iam.attach_role_policy(RoleName="plain", PolicyArn=arns[0])
    denied(lambda: iam.attach_role_policy(RoleName="plain", PolicyArn=arns[1]))


def _session(scenario: Scenario, sandbox: Sandbox, **more: Any) -> Credentials:
    """Return a session of a role that says it may do everything in S3."""
    admin = root_client(sandbox, "iam", TARGET)
    boundary = admin.create_policy(PolicyName="bound", PolicyDocument=policy())["Policy"]["Arn"]
    bounds = {"PermissionsBoundary": boundary} if more.pop("bounded") else {}
    user = f"arn:aws:iam::{TARGET}:user/storage-admin"
    admin.create_role(RoleName="by-hand", AssumeRolePolicyDocument=trusting(user), **bounds)
    admin.put_role_policy(RoleName="by-hand", PolicyName="all", PolicyDocument=policy(Action="s3:*"))
    sandbox.enforce(on=True)
    found = scenario.client("sts", "storage-admin").assume_role(RoleArn=BY_HAND, RoleSessionName="session", **more)
    keys = found["Credentials"]
    return Credentials(keys["AccessKeyId"], keys["SecretAccessKey"], keys["SessionToken"])


@pytest.mark.parametrize("more", [{"bounded": True}, {"bounded": False, "Policy": policy()}])
def test_a_session_may_do_what_its_role_and_its_boundary_or_session_policy_allow_together(
    scenario: Scenario, sandbox: Sandbox, more: dict[str, Any]
) -> None:
    s3 = client(sandbox, _session(scenario, sandbox, **more), "s3")
    s3.get_object(Bucket=BUCKET, Key=OBJECT)
    denied(lambda: s3.put_object(Bucket=BUCKET, Key="new", Body=b""))


def test_a_bucket_policy_denies_by_its_condition_only(may: Callable[..., Any], sandbox: Sandbox) -> None:
    s3 = may({"Action": "s3:*"}, service="s3")
    for secure, code in (("false", ""), ("true", "403")):
        sandbox.enforce(on=False)
        statement: dict[str, Any] = {
            "Effect": "Deny",
            "Principal": "*",
            "Action": "s3:*",
            "Resource": f"arn:aws:s3:::{BUCKET}/*",
        }
        statement |= {"Condition": {"Bool": {"aws:SecureTransport": secure}}}
        document = json.dumps({"Version": "2012-10-17", "Statement": [statement]})
        root_client(sandbox, "s3", TARGET).put_bucket_policy(Bucket=BUCKET, Policy=document)
        sandbox.enforce(on=True)
        if code:
            refused(code, 403, lambda: s3.put_object(Bucket=BUCKET, Key="new", Body=b""))
        else:
            s3.put_object(Bucket=BUCKET, Key="new", Body=b"")
