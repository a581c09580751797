"""XG320: quotas that are nearly used up, as GetAccountSummary tells them (facts sheet 1.3)."""

from __future__ import annotations

from collections.abc import Iterator

from reconciler.model import AccountFacts, Ailment, CallerPolicy, ManagedPolicy, PrincipalKind, Role, Severity, State
from reconciler.policy.sizes import quota, size

NEAR = 80
"""From so many percent on it is said."""

_COUNTS = {"Roles": "roles", "Policies": "customer managed policies", "Users": "users", "Groups": "groups"}
_WHY = "AWS refuses what goes beyond it, and plan then refuses a change that would"
_RAISE = "remove what nobody needs, or ask AWS to raise the quota"


def quotas(facts: AccountFacts, state: State) -> Iterator[Ailment]:
    """Yield what is nearly full: in the account, and on the principals and roles of a stack, whose `state` it is."""
    for name, words in _COUNTS.items():
        if name in facts.summary and f"{name}Quota" in facts.summary:
            yield from _near(facts, words, facts.summary[name], facts.summary[f"{name}Quota"], _RAISE)
    for kind, name in sorted(_concerned(facts, state)):
        carried = facts.carried.get((kind, name))
        if carried is None:
            continue
        spelt = facts.principals.get((kind, name), name).rsplit("/", 1)[-1]
        inline, attached = sum(carried.inline.values()), len(carried.attached)
        allowed = quota(facts.summary, f"{kind.capitalize()}PolicySizeQuota")
        way_out = "set caller_policy: managed on its grants, or move permissions into managed policies"
        yield from _near(facts, f"characters of inline policies of the {kind} {spelt}", inline, allowed, way_out)
        allowed = quota(facts.summary, f"AttachedPoliciesPer{kind.capitalize()}Quota")
        way_out = "detach what nobody needs, or divide the grants over several groups"
        yield from _near(facts, f"managed policies on the {kind} {spelt}", attached, allowed, way_out)
    for address, role in sorted(state.items(), key=lambda item: str(item[0])):
        if isinstance(role, Role) and address.account == facts.account.name:
            allowed, used = quota(facts.summary, "AssumeRolePolicySizeQuota"), size(role.trust_policy)
            way_out = "name a group, or fewer principals; the quota can be raised on request"
            yield from _near(
                facts, f"characters of the trust policy of the role {address.name}", used, allowed, way_out
            )


def _concerned(facts: AccountFacts, state: State) -> set[tuple[PrincipalKind, str]]:
    found: set[tuple[PrincipalKind, str]] = set()
    for address, resource in state.items():
        if address.account != facts.account.name:
            continue
        match resource:
            case Role():
                found.add((PrincipalKind.ROLE, address.name.casefold()))
            case CallerPolicy() if address.holder is not None:
                found.add((address.holder[0], address.holder[1].casefold()))
            case ManagedPolicy():
                parts = (one.partition("/") for one in resource.attached_to)
                found |= {(PrincipalKind(kind), name.casefold()) for kind, _, name in parts}
    return found


def _near(facts: AccountFacts, words: str, used: int, allowed: int, way_out: str) -> Iterator[Ailment]:
    if allowed <= 0 or used * 100 < NEAR * allowed:
        return
    message = f"{used:,} of {allowed:,} {words} are used ({used * 100 // allowed}%)"
    yield Ailment("XG320", Severity.WARNING, facts.account.name, message, _WHY, way_out)
