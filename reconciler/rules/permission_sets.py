"""XG230 and XG231: people behind IAM Identity Center need what only Identity Center can give them.

Nothing can be attached to the role of a permission set (UnmodifiableEntity, facts sheet 3.4): that it may assume the
roles of the grants has to stand in the permission set, and the set has to be assigned to the account.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Iterator, Mapping

from reconciler.caller_policies import opening
from reconciler.model import AccountFacts, Finding, Plan, PrincipalKind, Role, Severity, State
from reconciler.policy.document import PolicyDocument
from reconciler.policy.permission_sets import permission_set_of, trusted_sets
from reconciler.policy.sessions import ASSUME, named_actions

_NAMED = 6
"""So many accounts are named; of more the number is said."""

_Set = tuple[str, str]
"""A permission set by its name, and the name of the account."""


def permission_set_policy(plan: Plan) -> Iterator[Finding]:
    """Yield a note for each permission set whose policy is not seen, in some account, to allow all roles that trust it.

    One policy of a set holds in all accounts, so it has to name the roles of all grants and accounts, also of those
    that `--only` leaves out. The shard that plans an account judges it; all say the same of a set.
    """
    roles: dict[str, dict[str, Role]] = defaultdict(dict)
    where: dict[str, set[str]] = defaultdict(set)
    everything = _opened(plan, plan.whole.desired)
    for (name, account), opened in everything.items():
        roles[name] |= opened
        where[name].add(account)
    lacking = {
        name
        for name, account in _opened(plan, plan.meant)
        if plan.live.facts[account].planned()
        and not _allowed(name, everything[name, account], plan.live.facts[account])
    }
    for name in sorted(lacking):
        yield _note(name, roles[name], [plan.live.facts[account] for account in sorted(where[name])])


def _note(name: str, roles: Mapping[str, Role], where: Collection[AccountFacts]) -> Finding:
    grants = sorted({role.grant for role in roles.values()})
    several = "s" if len(roles) > 1 else ""
    accounts = [f"{facts.account.name} ({facts.account.id})" for facts in where]
    if len(accounts) > _NAMED:
        accounts = [*accounts[: _NAMED - 1], f"{len(accounts) - _NAMED + 1} more"]
    further: dict[str, set[str]] = defaultdict(set)
    for arn, role in roles.items():
        for action in named_actions(role.trust_policy):
            further[action].add(arn)
    return Finding(
        rule="XG230",
        severity=Severity.NOTE,
        message=(
            f"the permission set {name} of account{'s' if accounts[1:] else ''} {', '.join(accounts)} is not seen to "
            f"allow sts:AssumeRole on the role{several} of {', '.join(grants)}; to its own role nothing can be attached"
        ),
        way_out="put this into the inline policy of the permission set, in IAM Identity Center, and provision it",
        grant=grants[0] if len(grants) == 1 else "",
        documents=((f"policy of the permission set {name}", opening(roles, further)),),
    )


def permission_set_unassigned(plan: Plan) -> Iterator[Finding]:
    """Yield a warning for each permission set that has no role in a source account; only of accounts planned here."""
    standing: dict[str, set[str]] = {}
    for (name, account), roles in sorted(_opened(plan, plan.meant).items()):
        facts = plan.live.facts[account]
        if not facts.account.managed or not facts.planned():
            continue
        known = standing.setdefault(account, {found for found, _ in _roles_of_sets(facts)})
        if name in known:
            continue
        spelt = next((other for other in sorted(known) if other.casefold() == name.casefold()), None)
        of = sorted({role.grant for role in roles.values()})
        yield Finding(
            rule="XG231",
            severity=Severity.WARNING,
            message=f"account {account} has no role of the permission set {name}, so nobody gets in by it",
            way_out=(
                f"write {spelt} in the grant's `from`: case counts"
                if spelt
                else "assign the permission set to the account, in IAM Identity Center, or mend its name"
            ),
            grant=of[0] if len(of) == 1 else "",
        )


def _opened(plan: Plan, state: State) -> Mapping[_Set, Mapping[str, Role]]:
    """Return for each permission set the roles that trust it, by their ARNs."""
    names = {facts.account.id: name for name, facts in plan.live.facts.items()}
    found: dict[_Set, dict[str, Role]] = defaultdict(dict)
    for role in state.values():
        if isinstance(role, Role):
            for account_id, name in trusted_sets(role.trust_policy):
                if account_id in names:
                    found[name, names[account_id]][role.arn] = role
    return found


def _allowed(name: str, roles: Mapping[str, Role], facts: AccountFacts) -> bool:
    """Return whether inline policies of each role that the permission set has in an account allow all these roles."""
    standing = [role for found, role in _roles_of_sets(facts) if found == name]
    return bool(standing) and all(
        _allow(facts.by_hand.get((PrincipalKind.ROLE, holder), {}).values(), action, arn)
        for holder in standing
        for arn, role in roles.items()
        for action in (ASSUME, *named_actions(role.trust_policy))
    )


def _allow(policies: Collection[PolicyDocument], action: str, role_arn: str) -> bool:
    """Return whether an Allow without conditions has a role, and nothing in the same policies may deny it."""
    return any(policy.allows(action, role_arn) for policy in policies) and not any(
        policy.may_deny(action, role_arn) for policy in policies
    )


def _roles_of_sets(facts: AccountFacts) -> Iterator[tuple[str, str]]:
    """Yield the roles of permission sets in an account: the set, and the role's case-folded name."""
    for (kind, folded), arn in facts.principals.items():
        if kind is PrincipalKind.ROLE and (name := permission_set_of(arn)) is not None:
            yield name, folded
