"""Which changes bring the live state to the desired one.

desired  live, ours  live, not ours   change
-------  ----------  --------------   ------
yes      no          no               create
yes      yes, equal  -                none
yes      yes         -                update; replace where the name or the path differs
yes      no          yes              none: a finding says so (rules/role_not_owned.py);
                                      adopt where the grant says so and the role is no stack's
yes      by hand     -                adopt, of a caller policy: it gets the name that marks it
yes      yes         by hand too      update, of a caller policy: what says the same goes
no       yes         -                delete
no       no          yes              none, and it is never named

A grant that says `moved` continues what is marked with its earlier names.
"""

from __future__ import annotations

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
)
from reconciler.ownership import STACK_TAG, owns
from reconciler.planner.order import carrier_slots, doors, passes_on
from reconciler.planner.pack import opening
from reconciler.planner.pair import pair
from reconciler.principals import gone, why

# No API renames or moves a role (facts sheet 3.3).
_IMMUTABLE = ("path",)


def compare(desired: State, live: Live, *, stack: str) -> tuple[Change, ...]:
    """Return the changes in order of grant, then of address."""
    wanted = {address: resource for address, resource in desired.items() if live.facts[address.account].account.managed}
    owned = {address: resource for address, resource in live.state.items() if owns(stack, resource)}
    foreign = {address.slot() for address in live.state if address not in owned}

    changes: list[Change] = []
    adopted = [_adopted(address, after, live.state) for address, after in wanted.items() if address.slot() in foreign]
    changes += filter(None, adopted)
    taken_over = {change.address for change in changes}
    moved = {role.grant: role.moved_from for role in desired.values() if isinstance(role, Role)}
    paired = pair({a: resource for a, resource in wanted.items() if a not in taken_over}, owned, moved)
    complete = not any(facts.error for facts in live.facts.values())
    for address, after in wanted.items():
        if address.slot() in foreign:
            continue
        standing = paired.get(address)
        change = _change(address, standing, owned[standing] if standing else None, after, complete=complete)
        if change is not None:
            changes.append(change)
    taken = set(paired.values())
    for address, before in owned.items():
        if address not in taken:
            changes.append(Change(address, Action.DELETE, before.grant, before, None))
    ordered = sorted(changes, key=_by_grant)
    changed = [change for change in changes if isinstance(change.before, Role)]
    return _with_doors_shut([_in_two_steps(change, changed) for change in ordered], wanted, owned)


def adoptable(standing: Resource, after: Resource) -> bool:
    """Return whether a role of no stack can be taken over as it stands; a role cannot be moved to another path."""
    if not isinstance(after, Role) or not isinstance(standing, Role) or not after.adopt:
        return False
    return STACK_TAG not in standing.tags and not set(_differing(standing, after)) & set(_IMMUTABLE)


def _adopted(address: Address, after: Resource, live: State) -> Change | None:
    before = live.get(address)
    if before is None or not adoptable(before, after):
        return None
    return Change(
        address, Action.ADOPT, after.grant, before, after, _differing(before, after),
        reason="the grant takes over this role, which no stack owns",
    )  # fmt: skip


def _change(
    address: Address, standing: Address | None, before: Resource | None, after: Resource, *, complete: bool
) -> Change | None:
    if standing is None or before is None:
        return Change(address, Action.CREATE, after.grant, None, after)
    differing = _differing(before, after)
    if standing != address and address.kind is Kind.ROLE:
        return Change(
            address, Action.REPLACE, after.grant, before, after, ("name", *differing), standing,
            "a role cannot be given another name: the new one is made, then the old one is deleted",
        )  # fmt: skip
    if isinstance(after, CallerPolicy) and standing.name != address.name:
        return Change(
            address, Action.REPLACE, after.grant, before, after, ("name", *differing), standing,
            f"moved from the grant {standing.name}",
        )  # fmt: skip
    beside = _beside(before)
    if isinstance(before, CallerPolicy) and before.name:
        takes = f"the grant takes over the inline policy {before.name}, under the name that marks it"
        reason = f"{takes}; {beside}" if beside else takes
        return Change(address, Action.ADOPT, after.grant, before, after, differing, reason=reason)
    if not differing:
        return None
    if isinstance(after, Role) and set(differing) & set(_IMMUTABLE):
        return Change(
            address, Action.REPLACE, after.grant, before, after, differing,
            reason="a role cannot be moved to another path: it is deleted, then made anew",
        )  # fmt: skip
    reasons = [why(dead, complete=complete)] if isinstance(before, Role) and (dead := gone(before)) else []
    reasons += [beside] if beside else []
    if isinstance(after, Role) and before.grant in after.moved_from:
        reasons.append(f"moved from the grant {before.grant}")
    return Change(address, Action.UPDATE, after.grant, before, after, differing, reason="; ".join(reasons))


def _beside(before: Resource) -> str:
    """Say which policies made by hand go because the stack's own says the same."""
    names = before.beside if isinstance(before, CallerPolicy) else ()
    return f"made by hand and saying the same, {', '.join(names)} goes with it" if names else ""


def _differing(before: Resource, after: Resource) -> tuple[str, ...]:
    old, new = before.attributes(), after.attributes()
    return tuple(name for name in {**new, **old} if old.get(name) != new.get(name))


def _with_doors_shut(changes: list[Change], wanted: State, owned: State) -> tuple[Change, ...]:
    """Turn into replacements the caller policies that cannot stay while their role is replaced or passed on.

    Where a role of the same name is replaced, those that open it go first and come back last, so that at no moment
    does anybody hold the door to a role that is not there; those that it carries itself are deleted with it. Where a
    role passes to another grant, those that open it go before it has the other grant's permissions.
    """
    gone = [c for c in changes if c.action is Action.REPLACE and c.removed_address().slot() == c.address.slot()]
    slots = {change.address.slot() for change in gone}
    shut = [change.before for change in [*gone, *filter(passes_on, changes)] if isinstance(change.before, Role)]
    keys = {role.grant for role in shut} | {role.arn for role in shut}
    result = {change.address: change for change in changes}
    for address, after in wanted.items():
        before = owned.get(address)
        if before is None or isinstance(before, Role) or not keys:
            continue
        change = result.get(address)
        if carrier_slots(address, before) & slots and (
            change is None or change.action in (Action.UPDATE, Action.ADOPT)
        ):
            result[address] = Change(
                address, Action.REPLACE, after.grant, before, after,
                _differing(before, after), reason="the role that carries it is replaced",
            )  # fmt: skip
        elif (
            change is not None
            and isinstance(before, CallerPolicy)
            and change.action is Action.UPDATE
            and keys & {before.grant, *before.document.resources()}
        ):
            assert isinstance(after, CallerPolicy)  # as before is
            stays = {*before.document.resources()} & {*after.document.resources()} - {role.arn for role in shut}
            result[address] = (
                # It opens roles in other accounts, too.
                replace(change, interim=replace(after, document=opening(stays)))
                if stays
                else replace(change, action=Action.REPLACE, reason="it goes while the role that it opens changes")
            )
    return tuple(sorted(result.values(), key=_by_grant))


def _in_two_steps(change: Change, roles: list[Change]) -> Change:
    """Let a caller policy close the roles that it leaves before it opens others.

    The change of such a role stands between the two: it goes, or must not be made larger while those hold its door who
    are its callers no more. And what cannot be opened keeps nothing open that has to be closed. The inline policy of a
    grant whose one role is replaced by another leaves it only when it has the new one.
    """
    before, after = change.before, change.after
    if change.action is not Action.UPDATE or isinstance(before, Role) or before is None or after is None:
        return change
    if change.interim is not None:
        return change
    standing = {role.before.arn for role in roles if isinstance(role.before, Role)}
    old, new = doors(before, standing), doors(after, standing)
    lost = {arn for _, arn in old - new}
    between = any(
        isinstance(role.before, Role) and role.before.arn in lost
        for role in roles
        if isinstance(after, ManagedPolicy)
        or role.action in (Action.UPDATE, Action.ADOPT)
        or (role.action is Action.DELETE and old & new)
    )
    if not between or new <= old:
        return change
    if not old & new:
        return replace(change, action=Action.REPLACE, reason="nothing of what it opens stays")
    stays, holders = {arn for _, arn in old & new}, frozenset(holder for holder, _ in old & new)
    if isinstance(after, CallerPolicy):
        return replace(change, interim=replace(after, document=opening(stays)))
    assert isinstance(after, ManagedPolicy)  # no role, and no other kind is left
    return replace(change, interim=replace(after, document=opening(stays), attached_to=holders))


def _by_grant(change: Change) -> tuple[str, str]:
    return (change.grant, str(change.address))
