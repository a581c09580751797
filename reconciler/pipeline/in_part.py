"""What is left of a reviewed plan when accounts can be read no more that could be read when it was reviewed.

What waits then, the plan says that is made now (`planner/settle.py`). Here that is only held against the review:
something may be left out, but nothing is done that nobody has reviewed.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from reconciler.caller_policies import openings
from reconciler.model import Address, Change, ManagedPolicy, Plan, Resource, Role
from reconciler.planner import carrier_slots
from reconciler.policy.arn import account_of

_Entry = Mapping[str, Any]


def in_part(
    changes: Iterable[Change], entries: Iterable[_Entry], current: Plan, current_entries: Iterable[_Entry]
) -> list[_Entry]:
    """Return what of the entries of a reviewed plan is left to be done.

    A caller policy that does a part of what was reviewed stands as it is planned now. `changes` are those of `entries`,
    `current` is the plan made now.
    """
    listed, now = list(changes), {change.address: change for change in current.changes}
    shown = {entry["address"]: entry for entry in current_entries}
    late = _late(listed, current)
    left: list[_Entry] = []
    for change, entry in zip(listed, entries, strict=True):
        planned = shown.get(entry["address"])
        if planned is None:
            stands = current.whole.live.get(change.address)
            if not late.leaves_out(change) and not late.leaves(change, stands):
                left.append(entry)
        elif _same_before(entry, planned) and late.allows(change, now[change.address].after):
            left.append(planned)
        else:
            left.append(entry)
    return left


def _same_before(entry: _Entry, planned: _Entry) -> bool:
    return all(entry["change"][key] == planned["change"][key] for key in ("before_fingerprint", "replaces"))


@dataclass(frozen=True, slots=True)
class _Late:
    """What waits: addresses; the ids of accounts; the slots of roles, and the ARNs that they are to have."""

    addresses: frozenset[Address]
    names: frozenset[str]
    accounts: frozenset[str]
    slots: frozenset[tuple[str, ...]]
    arns: frozenset[str]

    def leaves_out(self, change: Change) -> bool:
        """Return whether nothing of a change can be done now."""
        return change.address.account in self.names or change.address in self.addresses

    def leaves(self, change: Change, stands: Resource | None) -> bool:
        """Return whether a caller policy stands already as far as it can be now, and the rest of its change waits."""
        doors = {*openings(change.address, stands)}
        return not {*openings(change.address, change.after)} <= doors and self.allows(change, stands)

    def allows(self, change: Change, after: Resource | None) -> bool:
        """Return whether a caller policy does a part of its change by what it is to be, and the rest of it waits."""
        policy = change.after or change.before
        if isinstance(policy, Role) or (isinstance(policy, ManagedPolicy) and policy.grant):
            return False
        old = {*openings(change.removed_address(), change.before)}
        new = {*openings(change.address, change.after)}
        doors = {*openings(change.address, after)}
        carriers = carrier_slots(change.address, change.before) | carrier_slots(change.address, change.after)
        rest = bool(carriers & self.slots) or all(self._waits(arn) for _, _, arn in new - doors)
        return old & new <= doors <= old | new and rest

    def _waits(self, arn: str) -> bool:
        return account_of(arn) in self.accounts or arn in self.arns


def _late(changes: Iterable[Change], current: Plan) -> _Late:
    roles = [c for c in changes if c.address in current.waiting and isinstance(c.after or c.before, Role)]
    return _Late(
        addresses=frozenset(current.waiting),
        names=frozenset(current.unread()),
        accounts=frozenset(current.live.facts[name].account.id for name in current.unread()),
        slots=frozenset(place.slot() for change in roles for place in (change.address, change.removed_address())),
        arns=frozenset(change.after.arn for change in roles if isinstance(change.after, Role)),
    )
