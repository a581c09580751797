"""Quotas: sizes of documents without white space, attachments, versions, entities (facts sheet 1.3)."""

from __future__ import annotations

import re
from collections.abc import Mapping

from reconciler.sandbox.strict import accounts
from reconciler.sandbox.strict.wire import RefusedError, Request

_HOLDER = re.compile(r"(?:Put|Attach)(Role|User|Group)Policy")
_OF_AWS = "arn:aws:iam::aws:policy/"
_CREATED = {"CreateRole": "Role", "CreateUser": "User", "CreateGroup": "Group"}


def size(document: str) -> int:
    """Return the characters of a document that AWS counts: all but white space."""
    return len(re.sub(r"\s", "", document))


def check_limits(request: Request, quotas: Mapping[str, int]) -> None:
    """Refuse what exceeds a quota of the account.

    Raises:
        RefusedError: LimitExceeded, 409, or NoSuchEntity, 404, for a managed policy that does not exist.

    """
    trust = request.get("AssumeRolePolicyDocument")
    if request.operation == "UpdateAssumeRolePolicy":
        trust = request.get("PolicyDocument")
    if trust is not None and size(trust) > quotas["AssumeRolePolicySizeQuota"]:
        raise _exceeded("ACLSizePerRole", quotas["AssumeRolePolicySizeQuota"])
    document = request.get("PolicyDocument") or ""
    if request.operation in ("CreatePolicy", "CreatePolicyVersion") and size(document) > quotas["PolicySizeQuota"]:
        raise _exceeded("PolicySize", quotas["PolicySizeQuota"])
    if match := _HOLDER.fullmatch(request.operation):
        _check_holder(request, match.group(1), quotas)
    _check_counts(request, quotas)


def _check_holder(request: Request, kind: str, quotas: Mapping[str, int]) -> None:
    holder = accounts.holders(request.account, kind).get(request.get(f"{kind}Name") or "")
    if holder is None:
        return
    if request.operation.startswith("Put"):
        most = quotas[f"{kind}PolicySizeQuota"]
        policies = {**holder.policies, request.get("PolicyName"): request.get("PolicyDocument") or ""}
        if sum(size(document) for document in policies.values()) > most:
            raise RefusedError(
                "LimitExceeded", f"Maximum policy size of {most} bytes exceeded for {kind.lower()} {holder.name}"
            )
        return
    arn = request.get("PolicyArn") or ""
    check_policy_exists(request.account, arn)
    most = quotas[f"AttachedPoliciesPer{kind}Quota"]
    if len({*holder.managed_policies, arn}) > most:
        raise _exceeded(f"PoliciesPer{kind}", most)


def check_policy_exists(account: str, arn: str) -> None:
    """Refuse the ARN of a managed policy that does not exist.

    A sandbox that is served without AWS's own policies takes every ARN of one.

    Raises:
        RefusedError: NoSuchEntity, 404.

    """
    known = accounts.backend(account).managed_policies
    without = arn.startswith(_OF_AWS) and not any(other.startswith(_OF_AWS) for other in known)
    if arn not in known and not without:
        raise RefusedError("NoSuchEntity", f"Policy {arn} does not exist or is not attachable.")


def _check_counts(request: Request, quotas: Mapping[str, int]) -> None:
    iam = accounts.backend(request.account)
    kind = _CREATED.get(request.operation)
    if kind is not None and len(accounts.holders(request.account, kind)) >= quotas[f"{kind}sQuota"]:
        raise _exceeded(f"{kind}sPerAccount", quotas[f"{kind}sQuota"])
    if request.operation == "CreatePolicy":
        own = [arn for arn in iam.managed_policies if ":aws:policy/" not in arn]
        if len(own) >= quotas["PoliciesQuota"]:
            raise _exceeded("PoliciesPerAccount", quotas["PoliciesQuota"])
    if request.operation == "AddUserToGroup":
        _check_groups(request, quotas["GroupsPerUserQuota"])
    if request.operation == "CreatePolicyVersion":
        policy = iam.managed_policies.get(request.get("PolicyArn"))
        most = quotas["VersionsPerPolicyQuota"]
        if policy is not None and len(policy.versions) >= most:
            raise RefusedError(
                "LimitExceeded",
                f"A managed policy can have up to {most} versions. Before you create a new version, you must delete "
                "an existing version.",
            )


def _check_groups(request: Request, most: int) -> None:
    user, new = request.get("UserName"), request.get("GroupName")
    groups = accounts.holders(request.account, "Group").values()
    of_user = {group.name for group in groups if any(member.name == user for member in group.users)}
    if len(of_user | {new}) > most:
        raise _exceeded("GroupsPerUser", most)


def _exceeded(name: str, most: int) -> RefusedError:
    return RefusedError("LimitExceeded", f"Cannot exceed quota for {name}: {most}")
