"""XG220 to XG223: a change that AWS would refuse for the size or the number of something.

Each is measured against the quotas of the very account, as GetAccountSummary tells them (facts sheet 1.3), and only
where the plan changes it: what AWS holds already, it has accepted.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from reconciler.model import (
    AccountFacts,
    Action,
    Address,
    CallerPolicy,
    Carried,
    Change,
    Finding,
    Kind,
    Plan,
    PrincipalKind,
    Role,
    Severity,
)
from reconciler.ownership import caller_policy_name
from reconciler.policy.sizes import QUOTAS, size

_Holder = tuple[str, PrincipalKind, str]

TRUST_TOLERANCE = 1.1
"""How far past the quota a trust policy is surely refused. AWS has accepted some beyond it; the exact measure is not
known (facts sheet 1.3)."""


def quotas(plan: Plan) -> Iterator[Finding]:
    """Yield an error for each quota that the plan would exceed, with the number needed and the number allowed."""
    yield from _inline_policies(plan)
    for change in plan.changes:
        if isinstance(change.after, Role):
            yield from _role(change, change.after, plan.live.facts[change.address.account])
    for name, facts in sorted(plan.live.facts.items()):
        yield from _count(plan, name, facts)


def quota(facts: AccountFacts, name: str) -> int:
    """Return a quota of the account: what AWS says, else what a new account has."""
    return facts.summary.get(name, QUOTAS[name])


def _inline_policies(plan: Plan) -> Iterator[Finding]:
    changed: dict[_Holder, dict[str, int]] = {}
    where: dict[_Holder, Change] = {}
    for change in plan.changes:
        for holder, sizes in _after(change, plan.stack):
            changed.setdefault(holder, {}).update(sizes)
            where.setdefault(holder, change)
    for (account, kind, folded), sizes in sorted(changed.items()):
        facts = plan.live.facts[account]
        total = sum({**_standing(plan, account, kind, folded), **sizes}.values())
        allowed = quota(facts, f"{kind.capitalize()}PolicySizeQuota")
        if total > allowed:
            change = where[account, kind, folded]
            name = change.address.name if change.address.holder is None else change.address.holder[1]
            yield _finding(
                "XG220", change,
                f"the inline policies of the {kind} {name} would have {total:,} characters; AWS allows {allowed:,}",
                _INLINE_WAY_OUT[change.address.kind],
            )  # fmt: skip


_INLINE_WAY_OUT = {
    Kind.ROLE: "say the same in fewer statements, or move a part into a managed policy and name it in managed_policies",
    Kind.CALLER_POLICY: (
        "take inline policies away that nobody needs, or name another group: the quota is for all of them together"
    ),
}


def _after(change: Change, stack: str) -> Iterator[tuple[_Holder, Mapping[str, int]]]:
    """Yield whose inline policies a change makes how large; 0 for one that goes."""
    address, after = change.address, change.after
    if isinstance(after, Role):
        gone = dict.fromkeys(change.before.inline_policies, 0) if isinstance(change.before, Role) else {}
        sizes = {**gone, **{name: size(policy) for name, policy in after.inline_policies.items()}}
        yield (address.account, PrincipalKind.ROLE, address.name.casefold()), sizes
    elif address.holder is not None:
        kind, name = address.holder
        policy = caller_policy_name(stack, address.name)
        new = size(after.document) if isinstance(after, CallerPolicy) else 0
        yield (address.account, kind, name.casefold()), {policy: new}


def _standing(plan: Plan, account: str, kind: PrincipalKind, folded: str) -> Mapping[str, int]:
    """Return the sizes of the inline policies that a principal has now; none of a role that goes or is made anew."""
    anew = {
        c.removed_address().slot() for c in plan.changes if c.action in (Action.DELETE, Action.REPLACE) and c.before
    }
    if kind is PrincipalKind.ROLE and Address(account, Kind.ROLE, folded).slot() in anew:
        return {}
    return plan.live.facts[account].carried.get((kind, folded), Carried()).inline


def _role(change: Change, role: Role, facts: AccountFacts) -> Iterator[Finding]:
    before = change.before if isinstance(change.before, Role) else None
    if before is None or before.trust_policy != role.trust_policy:
        used, allowed = size(role.trust_policy), quota(facts, "AssumeRolePolicySizeQuota")
        if used > allowed:
            sure = used > allowed * TRUST_TOLERANCE
            yield _finding(
                "XG221", change,
                f"the trust policy would have {used:,} characters; AWS allows {allowed:,}"
                + ("" if sure else " by a measure that it does not publish, so it may refuse it"),
                "name a group, or fewer principals; the quota can be raised on request",
                Severity.ERROR if sure else Severity.WARNING,
            )  # fmt: skip
    allowed = quota(facts, "AttachedPoliciesPerRoleQuota")
    if len(role.managed_policies) > allowed:
        yield _finding(
            "XG222", change,
            f"the role would have {len(role.managed_policies)} managed policies; AWS allows {allowed} in this account",
            "name fewer; the quota can be raised on request",
        )  # fmt: skip


def _count(plan: Plan, account: str, facts: AccountFacts) -> Iterator[Finding]:
    mine = [c for c in plan.changes if c.address.account == account and c.address.kind is Kind.ROLE]
    made = [change for change in mine if change.action is Action.CREATE]
    more = len(made) - sum(change.action is Action.DELETE for change in mine)
    if not made or "Roles" not in facts.summary:
        return
    total, allowed = facts.summary["Roles"] + more, quota(facts, "RolesQuota")
    if total > allowed:
        yield _finding(
            "XG223", made[0],
            f"account {account} would have {total:,} roles; AWS allows {allowed:,}",
            "remove roles that nobody needs; the quota can be raised on request",
        )  # fmt: skip


def _finding(rule: str, change: Change, message: str, way_out: str, severity: Severity = Severity.ERROR) -> Finding:
    return Finding(rule, severity, message, way_out, change.address, change.grant)
