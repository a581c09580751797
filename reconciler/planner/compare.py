"""Which changes bring the live state to the desired one.

desired  live, ours  live, not ours   change
-------  ----------  --------------   ------
yes      no          no               create
yes      yes, equal  -                none
yes      yes         -                update; replace where the name or the path differs, or it is rotated
yes      no          yes              none: a finding says so (rules/role_not_owned.py);
                                      adopt where the grant says so and the role is no stack's
yes      by hand     -                adopt, of a caller policy: it gets the name that marks it
yes      yes         by hand too      update, of a caller policy: what says the same goes
no       yes         -                delete
no       no          yes              none, and it is never named

A grant that says `moved` continues what is marked with its earlier names.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable
from dataclasses import replace

from reconciler.model import (
    Action,
    Address,
    CallerPolicy,
    Change,
    Kind,
    Live,
    ManagedPolicy,
    Resource,
    Role,
    State,
    differing,
)
from reconciler.ownership import STACK_TAG, owns
from reconciler.planner.order import carrier_slots
from reconciler.planner.pair import pair
from reconciler.principals import gone, why

# No API renames or moves a role (facts sheet 3.3).
_IMMUTABLE = ("path",)


def compare(
    desired: State, live: Live, whole: State, *, stack: str, rotate: frozenset[tuple[str, ...]] = frozenset()
) -> list[Change]:
    """Return the changes of each account, as if there were no other; `across.py` brings them together.

    `whole` is all that is declared, of accounts that are planned elsewhere or could not be read too. The roles whose
    slots are in `rotate` are replaced, whether or not anything of them differs.
    """
    wanted = {address: resource for address, resource in desired.items() if live.facts[address.account].account.managed}
    owned = {address: resource for address, resource in live.state.items() if owns(stack, resource)}
    foreign = {address.slot() for address in live.state if address not in owned}

    changes: list[Change] = []
    adopted = [_adopted(address, after, live.state) for address, after in wanted.items() if address.slot() in foreign]
    changes += filter(None, adopted)
    taken_over = {change.address for change in changes}
    roles = [role for role in whole.values() if isinstance(role, Role)]
    moved = {role.grant: role.moved_from for role in roles}
    paired = pair({a: resource for a, resource in wanted.items() if a not in taken_over}, owned, moved)
    for address, after in wanted.items():
        if address.slot() in foreign:
            continue
        standing = paired.get(address)
        before = owned[standing] if standing else None
        change = _change(address, standing, before, after, rotate=address.slot() in rotate)
        if change is not None:
            changes.append(change)
    taken = set(paired.values())
    for address, before in owned.items():
        if address not in taken:
            changes.append(Change(address, Action.DELETE, before.grant, before, None))
    declared = {role.arn for role in roles}
    return [_with_withdrawn(change, declared) for change in _with_carriers_replaced(changes, wanted, owned)]


def _with_withdrawn(change: Change, declared: Collection[str]) -> Change:
    before, after = change.before, change.after
    if not isinstance(before, ManagedPolicy) or before.grant:
        return change
    kept = after.document.resources() if isinstance(after, ManagedPolicy) else ()
    withdrawn = tuple(arn for arn in before.document.resources() if arn in declared and arn not in kept)
    return replace(change, withdrawn=withdrawn) if withdrawn else change


def adoptable(standing: Resource, after: Resource) -> bool:
    """Return whether a role of no stack can be taken over as it stands; a role cannot be moved to another path."""
    if not isinstance(after, Role) or not isinstance(standing, Role) or not after.adopt:
        return False
    return STACK_TAG not in standing.tags and not set(differing(standing, after)) & set(_IMMUTABLE)


def _adopted(address: Address, after: Resource, live: State) -> Change | None:
    before = live.get(address)
    if before is None or not adoptable(before, after):
        return None
    return Change(
        address, Action.ADOPT, after.grant, before, after, differing(before, after),
        reason="the grant takes over this role, which no stack owns",
    )  # fmt: skip


def _change(
    address: Address, standing: Address | None, before: Resource | None, after: Resource, *, rotate: bool
) -> Change | None:
    if standing is None or before is None:
        return Change(address, Action.CREATE, after.grant, None, after)
    names = differing(before, after)
    if standing != address and address.kind is Kind.ROLE:
        return Change(
            address, Action.REPLACE, after.grant, before, after, ("name", *names), standing,
            "a role cannot be given another name: the new one is made, then the old one is deleted",
        )  # fmt: skip
    if isinstance(after, CallerPolicy) and standing.name != address.name:
        return Change(
            address, Action.REPLACE, after.grant, before, after, ("name", *names), standing,
            f"moved from the grant {standing.name}",
        )  # fmt: skip
    if rotate and isinstance(after, Role):
        return Change(
            address, Action.REPLACE, after.grant, before, after, names,
            reason="it is rotated: made anew under its name, so that all its sessions end",
        )  # fmt: skip
    beside = _beside(before)
    if isinstance(before, CallerPolicy) and before.name:
        takes = f"the grant takes over the inline policy {before.name}, under the name that marks it"
        reason = f"{takes}; {beside}" if beside else takes
        return Change(address, Action.ADOPT, after.grant, before, after, names, reason=reason)
    if not names:
        return None
    if isinstance(after, Role) and set(names) & set(_IMMUTABLE):
        return Change(
            address, Action.REPLACE, after.grant, before, after, names,
            reason="a role cannot be moved to another path: it is deleted, then made anew",
        )  # fmt: skip
    reasons = [why(dead)] if isinstance(before, Role) and (dead := gone(before)) else []
    reasons += [beside] if beside else []
    if isinstance(after, Role) and before.grant in after.moved_from:
        reasons.append(f"moved from the grant {before.grant}")
    return Change(address, Action.UPDATE, after.grant, before, after, names, reason="; ".join(reasons))


def _beside(before: Resource) -> str:
    """Say which policies made by hand go because the stack's own says all that they say."""
    names = before.beside if isinstance(before, CallerPolicy) else ()
    return f"made by hand and saying no more, {', '.join(names)} goes with it" if names else ""


def _with_carriers_replaced(changes: list[Change], wanted: State, owned: State) -> Iterable[Change]:
    """Turn into replacements the caller policies on roles that are made anew: they go with the old one."""
    gone = [c for c in changes if c.action is Action.REPLACE and c.removed_address().slot() == c.address.slot()]
    slots = {change.address.slot() for change in gone}
    result = {change.address: change for change in changes}
    for address, after in wanted.items() if slots else ():
        before = owned.get(address)
        if before is None or isinstance(before, Role) or not carrier_slots(address, before) & slots:
            continue
        change = result.get(address)
        if change is None or change.action in (Action.UPDATE, Action.ADOPT):
            result[address] = Change(
                address, Action.REPLACE, after.grant, before, after,
                differing(before, after), reason="the role that carries it is replaced",
            )  # fmt: skip
    return result.values()
