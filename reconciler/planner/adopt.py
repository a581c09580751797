"""Caller policies made by hand that a grant with `adopt` takes over.

A caller policy is marked by its name, as a role is by its tags: a group cannot be tagged (facts sheet 1.2). So one that
says what the grant's would say, or says it of some of the grant's roles only, is the grant's, and adopting it gives it
the name. If there are several, or one that is marked already, the others go: so an adoption that was cut short between
the two is finished by the next. None goes before the grant's own opens all that it opened.
"""

from __future__ import annotations

from dataclasses import replace

from reconciler.model import Address, CallerPolicy, Kind, Live, PrincipalKind, Resource, Role, State
from reconciler.policy.arn import account_of
from reconciler.policy.shapes import opens_some_of


def with_adoptable(desired: State, live: Live) -> Live:
    """Return the live state with each policy made by hand at the address of the caller policy that adopts it.

    A role that carries such a policy has it no longer among its own.
    """
    state: dict[Address, Resource] = dict(live.state)
    unread = {facts.account.id for facts in live.facts.values() if facts.error}
    for address, wanted in sorted(desired.items(), key=lambda item: str(item[0])):
        if not isinstance(wanted, CallerPolicy) or not wanted.adopt:
            continue
        assert address.holder is not None  # every caller policy has one
        kind, name = address.holder
        by_hand = live.facts[address.account].by_hand.get((kind, name.casefold()), {})
        declared = _declared(desired, address)
        # What opens a role of an account that could not be read stays: the grant's own may not open it yet.
        roles = {arn for arn in wanted.document.resources() if account_of(arn) not in unread}
        same = sorted(
            (
                policy
                for policy, document in by_hand.items()
                if policy not in declared and opens_some_of(document, wanted.document, roles)
            ),
            # What says all of it is the one that gets the name.
            key=lambda policy: (by_hand[policy] != wanted.document, policy),
        )
        marked = state.get(address)
        if same and isinstance(marked, CallerPolicy):
            state[address] = replace(marked, beside=tuple(same))
        elif same:
            state[address] = CallerPolicy(wanted.grant, by_hand[same[0]], name=same[0], beside=tuple(same[1:]))
        if kind is PrincipalKind.ROLE:
            _give_up(state, address, same)
    return replace(live, state=state)


def _declared(desired: State, address: Address) -> frozenset[str]:
    """Return the inline policies that a grant declares for the role that carries a caller policy."""
    assert address.holder is not None  # asked before
    role = desired.get(Address(address.account, Kind.ROLE, address.holder[1]))
    mine = isinstance(role, Role) and address.holder[0] is PrincipalKind.ROLE
    return frozenset(role.inline_policies) if mine and isinstance(role, Role) else frozenset()


def _give_up(state: dict[Address, Resource], address: Address, policies: list[str]) -> None:
    assert address.holder is not None  # asked before
    slot = Address(address.account, Kind.ROLE, address.holder[1]).slot()
    for standing, role in state.items():
        if isinstance(role, Role) and standing.slot() == slot:
            own = {name: document for name, document in role.inline_policies.items() if name not in policies}
            state[standing] = replace(role, inline_policies=own)
