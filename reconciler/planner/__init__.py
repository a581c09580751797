"""Desired and live to a Plan. Pure: the same values always give the same plan."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import replace

from reconciler.errors import UsageError
from reconciler.model import (
    AccountFacts,
    Address,
    Finding,
    Live,
    ManagedPolicy,
    Plan,
    PrincipalKind,
    Resource,
    Role,
    Severity,
    State,
    fingerprint,
)
from reconciler.ownership import caller_policy_name, owns
from reconciler.planner.compare import compare
from reconciler.planner.order import CyclicOrderError, order
from reconciler.planner.pack import opening, packed
from reconciler.planner.principals import with_arns

Rule = Callable[[Plan], Iterable[Finding]]

__all__ = ["Rule", "narrow", "plan"]


def plan(desired: State, live: Live, *, stack: str, rules: Iterable[Rule]) -> Plan:
    """Return the complete plan that brings `live` to `desired`, for what the stack owns and nothing else.

    Desired resources of accounts that are not managed make no change. Every account of `desired` must be in
    `live.facts`.
    """
    live = with_arns(live)
    changes = compare(packed(desired, live, stack=stack), live, stack=stack)
    findings: list[Finding] = []
    try:
        steps = order(changes)
    except CyclicOrderError as error:
        steps = ()
        findings.append(
            Finding(
                rule="XG205",
                severity=Severity.ERROR,
                message="these roles each trust one that does not exist before the other: " + " -> ".join(error.cycle),
                way_out="apply one of the grants without the other's role in `from.roles`, then add it",
            )
        )
    draft = Plan(stack, desired, live, changes, steps, fingerprint=fingerprint(changes))
    for rule in rules:
        findings.extend(rule(draft))
    return Plan(stack, desired, live, changes, steps, tuple(findings), draft.fingerprint)


def narrow(desired: State, live: Live, grants: frozenset[str], *, stack: str) -> tuple[State, Live]:
    """Return both states with only what belongs to these grants, by declaration or by mark.

    Raises:
        UsageError: a role passes from one grant to another, and only one of the two is named.

    """
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
    shared = {
        address: resource
        for address, resource in live.state.items()
        if isinstance(resource, ManagedPolicy) and not resource.grant
    }
    mine = {role.arn for role in (*wanted.values(), *found.values()) if isinstance(role, Role)}
    # What stands in a policy by hand, and opens no role of the stack, is nobody's to keep.
    standing = (role for role in live.state.values() if owns(stack, role))
    theirs = {role.arn for role in (*desired.values(), *standing) if isinstance(role, Role)} - mine
    for address, policy in shared.items():
        # A policy that several grants share keeps all that is not of these.
        found[address] = policy
        if others := theirs.intersection(policy.document.resources()):
            wanted[address] = replace(policy, document=opening(others))
    return wanted, Live(found, _with_left_out(live, found, stack))


def _with_left_out(live: Live, found: State, stack: str) -> Mapping[str, AccountFacts]:
    """Return the facts in which the caller policies that are left out count as somebody else's."""
    facts = dict(live.facts)
    for address in sorted(live.state, key=str):
        if address in found or address.holder is None or address.holder[0] is not PrincipalKind.ROLE:
            continue
        role, name = address.holder[1], caller_policy_name(stack, address.name)
        known = facts[address.account].foreign_caller_policies
        facts[address.account] = replace(
            facts[address.account], foreign_caller_policies={**known, role: (*known.get(role, ()), name)}
        )
    return facts
