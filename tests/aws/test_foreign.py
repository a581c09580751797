"""What is not ours is never changed, whatever stands around."""

from __future__ import annotations

import json
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from reconciler.sandbox.scenario import SOURCE, TARGET, Scenario, root_client
from reconciler.sandbox.server import Sandbox, writes
from tests.conftest import EXAMPLE, Run

ROLES = ["CrossAccountS3ReadRole2", "crossaccounts3", "Admin", "xgrant", "reader"]
POLICIES = ["xgrant.other.shared-bucket-read", "xgrant.platform", "xgrant-platform.x", "xgrant.platform.UPPER", "mine"]

roles = st.dictionaries(
    st.sampled_from(ROLES),
    st.fixed_dictionaries(
        {
            "path": st.sampled_from(["/", "/xgrant/"]),
            "tags": st.dictionaries(
                st.sampled_from(["xgrant:stack", "xgrant:grant", "team"]), st.sampled_from(["other", "Platform", "x"])
            ),
            "policies": st.lists(st.sampled_from(POLICIES), unique=True, max_size=3),
        }
    ),
    max_size=3,
)
inline = st.lists(st.tuples(st.sampled_from(["alice", "bob", "developers"]), st.sampled_from(POLICIES)), max_size=4)

DOCUMENT = json.dumps(
    {"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Action": "s3:GetObject", "Resource": "*"}]}
)
TRUST = json.dumps(
    {
        "Version": "2012-10-17",
        "Statement": [{"Effect": "Allow", "Principal": {"AWS": TARGET}, "Action": "sts:AssumeRole"}],
    }
)
OURS = ("CrossAccountS3ReadRole", "xgrant.platform.shared-bucket-read")


def in_order(value: Any) -> Any:
    """Return what AWS said in one order and spelling: it may give lists in any order, and one element without one."""
    if isinstance(value, dict):
        return {key: in_order(value[key]) for key in sorted(value)}
    if isinstance(value, list):
        items = sorted((in_order(item) for item in value), key=repr)
        return items[0] if len(items) == 1 else items
    return value


def everything_but_ours(sandbox: Sandbox) -> dict[str, Any]:
    """Return all that IAM has in both accounts, without the two things that the example makes."""
    found: dict[str, Any] = {}
    for account in (SOURCE, TARGET):
        details = root_client(sandbox, "iam", account).get_account_authorization_details()
        for key in ("UserDetailList", "GroupDetailList", "RoleDetailList"):
            for entity in details[key]:
                if entity["Arn"].endswith("/" + OURS[0]):
                    continue
                for policies in ("UserPolicyList", "GroupPolicyList", "RolePolicyList"):
                    if policies in entity:
                        entity[policies] = [p for p in entity[policies] if p["PolicyName"] != OURS[1]]
                # What the reconciler's own use of its role leaves behind.
                entity.pop("RoleLastUsed", None)
                found[entity["Arn"]] = in_order(entity)
    return found


@settings(max_examples=12)
@given(around=roles, carried=inline)
def test_apply_and_destroy_change_nothing_that_is_not_ours(
    scenario: Scenario, sandbox: Sandbox, xgrant: Run, around: dict[str, Any], carried: list[tuple[str, str]]
) -> None:
    source, target = root_client(sandbox, "iam", SOURCE), root_client(sandbox, "iam", TARGET)
    for iam in (source, target):
        for name, role in around.items():
            tags = [{"Key": key, "Value": value} for key, value in role["tags"].items()]
            iam.create_role(RoleName=name, Path=role["path"], AssumeRolePolicyDocument=TRUST, Tags=tags)
            for policy in role["policies"]:
                iam.put_role_policy(RoleName=name, PolicyName=policy, PolicyDocument=DOCUMENT)
    for holder, policy in carried:
        if holder == "developers":
            source.put_group_policy(GroupName=holder, PolicyName=policy, PolicyDocument=DOCUMENT)
        else:
            source.put_user_policy(UserName=holder, PolicyName=policy, PolicyDocument=DOCUMENT)
    before = everything_but_ours(sandbox)
    sandbox.recorder.take()
    try:
        planned = xgrant("plan", EXAMPLE)
        assert planned.out.endswith("Plan: 2 to create, 0 to update, 0 to delete.\n")
        assert xgrant("apply", EXAMPLE, "--auto-approve").code == 0
        assert everything_but_ours(sandbox) == before
        assert xgrant("destroy", EXAMPLE, "--auto-approve").code == 0
        assert everything_but_ours(sandbox) == before
        used = [call.operation for call in writes(sandbox.recorder.take())]
        assert sorted(used) == [
            "CreateRole", "DeleteGroupPolicy", "DeleteRole", "DeleteRolePolicy", "PutGroupPolicy", "PutRolePolicy",
        ]  # fmt: skip
    finally:
        for iam in (source, target):
            for name, role in around.items():
                for policy in role["policies"]:
                    iam.delete_role_policy(RoleName=name, PolicyName=policy)
                iam.delete_role(RoleName=name)
        for holder, policy in set(carried):
            if holder == "developers":
                source.delete_group_policy(GroupName=holder, PolicyName=policy)
            else:
                source.delete_user_policy(UserName=holder, PolicyName=policy)
