"""Which owned resource each desired one continues."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import replace

from reconciler.model import Address, Kind, State

Moved = Mapping[str, tuple[str, ...]]
"""By the name of a grant the names that it had before, the oldest first."""


def pair(wanted: State, owned: State, moved: Moved) -> dict[Address, Address]:
    """Find for each desired address the owned one that it continues.

    It is the same address; or the one that differs only in the case of its name; or, for a role, the one that the
    grant has in that account and that nothing else continues: then the grant's role was given a new name. Under the
    earlier names of its grant too, if it was `moved`; so it is with caller policies.
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
        if address in paired:
            continue
        for earlier in _earlier(address, wanted[address].grant, by_grant, moved):
            if earlier in owned and earlier not in taken:
                paired[address] = earlier
                taken.add(earlier)
                break
    return paired


def _earlier(
    address: Address, grant: str, by_grant: Mapping[tuple[str, str], Address], moved: Moved
) -> Iterator[Address]:
    """Yield where the resource may stand by another name, the newest name of its grant first."""
    before = tuple(reversed(moved.get(grant, ())))
    if address.kind is Kind.ROLE:
        for name in (grant, *before):
            if (standing := by_grant.get((address.account, name))) is not None:
                yield standing
    elif address.kind is Kind.CALLER_POLICY:
        for name in before:
            yield replace(address, name=name)
