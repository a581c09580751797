"""A plan for some grants only: all others are left out of sight, and left alone."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

from reconciler.caller_policies import opening
from reconciler.errors import UsageError
from reconciler.model import AccountFacts, Address, Live, ManagedPolicy, PrincipalKind, Resource, Role, State
from reconciler.ownership import caller_policy_name, owns
from reconciler.policy.arn import account_of
from reconciler.policy.sessions import further_resources


def narrow(desired: State, live: Live, grants: frozenset[str], *, stack: str) -> tuple[State, Live]:
    """Return both states with only what belongs to these grants, by declaration or by mark.

    A managed policy that several grants share stays in both, with what it has to keep of the others.

    Raises:
        UsageError: a role passes from one grant to another, and only one of the two is named.

    """
    # A grant goes under all its names: under an earlier one alone, its role would be deleted.
    names = [{role.grant, *role.moved_from} for role in desired.values() if isinstance(role, Role)]
    grants = grants.union(*(known for known in names if known & grants))
    wanted = {address: resource for address, resource in desired.items() if resource.grant in grants}
    declared = {address.slot(): resource.grant for address, resource in desired.items() if isinstance(resource, Role)}
    found: dict[Address, Resource] = {}
    for address, resource in live.state.items():
        heir = declared.get(address.slot(), resource.grant) if owns(stack, resource) else resource.grant
        if heir != resource.grant and (heir in grants) != (resource.grant in grants):
            raise UsageError(
                f"--only: {address} passes from the grant {resource.grant or '(none)'} to {heir}; name both or plan all"
            )
        # A foreign role stays in sight where a grant wants its name.
        if resource.grant in grants or declared.get(address.slot()) in grants:
            found[address] = resource
    facts = _with_left_out(live, found, stack)
    found |= _shared(live.state)
    for address, policy in _kept(desired, live, wanted, found, stack).items():
        wanted[address] = policy
        facts = _with_carried(facts, address, policy)
    return wanted, Live(found, facts)


def destroyed(desired: State) -> State:
    """Return what of a desired state is still wanted when it is destroyed: what `narrow` keeps of other grants."""
    return dict(_shared(desired))


def _shared(state: State) -> dict[Address, ManagedPolicy]:
    return {a: resource for a, resource in state.items() if isinstance(resource, ManagedPolicy) and not resource.grant}


def _kept(desired: State, live: Live, wanted: State, found: State, stack: str) -> dict[Address, ManagedPolicy]:
    """Return each shared policy with the roles of grants that are left out.

    What stands in a policy by hand, and opens no role of the stack, is nobody's to keep.
    """
    mine = {role.arn for role in (*wanted.values(), *found.values()) if isinstance(role, Role)}
    standing = (resource for resource in live.state.values() if owns(stack, resource))
    theirs = {role.arn for role in (*desired.values(), *standing) if isinstance(role, Role)} - mine
    # What stands there is not known, so it is kept.
    unread = {facts.account.id for facts in live.facts.values() if facts.error}
    return {
        address: replace(policy, document=opening(others, further_resources(policy.document)))
        for address, policy in sorted(_shared(live.state).items(), key=lambda item: str(item[0]))
        if (
            others := {
                arn
                for arn in policy.document.resources()
                if arn in theirs or (arn not in mine and account_of(arn) in unread)
            }
        )
    }


def _with_left_out(live: Live, found: State, stack: str) -> Mapping[str, AccountFacts]:
    """Return the facts in which the caller policies that are left out count as somebody else's."""
    facts = live.facts
    for address in sorted(live.state, key=str):
        if address in found or address.holder is None or address.holder[0] is not PrincipalKind.ROLE:
            continue
        facts = _with_foreign(facts, address.account, address.holder[1], caller_policy_name(stack, address.name))
    return facts


def _with_carried(
    facts: Mapping[str, AccountFacts], address: Address, policy: ManagedPolicy
) -> Mapping[str, AccountFacts]:
    """Return the facts in which a shared policy that keeps something keeps the role that carries it, too."""
    for holder in sorted(policy.attached_to):
        kind, name = holder.split("/", 1)
        if kind == PrincipalKind.ROLE:
            facts = _with_foreign(facts, address.account, name, address.name)
    return facts


def _with_foreign(
    facts: Mapping[str, AccountFacts], account: str, role: str, policy: str
) -> Mapping[str, AccountFacts]:
    known = facts[account].foreign_caller_policies
    more = {**known, role: (*known.get(role, ()), policy)}
    return {**facts, account: replace(facts[account], foreign_caller_policies=more)}
