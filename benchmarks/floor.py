"""The floor: the least that somebody would write by hand, with boto3 and no more.

`python -m benchmarks.floor plan|apply WORKLOAD.json`: it reads each account with GetAccountAuthorizationDetails and
ListRoles, compares in memory, and writes one call after the other. It prints how much differs.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

import boto3

from benchmarks.workload import RECONCILER, Workload, account_id, caller_policy, permissions, trust_policy

INLINE = "permissions"


def clients(workload: Workload) -> list[Any]:
    """Return a client for each account."""
    sts = boto3.client("sts")
    found = []
    for number in range(workload.accounts):
        arn = f"arn:aws:iam::{account_id(number)}:role/{RECONCILER}"
        keys = sts.assume_role(RoleArn=arn, RoleSessionName="floor")["Credentials"]
        found.append(
            boto3.client(
                "iam", aws_access_key_id=keys["AccessKeyId"], aws_secret_access_key=keys["SecretAccessKey"],
                aws_session_token=keys["SessionToken"],
            )
        )  # fmt: skip
    return found


def read(iam: Any) -> tuple[dict[str, Any], dict[str, Any]]:
    """Return the roles and the groups of an account, by name."""
    roles: dict[str, Any] = {}
    groups: dict[str, Any] = {}
    for page in iam.get_paginator("get_account_authorization_details").paginate(
        Filter=["Role", "Group"], PaginationConfig={"PageSize": 1000}
    ):
        roles |= {role["RoleName"]: role for role in page["RoleDetailList"]}
        groups |= {group["GroupName"]: group for group in page["GroupDetailList"]}
    for page in iam.get_paginator("list_roles").paginate(PaginationConfig={"PageSize": 1000}):
        for role in page["Roles"]:
            roles[role["RoleName"]]["MaxSessionDuration"] = role["MaxSessionDuration"]
    return roles, groups


def policies(holder: Any, key: str) -> dict[str, Any]:
    """Return the inline policies of a role or a group, by name."""
    return {policy["PolicyName"]: policy["PolicyDocument"] for policy in holder.get(key, [])}


def main() -> None:
    """Plan or apply."""
    workload = Workload.from_json(Path(sys.argv[2]).read_text(encoding="utf-8"))
    accounts = clients(workload)
    found = [read(iam) for iam in accounts]
    writes: list[tuple[Any, dict[str, Any]]] = []
    for grant in workload.grants:
        iam, role = accounts[grant.target], found[grant.target][0].get(grant.name)
        trust = json.dumps(trust_policy(grant))
        if role is None:
            writes.append((iam.create_role, {"RoleName": grant.name, "AssumeRolePolicyDocument": trust}))
        elif role["AssumeRolePolicyDocument"] != trust_policy(grant):
            writes.append((iam.update_assume_role_policy, {"RoleName": grant.name, "PolicyDocument": trust}))
        if role is None or policies(role, "RolePolicyList").get(INLINE) != permissions(grant):
            document = json.dumps(permissions(grant))
            inline = {"RoleName": grant.name, "PolicyName": INLINE, "PolicyDocument": document}
            writes.append((iam.put_role_policy, inline))
        group = found[grant.source][1][grant.group]
        if policies(group, "GroupPolicyList").get(grant.name) != caller_policy(grant):
            document = json.dumps(caller_policy(grant))
            inline = {"GroupName": grant.group, "PolicyName": grant.name, "PolicyDocument": document}
            writes.append((accounts[grant.source].put_group_policy, inline))
    if sys.argv[1] == "apply":
        for write, arguments in writes:
            write(**arguments)
    print(f"{len(writes)} differ")


if __name__ == "__main__":
    main()
