"""How large documents are, and how large AWS lets them be."""

from __future__ import annotations

from collections.abc import Mapping

from reconciler.policy.document import PolicyDocument

QUOTAS: Mapping[str, int] = {
    "AssumeRolePolicySizeQuota": 2048,
    "RolePolicySizeQuota": 10240,
    "UserPolicySizeQuota": 2048,
    "GroupPolicySizeQuota": 5120,
    "PolicySizeQuota": 6144,
    "AttachedPoliciesPerRoleQuota": 10,
    "AttachedPoliciesPerUserQuota": 10,
    "AttachedPoliciesPerGroupQuota": 10,
    "RolesQuota": 1000,
    "PoliciesQuota": 1500,
}
"""What a new account has, by the names of GetAccountSummary (facts sheet 1.3). Some are raised on request, so an
account's own number counts wherever it was read."""


def quota(summary: Mapping[str, int], name: str) -> int:
    """Return a quota: what GetAccountSummary says of the account, else what a new account has."""
    return summary.get(name, QUOTAS[name])


def size(document: PolicyDocument) -> int:
    """Return a document's characters as they are sent, without white space between them, which IAM does not count."""
    return len(document.written)
