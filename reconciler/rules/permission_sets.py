"""XG230 and XG231: people behind IAM Identity Center need what only Identity Center can give them.

Nothing can be attached to the role of a permission set (UnmodifiableEntity, facts sheet 3.4): that it may assume the
roles of the grants has to stand in the permission set, and the set has to be assigned to the account.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Mapping

from reconciler.model import Account, AccountFacts, Finding, Plan, PrincipalKind, Role, Severity, State
from reconciler.policy.document import CURRENT_VERSION, PolicyDocument
from reconciler.policy.permission_sets import permission_set_of, trusted_sets

_Set = tuple[str, str]
"""A permission set by its name, and the name of the account."""


def permission_set_policy(plan: Plan) -> Iterator[Finding]:
    """Yield a note for each permission set whose policy is not seen to allow all roles that trust it.

    One policy of a set holds in all accounts, so it has to name the roles of all grants, also of those that `--only`
    leaves out. What an inline policy of the set's role in a managed account says already needs no note.
    """
    everything = _opened(plan, plan.whole.desired)
    alike: dict[tuple[str, tuple[str, ...]], list[str]] = defaultdict(list)
    for name, account in sorted(_opened(plan, plan.desired)):
        roles = everything[name, account]
        if not _allowed(name, roles, plan.live.facts[account]):
            alike[name, tuple(sorted(roles))].append(account)
    for (name, arns), accounts in alike.items():
        grants = sorted({grant for account in accounts for grant in everything[name, account].values()})
        yield _note(name, arns, grants, [plan.live.facts[account].account for account in accounts])


def _note(name: str, arns: tuple[str, ...], grants: list[str], accounts: list[Account]) -> Finding:
    several = "s" if arns[1:] else ""
    where = ", ".join(f"{account.name} ({account.id})" for account in accounts)
    statement = {"Effect": "Allow", "Action": "sts:AssumeRole", "Resource": list(arns) if several else arns[0]}
    return Finding(
        rule="XG230",
        severity=Severity.NOTE,
        message=(
            f"the permission set {name} of account{'s' if accounts[1:] else ''} {where} has to allow "
            f"sts:AssumeRole on the role{several} of {', '.join(grants)}; to its own role nothing can be attached"
        ),
        way_out="put this into the inline policy of the permission set, in IAM Identity Center, and provision it",
        grant=grants[0] if len(grants) == 1 else "",
        documents=((
            f"policy of the permission set {name}",
            PolicyDocument.parse({"Version": CURRENT_VERSION, "Statement": [statement]}),
        ),),
    )  # fmt: skip


def permission_set_unassigned(plan: Plan) -> Iterator[Finding]:
    """Yield a warning for each permission set that has no role in a source account that was read."""
    standing: dict[str, set[str]] = {}
    for (name, account), roles in sorted(_opened(plan, plan.desired).items()):
        facts = plan.live.facts[account]
        if not facts.account.managed or facts.error:
            continue
        known = standing.setdefault(account, {found for found, _ in _roles_of_sets(facts)})
        if name in known:
            continue
        spelt = next((other for other in sorted(known) if other.casefold() == name.casefold()), None)
        of = sorted(set(roles.values()))
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


def _opened(plan: Plan, state: State) -> Mapping[_Set, Mapping[str, str]]:
    """Return for each permission set the roles that trust it, by their ARNs, each with its grant."""
    names = {facts.account.id: name for name, facts in plan.live.facts.items()}
    found: dict[_Set, dict[str, str]] = defaultdict(dict)
    for role in state.values():
        if isinstance(role, Role):
            for account_id, name in trusted_sets(role.trust_policy):
                if account_id in names:
                    found[name, names[account_id]][role.arn] = role.grant
    return found


def _allowed(name: str, roles: Mapping[str, str], facts: AccountFacts) -> bool:
    """Return whether inline policies of each role that the permission set has in an account name all these roles."""
    standing = [role for found, role in _roles_of_sets(facts) if found == name]
    return bool(standing) and all(
        any(
            policy.names("sts:AssumeRole", arn) for policy in facts.by_hand.get((PrincipalKind.ROLE, role), {}).values()
        )
        for role in standing
        for arn in roles
    )


def _roles_of_sets(facts: AccountFacts) -> Iterator[tuple[str, str]]:
    """Yield the roles of permission sets in an account: the set, and the role's case-folded name."""
    for (kind, folded), arn in facts.principals.items():
        if kind is PrincipalKind.ROLE and (name := permission_set_of(arn)) is not None:
            yield name, folded
