"""What hangs on a role and is not the role's own, so that it is no drift of it: by its name, and by what it says.

A name alone would let anybody hide any permissions from plan and drift. What says more than its name is the role's own.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from reconciler.model import PrincipalKind
from reconciler.ownership import REVOKED_SESSIONS_POLICY, pack_of_arn, parse_caller_policy_name
from reconciler.policy.document import PolicyDocument
from reconciler.policy.shapes import only_assumes_roles, only_ends_sessions

Detail = Mapping[str, Any]


def foreign_caller_policies(role: Detail, policies: Iterable[Detail], stack: str) -> tuple[str, ...]:
    """Return the names of other stacks' caller policies on a role, inline ones first.

    `policies` are the managed policies of the account.
    """
    inline = [
        policy["PolicyName"]
        for policy in role.get("RolePolicyList", [])
        if (marked := parse_caller_policy_name(policy["PolicyName"])) is not None
        and marked[0] != stack
        and only_assumes_roles(PolicyDocument.read(policy["PolicyDocument"]))
    ]
    attached = [policy["PolicyArn"] for policy in role.get("AttachedManagedPolicies", [])]
    packs = {arn: pack for arn in attached if (pack := pack_of_arn(arn)) is not None and pack[0] != stack}
    holder = (PrincipalKind.ROLE, role["RoleName"].casefold())
    says_more = {
        policy["Arn"]
        for policy in (policies if packs else ())
        if policy["Arn"] in packs and not only_assumes_roles(PolicyDocument.read(default_document(policy)))
    }
    theirs = [arn for arn in attached if arn in packs and packs[arn][1:3] == holder and arn not in says_more]
    return (*inline, *(arn.rsplit("/", 1)[-1] for arn in theirs))


def is_own_inline(policy: Detail, stack: str, foreign: Iterable[str]) -> bool:
    """Return whether an inline policy of a role belongs to it; the stack's caller policies are resources themselves."""
    name = policy["PolicyName"]
    marked = parse_caller_policy_name(name)
    return not (marked is not None and marked[0] == stack) and name not in foreign and not ends_sessions(policy)


def is_own_attached(arn: str, stack: str, foreign: Iterable[str]) -> bool:
    """Return whether a managed policy on a role belongs to it, likewise."""
    pack = pack_of_arn(arn)
    return not (pack is not None and (pack[0] == stack or arn.rsplit("/", 1)[-1] in foreign))


def ends_sessions(policy: Detail) -> bool:
    """Return whether an inline policy is the one that ends a role's sessions (facts sheet 3.4)."""
    ours = policy["PolicyName"] == REVOKED_SESSIONS_POLICY
    return ours and only_ends_sessions(PolicyDocument.read(policy["PolicyDocument"]))


def default_document(policy: Detail) -> Any:
    """Return what the version of a managed policy says that is in force."""
    return next(version["Document"] for version in policy["PolicyVersionList"] if version["IsDefaultVersion"])
