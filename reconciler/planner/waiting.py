"""What waits until an account can be read, although it is to be done in another one.

In an account that cannot be read nobody can close a caller policy. So a role that callers there may hold the door of
must not become what they are not meant to have, nor get another ARN, which would lock out those who are.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from reconciler.model import Action, Address, Change, ManagedPolicy, Role
from reconciler.planner.order import passes_on
from reconciler.policy.arn import account_of
from reconciler.wording import few

_WHAT_CALLERS_GET = frozenset({"path", "trust_policy", "permissions_boundary", "inline_policies", "managed_policies"})


def waiting(changes: Iterable[Change], unread: Mapping[str, str]) -> dict[Address, str]:
    """Return by address the changes that wait, each with the names of the accounts, out of `unread` by their ids.

    A role that lets nobody of such an account in any more does not wait, and so it is with one that is deleted: that
    takes access away.
    """
    if not unread:
        return {}
    listed = list(changes)
    found: dict[Address, str] = {}
    policies: dict[str, str] = {}
    for change in listed:
        names = few(sorted(unread[account] for account in unread if _waits(change, account)))
        if names:
            found[change.address] = names
            for role in (change.before, change.after):
                assert isinstance(role, Role)  # only roles wait by themselves
                policies |= dict.fromkeys(role.managed_policies, names)
    for change in listed:
        policy = change.after or change.before
        if isinstance(policy, ManagedPolicy) and policy.grant and policy.arn in policies:
            found[change.address] = policies[policy.arn]
    return found


def _waits(change: Change, account: str) -> bool:
    before, after = change.before, change.after
    if not isinstance(before, Role) or not isinstance(after, Role):
        return False
    old, new = _trusted(before, account), _trusted(after, account)
    if not old or not new:
        return False
    if change.action is Action.REPLACE or passes_on(change):
        return True
    # Users and roles that are named, and stay the same, are those who are meant.
    same = old == new and all(":user/" in name or ":role/" in name for name in old)
    return not same and bool(_WHAT_CALLERS_GET & {*change.attributes})


def _trusted(role: Role, account: str) -> frozenset[str]:
    """Return whom of an account a role trusts, as its trust policy names them."""
    names = role.trust_policy.aws_principals()
    return frozenset(name for name in names if name == "*" or account in (name, account_of(name)))
