"""When grants end: at their own moment, or with the grants whose roles are their only callers.

A role that is gone calls nobody, and AWS refuses a trust policy that names it (facts sheet 4.3).
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import replace

from reconciler.model import Account, Grant, Principal, PrincipalKind

_Slot = tuple[str, str]
"""A role, by its account and case-folded name."""


def with_ends(grants: Iterable[Grant], accounts: Mapping[str, Account]) -> tuple[Grant, ...]:
    """Return the grants, with the moment of its callers on each one that ends with them, and not by itself before."""
    grants = tuple(grants)
    found = {grant.name: grant.expires for grant in grants if grant.expires is not None}
    makers = _makers(grants, accounts) if found else {}
    changing = bool(found)
    while changing:
        # Each round hands the ends one grant on; they only become earlier, and are among those that are stated.
        changing = False
        for grant in grants:
            moments = [found.get(makers.get(_slot(caller), "")) for caller in grant.principals]
            known = [moment for moment in moments if moment is not None]
            if not known or len(known) < len(moments):
                continue
            own = found.get(grant.name)
            end = max(known) if own is None else min(own, max(known))
            changing = changing or end != own
            found[grant.name] = end
    return tuple(replace(grant, expires=found.get(grant.name)) for grant in grants)


def standing(grants: Iterable[Grant], accounts: Mapping[str, Account], now: int) -> list[Grant]:
    """Return the grants that have not ended, without callers that are roles of those that have.

    `grants` are all of a manifest, as `with_ends` returns them: so somebody is left of the callers of each.
    """
    grants = tuple(grants)
    gone = _makers((grant for grant in grants if grant.expired(now)), accounts)
    lasting = [grant for grant in grants if not grant.expired(now)]
    return [_without(grant, gone) for grant in lasting] if gone else lasting


def _makers(grants: Iterable[Grant], accounts: Mapping[str, Account]) -> dict[_Slot, str]:
    """Return the name of the grant that makes each role; in an account that is not managed its owner does."""
    return {
        (grant.target, grant.role_name.casefold()): grant.name for grant in grants if accounts[grant.target].managed
    }


def _slot(caller: Principal) -> _Slot:
    return (caller.account, caller.name.casefold() if caller.kind is PrincipalKind.ROLE else "")


def _without(grant: Grant, gone: Mapping[_Slot, str]) -> Grant:
    left = tuple(caller for caller in grant.principals if _slot(caller) not in gone)
    return grant if len(left) == len(grant.principals) else replace(grant, principals=left)
