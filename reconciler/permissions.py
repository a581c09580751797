"""What xgrant needs to be allowed in an account; the README shows the same as a policy.

Only `iam:RemoveRoleFromInstanceProfile` is not among it, which is needed where somebody hung a role into one.
The actions are those of the calls that `aws/` makes (facts sheet 7).
"""

from __future__ import annotations

READ = {
    "": (
        "iam:GetAccountAuthorizationDetails", "iam:GetAccountSummary", "iam:ListRoles", "iam:ListPolicies",
    ),
    "role": (
        "iam:GetRole", "iam:ListRolePolicies", "iam:GetRolePolicy", "iam:ListAttachedRolePolicies",
        "iam:ListInstanceProfilesForRole",
    ),
    "user": ("iam:GetUserPolicy",),
    "group": ("iam:GetGroupPolicy",),
    "policy": ("iam:GetPolicy", "iam:GetPolicyVersion", "iam:ListEntitiesForPolicy"),
}  # fmt: skip
"""To plan, by what it is about; on `*` where it is about nothing."""

PROVIDERS = "iam:ListOpenIDConnectProviders"
"""To plan grants of tokens, in their target accounts."""

LOOK = (
    "iam:SimulatePrincipalPolicy", "cloudtrail:DescribeTrails", "cloudtrail:GetTrailStatus",
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
