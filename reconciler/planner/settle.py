"""What may be done while accounts cannot be read: one rule, for every plan, however it is made.

In such an account nobody sees, writes or takes away a caller policy. So callers there must find every door that they
may hold as it was, whoever they are, and nothing may be opened that leads there:

1. A role waits if callers of such an account whom its trust policy does not name one by one could come in and find
   what is not what they had: it is made, becomes another grant's, or gives something else. It also waits if it gets
   another ARN, or is made anew, while callers there are to keep it. What only takes access away does not wait.
2. What hangs together waits together: all changes of one grant's role in one account; the managed policies that hold
   its permissions; a role that is to trust one that is to come and waits; and one that is to take another's place in a
   trust policy that waits.
3. What a waiting role carries only loses: it has all that its successor was to have too.
4. A caller policy gets no role of such an account and none that waits, unless its holder has that door already. In the
   place of one that it does not get it keeps the one that it has.

All else is done. Nobody follows chains: who comes into a role that does not change may find that it opens more.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace

from reconciler.caller_policies import Opening, opening, openings, without_roles
from reconciler.model import Action, Address, CallerPolicy, Change, Kind, ManagedPolicy, Resource, Role
from reconciler.planner.order import carrier_slots
from reconciler.planner.waiting import Line, Names, lines_of, waiting_roles
from reconciler.policy.arn import account_of
from reconciler.policy.sessions import further_resources
from reconciler.wording import few

_Slot = tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Settled:
    """`changes` as they may be made now. `waiting` are, by address, the names of the accounts that others wait for."""

    changes: tuple[Change, ...]
    waiting: Mapping[Address, str]


def settled(changes: Iterable[Change], unread: Mapping[str, str]) -> Settled:
    """Return what may be made of the changes of all accounts, as `compare` finds them, and what waits.

    `unread` are the names of the accounts that could not be read, by their ids.
    """
    listed = list(changes)
    if not unread:
        return Settled(tuple(listed), {})
    lines = lines_of(listed)
    waiting = waiting_roles(listed, lines, unread)
    known = _known(listed, lines, waiting, unread)
    left: list[Change] = []
    for change in listed:
        if change.address in waiting:
            continue
        found, stays = _caller_policy(change, known) if _is_caller_policy(change) else (change, frozenset[str]())
        if found is not None:
            left.append(found)
        elif stays:
            waiting[change.address] = stays
    return Settled(tuple(left), {address: few(sorted(names)) for address, names in waiting.items()})


@dataclass(frozen=True, slots=True)
class _Known:
    """What decides on caller policies.

    `coming` are the accounts for which roles wait, by the ARNs that these are to have. `places` are pairs of the ARNs
    of a waiting role, as it stands and as it is to be. `standing` is what anybody opens now. `carriers` are the
    accounts for which roles wait, by their slots; `wanted` what is to be opened by what these carry, and by what their
    successors do.
    """

    unread: Mapping[str, str]
    coming: Mapping[str, frozenset[str]]
    places: frozenset[tuple[str, str]]
    standing: frozenset[Opening]
    carriers: Mapping[_Slot, frozenset[str]]
    wanted: Mapping[_Slot, set[str]]


def _known(listed: list[Change], lines: list[Line], waiting: Names, unread: Mapping[str, str]) -> _Known:
    held = [change for change in listed if change.address in waiting and change.address.kind is Kind.ROLE]
    moves = [move for line in lines for move in line.moves() if move[0].address in waiting]
    wanted: dict[_Slot, set[str]] = defaultdict(set)
    for change in listed:
        for slot in carrier_slots(change.address, change.after):
            wanted[slot] |= _opened(change.after)
    later = {slot: set(arns) for slot, arns in wanted.items()}
    for old, _, new, _ in moves:
        wanted[old.removed_address().slot()] |= later.get(new.address.slot(), set())
    return _Known(
        unread=unread,
        coming={change.after.arn: waiting[change.address] for change in held if isinstance(change.after, Role)},
        places=frozenset((before.arn, after.arn) for _, before, _, after in moves),
        standing=frozenset(door for change in listed for door in openings(change.removed_address(), change.before)),
        carriers={
            slot: waiting[change.address]
            for change in held
            for slot in (change.address.slot(), change.removed_address().slot())
        },
        wanted=wanted,
    )


def _is_caller_policy(change: Change) -> bool:
    policy = change.after or change.before
    return isinstance(policy, CallerPolicy) or (isinstance(policy, ManagedPolicy) and not policy.grant)


def _opened(policy: Resource | None) -> frozenset[str]:
    return frozenset(policy.document.resources()) if isinstance(policy, CallerPolicy | ManagedPolicy) else frozenset()


def _caller_policy(change: Change, known: _Known) -> tuple[Change | None, frozenset[str]]:
    """Return what may be made of the change of a caller policy, and for which accounts it stays as it is, if it does.

    That one gets nothing new is no waiting.
    """
    slots = [
        slot
        for policy in (change.before, change.after)
        for slot in carrier_slots(change.address, policy)
        if slot in known.carriers
    ]
    carriers = frozenset[str]().union(*(known.carriers[slot] for slot in slots))
    if slots:
        if change.before is None:
            return None, carriers
        change = _left_on(change, frozenset[str]().union(*(known.wanted.get(slot, ()) for slot in slots)))
    stood, named = _opened(change.before), _opened(change.after)
    needs = {arn: _names(arn, known) for arn in named}
    closed = {arn for arn in named if needs[arn] or (slots and arn not in stood)}
    names = carriers.union(*needs.values())
    places = known.places | {
        (old, new)
        for new in closed
        if account_of(new) in known.unread
        for old in stood - named - {*change.withdrawn}
        if account_of(old) == account_of(new)
    }
    why = f"nothing is opened that needs {few(sorted(names))}, which could not be read"
    found = without_roles(change, closed, known.standing, why, places=places)
    if slots and found is not None and found.before == found.after:
        return None, carriers
    if found is None:
        return None, names if change.before is not None and (slots or stood - named) else frozenset()
    if _opened(found.after) - named:
        return replace(found, reason=f"{found.reason}; what is open in its place stays so"), frozenset()
    return found, frozenset()


def _left_on(change: Change, wanted: frozenset[str]) -> Change:
    """Return the change of what a waiting role carries: it stays where it is, for all that is wanted of it."""
    before, after, address = change.before, change.after, change.removed_address()
    assert isinstance(before, CallerPolicy | ManagedPolicy)  # asked before
    if not wanted:
        return Change(address, Action.DELETE, before.grant, before, None, reason=change.reason)
    coming = [after.document] if isinstance(after, CallerPolicy | ManagedPolicy) else []
    document = opening(wanted, further_resources(before.document, *coming))
    return Change(
        address, Action.UPDATE, before.grant, before, replace(before, document=document), ("document",),
        withdrawn=change.withdrawn,
    )  # fmt: skip


def _names(arn: str, known: _Known) -> frozenset[str]:
    """Return the accounts for which nobody gets the door of a role yet."""
    names = known.coming.get(arn, frozenset())
    return names | {known.unread[account_of(arn)]} if account_of(arn) in known.unread else names
