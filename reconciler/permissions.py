"""What xgrant needs to be allowed in an account; docs/accounts.md shows the same as a policy.

The actions are those of the calls that `aws/` makes (facts sheet 7).
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

READ = {
    "": (
        "iam:GetAccountAuthorizationDetails", "iam:GetAccountSummary", "iam:ListRoles", "iam:ListPolicies",
    ),
    "role": ("iam:GetRole",),
}  # fmt: skip
"""To plan, by what it is about; on `*` where it is about nothing. GetRole is for roles that come or go meanwhile."""

REREAD = {
    "role": (
        "iam:ListRolePolicies", "iam:GetRolePolicy", "iam:ListAttachedRolePolicies",
        "iam:ListInstanceProfilesForRole",
    ),
    "user": ("iam:GetUserPolicy",),
    "group": ("iam:GetGroupPolicy",),
    "policy": ("iam:GetPolicy", "iam:GetPolicyVersion", "iam:ListEntitiesForPolicy"),
}  # fmt: skip
"""To apply, beside that: of each thing just before it is written, and after."""

PROVIDERS = "iam:ListOpenIDConnectProviders"
"""To plan grants of tokens, in their target accounts."""

SIMULATE = "iam:SimulatePrincipalPolicy"

LOOK = (
    SIMULATE, "cloudtrail:DescribeTrails", "cloudtrail:GetTrailStatus",
    "cloudtrail:GetEventSelectors",
)  # fmt: skip
"""For verify and doctor, which do with less without it."""

AUDIT = ("cloudtrail:LookupEvents", "ec2:DescribeRegions")
"""For audit, where it reads no files."""

ROLE = (
    "iam:CreateRole", "iam:DeleteRole", "iam:UpdateRole", "iam:UpdateAssumeRolePolicy", "iam:TagRole",
    "iam:UntagRole", "iam:PutRolePolicy", "iam:DeleteRolePolicy", "iam:AttachRolePolicy",
    "iam:DetachRolePolicy", "iam:PutRolePermissionsBoundary", "iam:DeleteRolePermissionsBoundary",
)  # fmt: skip
"""On the roles of grants."""

UNBOUND = "iam:DeleteRolePermissionsBoundary"
"""Of those what only a role without a boundary needs."""

INSTANCE_PROFILE = "iam:RemoveRoleFromInstanceProfile"
"""On the instance profiles that somebody hangs such a role into; seldom needed."""

CALLER = {
    "user": ("iam:PutUserPolicy", "iam:DeleteUserPolicy"),
    "group": ("iam:PutGroupPolicy", "iam:DeleteGroupPolicy"),
    "role": ("iam:PutRolePolicy", "iam:DeleteRolePolicy"),
}
"""On the principals that have inline caller policies, by kind."""

ATTACH = {
    "user": ("iam:AttachUserPolicy", "iam:DetachUserPolicy"),
    "group": ("iam:AttachGroupPolicy", "iam:DetachGroupPolicy"),
    "role": ("iam:AttachRolePolicy", "iam:DetachRolePolicy"),
}
"""On the principals that have managed ones."""

MANAGED_POLICY = (
    "iam:CreatePolicy", "iam:DeletePolicy", "iam:TagPolicy", "iam:ListPolicyVersions",
    "iam:CreatePolicyVersion", "iam:DeletePolicyVersion",
)  # fmt: skip
"""On the managed policies of the stack."""

NEVER = ("iam:CreateUser", "iam:CreateAccessKey", "iam:CreateLoginProfile", "iam:AddUserToGroup")
"""What xgrant never does, and what lets its role make itself at home in an account."""

ORGANIZATION = (
    "organizations:DescribeOrganization", "organizations:ListRoots", "organizations:ListAccounts",
    "organizations:ListAccountsForParent", "organizations:ListOrganizationalUnitsForParent",
    "organizations:ListTagsForResource",
)  # fmt: skip
"""In the management account or a delegated administrator's, to list the accounts of an organization."""

STORE_READ, STORE_WRITE, STORE_LIST = ("s3:GetObject",), ("s3:GetObject", "s3:PutObject"), ("s3:ListBucket",)
"""On the objects of a store in S3, to plan and to apply; and on its bucket."""

STORE_REVIEW = ("s3:PutObject",)
"""On the reviews in it, to keep a plan that is to be reviewed; with `ONCE` it replaces none."""

ONCE = {"Null": {"s3:if-none-match": "false"}}
"""That a write has the header If-None-Match, which S3 takes with `*` only: it then makes a new object or none (S3 User
Guide, "Enforce conditional writes on Amazon S3 buckets")."""


def parts() -> Mapping[str, tuple[str, ...]]:
    """Return all actions, by the names that docs/accounts.md has for the parts."""
    return {
        "Read": (*READ[""], PROVIDERS, *READ["role"]),
        "Reread": tuple(action for actions in REREAD.values() for action in actions),
        "Look": LOOK,
        "TargetAccount": (*ROLE, INSTANCE_PROFILE),
        "SourceAccount": tuple(action for actions in CALLER.values() for action in actions),
        "ManagedPolicies": (*MANAGED_POLICY, *ATTACH["user"], *ATTACH["group"]),
        "Audit": AUDIT,
    }


def everything() -> dict[str, Any]:
    """Return all of them on any resource, as one policy."""
    return _policy(*(
        {"Sid": sid, "Effect": "Allow", "Action": [*actions], "Resource": "*"} for sid, actions in parts().items()
    ))  # fmt: skip


def store(bucket: str) -> dict[str, Any]:
    """Return what who applies needs of a bucket that holds nothing but the store."""
    return _policy(
        {"Effect": "Allow", "Action": [*STORE_WRITE], "Resource": f"arn:aws:s3:::{bucket}/*"},
        {"Effect": "Allow", "Action": [*STORE_LIST], "Resource": f"arn:aws:s3:::{bucket}"},
    )


def _policy(*statements: Mapping[str, Any]) -> dict[str, Any]:
    return {"Version": "2012-10-17", "Statement": list(statements)}
