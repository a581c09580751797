"""Grants to the desired state."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from reconciler.model import (
    Account,
    Address,
    CallerPolicy,
    Grant,
    Kind,
    ManagedPolicy,
    Principal,
    PrincipalKind,
    Resource,
    Role,
    State,
)
from reconciler.ownership import INLINE_POLICY, permissions_name, permissions_path, role_tags
from reconciler.policy.arn import iam_arn, root_arn
from reconciler.policy.document import CURRENT_VERSION, PolicyDocument
from reconciler.policy.sizes import QUOTAS, size
from reconciler.policy.split import split


def desired_state(grants: Iterable[Grant], accounts: Mapping[str, Account], *, stack: str) -> State:
    """Return every resource that the grants want, those of unmanaged accounts included.

    Of each grant: a role in the target account and a caller policy on every named principal of the source
    account, unless the grant makes none. `entire_account` makes none either: whoever in that account may assume roles
    may assume this one.
    In an account that is not managed it stands for the policy that the other side has to attach.
    """
    state: dict[Address, Resource] = {}
    for grant in grants:
        source, target = accounts[grant.source], accounts[grant.target]
        state[role_address(grant)] = _role(grant, source, target, stack)
        state |= _permissions_policies(grant, target, stack)
        policy = CallerPolicy(
            grant.name, caller_policy(grant, target), managed=grant.managed_caller_policy, adopt=grant.adopt
        )
        for principal in _policy_holders(grant, source):
            holder = (principal.kind, principal.name)
            state[Address(source.name, Kind.CALLER_POLICY, grant.name, holder)] = policy
    return state


def role_address(grant: Grant) -> Address:
    """Return the address of the grant's role."""
    return Address(grant.target, Kind.ROLE, grant.role_name)


def trust_policy(grant: Grant, source: Account) -> PolicyDocument:
    """Return the trust policy: exactly the named users and roles, the account root for groups or an entire account.

    A group cannot be a principal of a trust policy (facts sheet 6).
    """
    named = {principal.arn(source) for principal in grant.principals}
    if grant.entire_account:
        named = {root_arn(source.partition, source.id)}
    statement: dict[str, Any] = {
        "Effect": "Allow",
        "Principal": {"AWS": _one_or_list(sorted(named))},
        "Action": "sts:AssumeRole",
    }
    if grant.conditions:
        statement["Condition"] = {
            operator: {key: _one_or_list(list(values)) for key, values in keys.items()}
            for operator, keys in grant.conditions.items()
        }
    return PolicyDocument.parse({"Version": CURRENT_VERSION, "Statement": [statement]})


def caller_policy(grant: Grant, target: Account) -> PolicyDocument:
    """Return the policy that lets its holder assume the grant's role."""
    role = iam_arn(target.partition, target.id, "role", grant.role_path, grant.role_name)
    statement = {"Effect": "Allow", "Action": "sts:AssumeRole", "Resource": role}
    return PolicyDocument.parse({"Version": CURRENT_VERSION, "Statement": [statement]})


def _permissions_policies(grant: Grant, target: Account, stack: str) -> dict[Address, ManagedPolicy]:
    """Return the managed policies that hold the grant's permissions; none where an inline policy can.

    The inline policies of a role hold 10,240 characters, a managed policy 6,144; neither is ever raised (IAM quotas).
    """
    if grant.permissions is None or size(grant.permissions) <= QUOTAS["RolePolicySizeQuota"]:
        return {}
    found: dict[Address, ManagedPolicy] = {}
    path = permissions_path(stack, grant.name)
    for document in split(grant.permissions, QUOTAS["PolicySizeQuota"]):
        name = permissions_name(stack, grant.name, document)
        arn = iam_arn(target.partition, target.id, "policy", path, name)
        found[Address(target.name, Kind.MANAGED_POLICY, name)] = ManagedPolicy(grant.name, arn, path, document)
    return found


def _role(grant: Grant, source: Account, target: Account, stack: str) -> Role:
    parts = [part.arn for part in _permissions_policies(grant, target, stack).values()]
    inline = dict(grant.inline_policies)
    if grant.permissions is not None and not parts:
        inline[INLINE_POLICY] = grant.permissions
    return Role(
        grant=grant.name,
        arn=iam_arn(target.partition, target.id, "role", grant.role_path, grant.role_name),
        path=grant.role_path,
        trust_policy=trust_policy(grant, source),
        description=grant.description,
        inline_policies=inline,
        managed_policies=grant.managed_policies | frozenset(parts),
        permissions_boundary=grant.permissions_boundary,
        max_session_duration=grant.max_session_duration,
        tags={**grant.tags, **role_tags(stack, grant.name, prevent_destroy=grant.prevent_destroy)},
        adopt=grant.adopt,
        moved_from=grant.moved_from,
    )


def _policy_holders(grant: Grant, source: Account) -> tuple[Principal, ...]:
    if not grant.makes_caller_policies:
        return ()
    if grant.entire_account:
        return () if source.managed else (Principal(PrincipalKind.ACCOUNT, source.id),)
    return grant.principals


def _one_or_list(values: list[str]) -> str | list[str]:
    # As people write it, and as AWS gives it back.
    return values[0] if len(values) == 1 else values
