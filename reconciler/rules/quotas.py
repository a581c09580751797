"""XG220 to XG223: a change that AWS would refuse for the size or the number of something.

Each is measured against the quotas of the very account, as GetAccountSummary tells them (facts sheet 1.3), and only
where the plan changes it: what AWS holds already, it has accepted.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping

from reconciler.model import (
    AccountFacts,
    Action,
    Address,
    CallerPolicy,
    Carried,
    Change,
    Finding,
    Kind,
    ManagedPolicy,
    Plan,
    PrincipalKind,
    Role,
    Severity,
    Step,
    Verb,
)
from reconciler.ownership import caller_policy_name
from reconciler.policy.sizes import quota, size

_PLURALS = {Kind.ROLE: "roles", Kind.MANAGED_POLICY: "customer managed policies"}
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
        elif isinstance(change.after, ManagedPolicy):
            yield from _managed_policy(change, change.after, plan.live.facts[change.address.account])
    yield from _attachments(plan)
    by_account: dict[tuple[str, Kind], list[Step]] = {}
    for step in plan.steps:
        by_account.setdefault((step.change.address.account, step.change.address.kind), []).append(step)
    for name, facts in sorted(plan.live.facts.items()):
        for kind, summary in ((Kind.ROLE, "Roles"), (Kind.MANAGED_POLICY, "Policies")):
            yield from _count(by_account.get((name, kind), ()), facts, kind, summary, name)


def _inline_policies(plan: Plan) -> Iterator[Finding]:
    emptied = {c.removed_address().slot() for c in plan.changes if c.action in _EMPTYING and c.before}
    changed: dict[_Holder, dict[str, int]] = {}
    where: dict[_Holder, Change] = {}
    twice: dict[_Holder, int] = {}
    for change in plan.changes:
        for holder, sizes in _after(change, plan.stack):
            changed.setdefault(holder, {}).update(sizes)
            where.setdefault(holder, change)
            if isinstance(change.after, CallerPolicy) and change.action is Action.ADOPT:
                # For a moment it stands under both names; one at a time does.
                twice[holder] = max(twice.get(holder, 0), size(change.after.document))
    for (account, kind, folded), sizes in sorted(changed.items()):
        facts = plan.live.facts[account]
        anew = kind is PrincipalKind.ROLE and Address(account, Kind.ROLE, folded).slot() in emptied
        # A role that goes or is made anew has none of those that stand on it now.
        standing = {} if anew else facts.carried.get((kind, folded), Carried()).inline
        total = sum({**standing, **sizes}.values()) + twice.get((account, kind, folded), 0)
        allowed = quota(facts.summary, f"{kind.capitalize()}PolicySizeQuota")
        if total > allowed:
            change = where[account, kind, folded]
            name = change.address.name if change.address.holder is None else change.address.holder[1]
            yield _finding(
                "XG220", change,
                f"the inline policies of the {kind} {name} would have {total:,} characters; AWS allows {allowed:,}",
                _INLINE_WAY_OUT[change.address.kind],
            )  # fmt: skip


_EMPTYING = (Action.DELETE, Action.REPLACE)

_INLINE_WAY_OUT = {
    Kind.ROLE: "say the same in fewer statements, or move a part into a managed policy and name it in managed_policies",
    Kind.CALLER_POLICY: (
        "set caller_policy: managed on the grants of this principal, or in defaults, so that managed policies hold "
        "them; or take inline policies away that nobody needs"
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
        gone = (
            dict.fromkeys((change.before.name, *change.before.beside), 0)
            if isinstance(change.before, CallerPolicy)
            else {}
        )
        yield (address.account, kind, name.casefold()), {**gone, policy: new}


def _role(change: Change, role: Role, facts: AccountFacts) -> Iterator[Finding]:
    before = change.before if isinstance(change.before, Role) else None
    if before is None or before.trust_policy != role.trust_policy:
        used, allowed = size(role.trust_policy), quota(facts.summary, "AssumeRolePolicySizeQuota")
        if used > allowed:
            sure = used > allowed * TRUST_TOLERANCE
            yield _finding(
                "XG221", change,
                f"the trust policy would have {used:,} characters; AWS allows {allowed:,}"
                + ("" if sure else " by a measure that it does not publish, so it may refuse it"),
                "name a group, or fewer principals; the quota can be raised on request",
                Severity.ERROR if sure else Severity.WARNING,
            )  # fmt: skip


def _managed_policy(change: Change, policy: ManagedPolicy, facts: AccountFacts) -> Iterator[Finding]:
    used, allowed = size(policy.document), quota(facts.summary, "PolicySizeQuota")
    if used > allowed:
        yield _finding(
            "XG220", change,
            f"the managed policy would have {used:,} characters and cannot be divided; AWS allows {allowed:,}",
            "divide the statement that is too long, or say the same in fewer words",
        )  # fmt: skip


def _attachments(plan: Plan) -> Iterator[Finding]:
    """Count what hangs on each principal that gets more; on a role its own managed policies and caller policies."""
    changed: dict[_Holder, list[Change]] = {}
    for change in plan.changes:
        for holder in _holders(change):
            changed.setdefault(holder, []).append(change)
    for holder, changes in sorted(changed.items(), key=lambda item: item[0]):
        account, kind, folded = holder
        facts = plan.live.facts[account]
        standing = facts.carried.get((kind, folded), Carried()).attached
        total = _attached(standing, changes, f"{kind}/{folded}")
        allowed = quota(facts.summary, f"AttachedPoliciesPer{kind.capitalize()}Quota")
        if len(total) > allowed and not total <= standing:
            first = next((change for change in changes if isinstance(change.after, Role)), changes[0])
            yield _finding(
                "XG222", first,
                f"the {kind} {facts.principals.get((kind, folded), folded).rsplit('/', 1)[-1]} would have {len(total)} "
                f"managed policies; AWS allows {allowed} in this account",
                "name fewer, detach what nobody needs, or divide the grants over several groups; the quota of a role "
                "or a user can be raised on request",
            )  # fmt: skip


def _holders(change: Change) -> Iterator[_Holder]:
    """Yield on whom the managed policies change."""
    account = change.address.account
    if isinstance(change.after, Role):
        yield account, PrincipalKind.ROLE, change.address.name.casefold()
    policies = [policy for policy in (change.before, change.after) if isinstance(policy, ManagedPolicy)]
    for holder in sorted(frozenset[str]().union(*(policy.attached_to for policy in policies))):
        kind, name = holder.split("/", 1)
        yield account, PrincipalKind(kind), name.casefold()


def _attached(standing: frozenset[str], changes: list[Change], holder: str) -> frozenset[str]:
    """Return the ARNs of what hangs on a principal once the changes are made."""
    total = set(standing)
    for change in changes:
        if isinstance(change.after, Role):
            old = change.before.managed_policies if isinstance(change.before, Role) else frozenset()
            # A role that is made anew has nothing on it.
            total = total - old if change.action in (Action.UPDATE, Action.ADOPT) else set()
            total |= change.after.managed_policies
    for change in changes:
        for policy, keep in ((change.before, False), (change.after, True)):
            if isinstance(policy, ManagedPolicy) and holder in {name.casefold() for name in policy.attached_to}:
                (total.add if keep else total.discard)(policy.arn)
    return frozenset(total)


def _count(steps: Iterable[Step], facts: AccountFacts, kind: Kind, summary: str, account: str) -> Iterator[Finding]:
    """Count at the moment when there are most of them: what is new comes before some of what goes.

    `steps` are those of the account and the kind, in their order.
    """
    number = most = facts.summary.get(summary, 0)
    made: Change | None = None
    for step in steps:
        change = step.change
        if change.action is Action.UPDATE or (step.verb is Verb.WRITE and isinstance(change.interim, Role)):
            continue  # It is there before and after.
        if step.verb is Verb.REMOVE:
            number -= 1
        elif change.action in (Action.CREATE, Action.REPLACE):
            number += 1
        if number > most:
            most, made = number, change
    allowed = quota(facts.summary, f"{summary}Quota")
    if summary in facts.summary and made is not None and most > allowed:
        yield _finding(
            "XG223", made,
            f"account {account} would have {most:,} {_PLURALS[kind]} at one moment; AWS allows {allowed:,}",
            f"remove {_PLURALS[kind]} that nobody needs; if this plan does, apply a part of it with --only first; "
            "the quota can be raised on request",
        )  # fmt: skip


def _finding(rule: str, change: Change, message: str, way_out: str, severity: Severity = Severity.ERROR) -> Finding:
    return Finding(rule, severity, message, way_out, change.address, change.grant)
