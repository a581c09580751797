"""Grants to the desired state."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping

from reconciler.caller_policies import opening
from reconciler.model import (
    CURRENT_TIME,
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
from reconciler.ownership import EXPIRY_POLICY, INLINE_POLICY, permissions_name, permissions_path, role_tags
from reconciler.policy.arn import iam_arn
from reconciler.policy.document import CURRENT_VERSION, PolicyDocument
from reconciler.policy.instants import instant_text
from reconciler.policy.sessions import further_actions
from reconciler.policy.sizes import QUOTAS, size
from reconciler.policy.split import split
from reconciler.trust import trust_policy


def desired_state(grants: Iterable[Grant], accounts: Mapping[str, Account], *, stack: str) -> State:
    """Return every resource that the grants want, those of unmanaged accounts included.

    Of each grant: a role in each target account and a caller policy on every named principal, for all the roles that
    it may assume by the grant, unless the grant makes none. A whole account as principal makes none either: whoever in
    that account may assume roles may assume this one.
    In an account that is not managed it stands for the policy that the other side has to attach. For a permission set
    there is none: a rule says what has to stand in it.
    """
    state: dict[Address, Resource] = {}
    opened: dict[Address, list[Grant]] = {}
    for grant in grants:
        target = accounts[grant.target]
        permissions = _permissions_policies(grant, target, stack)
        state[role_address(grant)] = _role(grant, accounts, permissions, stack)
        state |= permissions
        for principal in _policy_holders(grant, accounts):
            holder = (principal.kind, principal.name)
            address = Address(principal.account, Kind.CALLER_POLICY, grant.name, holder)
            opened.setdefault(address, []).append(grant)
    policies: dict[tuple[int, ...], CallerPolicy] = {}
    for address, several in opened.items():
        # Callers of the same roles have one policy: a grant may have thousands of either.
        key = tuple(map(id, several))
        if key not in policies:
            policies[key] = CallerPolicy(
                address.name, caller_policy(several, accounts), managed=several[0].managed_caller_policy,
                adopt=several[0].adopt,
            )  # fmt: skip
        state[address] = policies[key]
    return state


def role_address(grant: Grant) -> Address:
    """Return the address of the grant's role."""
    return Address(grant.target, Kind.ROLE, grant.role_name)


def caller_policy(grants: Iterable[Grant], accounts: Mapping[str, Account]) -> PolicyDocument:
    """Return the policy that lets its holder assume the roles of one grant in all its target accounts."""
    roles: list[str] = []
    further: dict[str, set[str]] = {}
    for grant in grants:
        roles.append(_role_arn(grant, accounts[grant.target]))
        for action in further_actions(grant.conditions):
            further.setdefault(action, set()).add(roles[-1])
    return opening(roles, further)


def expiry_policy(expires: int) -> PolicyDocument:
    """Return the policy that denies everything from a moment on.

    The trust policy lets nobody in any more then; this ends the sessions that are under way, whatever gives them their
    permissions: a denial wins over all of it (facts sheet 6).
    """
    condition = {"DateGreaterThanEquals": {CURRENT_TIME: instant_text(expires)}}
    statement = {"Effect": "Deny", "Action": "*", "Resource": "*", "Condition": condition}
    return PolicyDocument.parse({"Version": CURRENT_VERSION, "Statement": [statement]})


def _permissions_policies(grant: Grant, target: Account, stack: str) -> dict[Address, ManagedPolicy]:
    """Return the managed policies that hold the grant's permissions; none where an inline policy can.

    The inline policies of a role hold 10,240 characters, a managed policy 6,144; neither is ever raised (IAM quotas).
    """
    room = QUOTAS["RolePolicySizeQuota"] - (0 if grant.expires is None else size(expiry_policy(grant.expires)))
    if grant.permissions is None or size(grant.permissions) <= room:
        return {}
    found: dict[Address, ManagedPolicy] = {}
    path = permissions_path(stack, grant.name)
    for document in split(grant.permissions, QUOTAS["PolicySizeQuota"]):
        name = permissions_name(stack, grant.name, document)
        arn = iam_arn(target.partition, target.id, "policy", path, name)
        found[Address(target.name, Kind.MANAGED_POLICY, name)] = ManagedPolicy(grant.name, arn, path, document)
    return found


def _role_arn(grant: Grant, target: Account) -> str:
    return iam_arn(target.partition, target.id, "role", grant.role_path, grant.role_name)


def _role(
    grant: Grant, accounts: Mapping[str, Account], permissions: Mapping[Address, ManagedPolicy], stack: str
) -> Role:
    parts = [part.arn for part in permissions.values()]
    inline = dict(grant.inline_policies)
    if grant.permissions is not None and not parts:
        inline[INLINE_POLICY] = grant.permissions
    if grant.expires is not None:
        inline[EXPIRY_POLICY] = expiry_policy(grant.expires)
    return Role(
        grant=grant.name,
        arn=_role_arn(grant, accounts[grant.target]),
        path=grant.role_path,
        trust_policy=trust_policy(grant, accounts),
        description=grant.description,
        inline_policies=inline,
        managed_policies=grant.managed_policies | frozenset(parts),
        permissions_boundary=grant.permissions_boundary,
        max_session_duration=grant.max_session_duration,
        tags={**grant.tags, **role_tags(stack, grant.name, prevent_destroy=grant.prevent_destroy)},
        adopt=grant.adopt,
        moved_from=grant.moved_from,
    )


def _policy_holders(grant: Grant, accounts: Mapping[str, Account]) -> Iterator[Principal]:
    if grant.makes_caller_policies:
        for principal in grant.principals:
            # To the role of a permission set only Identity Center attaches anything (facts sheet 3.4).
            if principal.kind is PrincipalKind.PERMISSION_SET:
                continue
            if principal.kind is not PrincipalKind.ACCOUNT or not accounts[principal.account].managed:
                yield principal
