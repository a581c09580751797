"""What moto holds of an account, and what the strict layer adds: quotas, and the ids of AWS's form."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from moto.iam.models import iam_backends
from moto.organizations.models import organizations_backends

QUOTAS = {
    "AssumeRolePolicySizeQuota": 2048,
    "AttachedPoliciesPerGroupQuota": 10,
    "AttachedPoliciesPerRoleQuota": 10,
    "AttachedPoliciesPerUserQuota": 10,
    "GroupPolicySizeQuota": 5120,
    "GroupsPerUserQuota": 10,
    "GroupsQuota": 300,
    "PoliciesQuota": 1500,
    "PolicySizeQuota": 6144,
    "RolePolicySizeQuota": 10240,
    "RolesQuota": 1000,
    "UserPolicySizeQuota": 2048,
    "UsersQuota": 5000,
    "VersionsPerPolicyQuota": 5,
}
"""The quotas of an account nobody asked to raise, under GetAccountSummary's names (facts sheet 1.3)."""

_PREFIXES = (("users", "AIDA"), ("groups", "AGPA"))


def backend(account: str) -> Any:
    """Return moto's IAM of an account."""
    return iam_backends[account]["aws"]


def known_accounts() -> list[str]:
    """Return the accounts that have been used."""
    return sorted(iam_backends)


def holders(account: str, kind: str) -> dict[str, Any]:
    """Return the users, groups or roles of an account by name; the kind is `User`, `Group` or `Role`."""
    iam = backend(account)
    if kind == "Role":
        return {role.name: role for role in iam.roles.values()}
    return dict(iam.users if kind == "User" else iam.groups)


def names(account: str, kind: str) -> set[str]:
    """Return the names of an account that are unique ignoring case (facts sheet 1.1); none of another kind."""
    if kind == "InstanceProfile":
        return {profile.name for profile in backend(account).instance_profiles.values()}
    return set(holders(account, kind)) if kind in ("User", "Group", "Role") else set()


def principals(account: str) -> Iterator[Any]:
    """Yield the users and roles of an account: what a trust policy can name."""
    yield from holders(account, "User").values()
    yield from holders(account, "Role").values()


def principal_with_arn(arn: str) -> Any | None:
    """Return the living user or role with exactly this ARN; case and path count (facts sheet 1.1)."""
    parts = arn.split(":")
    if len(parts) != 6 or parts[4] not in iam_backends:
        return None
    return next((found for found in principals(parts[4]) if found.arn == arn), None)


def principal_with_id(unique_id: str) -> Any | None:
    """Return the living user or role with this unique id."""
    return next((p for account in known_accounts() for p in principals(account) if p.id == unique_id), None)


def organization_of(account: str) -> str | None:
    """Return the id of the organization that has the account, if one does."""
    for backends in organizations_backends.values():
        organizations = backends["aws"]
        if organizations.org is not None and any(found.id == account for found in organizations.accounts):
            return str(organizations.org.id)
    return None


def give_ids(account: str) -> dict[str, str]:
    """Give users and groups the ids that AWS gives them (facts sheet 1.5); return the new ids by the old."""
    changed = {}
    iam = backend(account)
    for kind, prefix in _PREFIXES:
        for entity in getattr(iam, kind).values():
            if not entity.id.startswith(prefix):
                old = entity.id
                entity.id = prefix + old.upper()[:17]
                changed[old] = entity.id
    return changed
