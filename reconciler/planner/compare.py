"""Which changes bring the live state to the desired one.

desired  live, ours  live, not ours   change
-------  ----------  --------------   ------
yes      no          no               create
yes      yes, equal  -                none
yes      yes         -                update; replace where the name or the path differs
yes      no          yes              none: a finding says so (rules/role_not_owned.py)
no       yes         -                delete
no       no          yes              none, and it is never named
"""

from __future__ import annotations

from dataclasses import replace

from reconciler.model import (
    Action,
    Address,
    Change,
    Kind,
    Live,
    PrincipalKind,
    Resource,
    Role,
    State,
)
from reconciler.ownership import owns

# No API renames or moves a role (facts sheet 3.3).
_IMMUTABLE = ("path",)


def compare(desired: State, live: Live, *, stack: str) -> tuple[Change, ...]:
    """Return the changes in order of address."""
    wanted = {address: resource for address, resource in desired.items() if live.facts[address.account].account.managed}
    owned = {address: resource for address, resource in live.state.items() if owns(stack, resource)}
    foreign = {address.slot() for address in live.state if address not in owned}

    changes: list[Change] = []
    paired = _pair(wanted, owned)
    for address, after in wanted.items():
        if address.slot() in foreign:
            continue
        standing = paired.get(address)
        change = _change(address, standing, owned[standing] if standing else None, after)
        if change is not None:
            changes.append(change)
    taken = set(paired.values())
    for address, before in owned.items():
        if address not in taken:
            changes.append(Change(address, Action.DELETE, before.grant, before, None))
    ordered = sorted(changes, key=lambda change: str(change.address))
    return _with_caller_policies_of_replaced_roles(ordered, wanted, owned)


def _pair(wanted: State, owned: State) -> dict[Address, Address]:
    """Find for each desired address the owned one that it continues.

    It is the same address; or the one that differs only in the case of its name; or, for a role, the one that the
    grant has in that account and that nothing else continues: then the grant's role was given a new name.
    """
    paired = {address: address for address in wanted if address in owned}
    free = [address for address in sorted(owned, key=str) if address not in paired]
    by_slot = {address.slot(): address for address in free}
    by_grant: dict[tuple[str, str], Address] = {}
    for address in free:
        if address.kind is Kind.ROLE:
            by_grant.setdefault((address.account, owned[address].grant), address)
    for address in sorted(wanted, key=str):
        if address not in paired and (standing := by_slot.pop(address.slot(), None)) is not None:
            paired[address] = standing
    taken = set(paired.values())
    for address in sorted(wanted, key=str):
        if address in paired or address.kind is not Kind.ROLE:
            continue
        standing = by_grant.get((address.account, wanted[address].grant))
        if standing is not None and standing not in taken:
            paired[address] = standing
            taken.add(standing)
    return paired


def _change(address: Address, standing: Address | None, before: Resource | None, after: Resource) -> Change | None:
    if standing is None or before is None:
        return Change(address, Action.CREATE, after.grant, None, after)
    differing = _differing(before, after)
    if standing != address and address.kind is Kind.ROLE:
        return Change(
            address, Action.REPLACE, after.grant, before, after, ("name", *differing), standing,
            "a role cannot be given another name",
        )  # fmt: skip
    if not differing:
        return None
    if isinstance(after, Role) and set(differing) & set(_IMMUTABLE):
        return Change(
            address, Action.REPLACE, after.grant, before, after, differing,
            reason="a role cannot be moved to another path",
        )  # fmt: skip
    return Change(address, Action.UPDATE, after.grant, before, after, differing)


def _differing(before: Resource, after: Resource) -> tuple[str, ...]:
    old, new = before.attributes(), after.attributes()
    return tuple(name for name in new if old[name] != new[name])


def _with_caller_policies_of_replaced_roles(changes: list[Change], wanted: State, owned: State) -> tuple[Change, ...]:
    """Turn into replacements the caller policies that cannot stay while a role of the same name is replaced.

    Those that open it go first and come back last, so that at no moment does anybody hold the door to a role that
    is not there. Those that it carries itself are deleted with it.
    """
    gone = {
        c.address.slot(): c
        for c in changes
        if c.action is Action.REPLACE and c.removed_address().slot() == c.address.slot()
    }
    if not gone:
        return tuple(changes)
    opened = {change.before.grant for change in gone.values() if change.before}
    result = {change.address: change for change in changes}
    for address, after in wanted.items():
        if address.kind is not Kind.CALLER_POLICY or address not in owned:
            continue
        assert address.holder is not None  # every caller policy has one
        kind, name = address.holder
        carried = kind is PrincipalKind.ROLE and (address.account, Kind.ROLE, name.casefold()) in gone
        change = result.get(address)
        if change is not None and change.action is Action.UPDATE and after.grant in opened:
            result[address] = replace(change, action=Action.REPLACE, reason="the role that it opens is replaced")
        elif carried and (change is None or change.action is Action.UPDATE):
            result[address] = Change(
                address, Action.REPLACE, after.grant, owned[address], after,
                _differing(owned[address], after), reason="the role that carries it is replaced",
            )  # fmt: skip
    return tuple(sorted(result.values(), key=lambda change: str(change.address)))
