"""Whom of a grant a caller is."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum

from reconciler.audit.who import Who, WhoKind
from reconciler.model import Account, AccountUse, Grant, Principal, PrincipalKind
from reconciler.policy.arn import covers

_BY_KIND = {PrincipalKind.USER: WhoKind.USER, PrincipalKind.ROLE: WhoKind.ROLE}


class Standing(StrEnum):
    """Whether the grant names a caller: it does, it may, it does not. Of one whom it MAY, not enough is known."""

    NAMED = "named"
    MAY = "may be named"
    NOT = "not named"


@dataclass(frozen=True, slots=True)
class Named:
    """How a caller stands to a grant: the principals that stand for it, and `why` where it is not named for certain."""

    standing: Standing
    principals: tuple[Principal, ...] = ()
    why: str = ""


def named(who: Who, grant: Grant, accounts: Mapping[str, Account], uses: Mapping[str, AccountUse]) -> Named:
    """Return how a caller stands to a grant; `uses` are what was read of the accounts, by the manifest's names."""
    if grant.web_identity is not None:
        return _by_token(who, grant)
    theirs = [p for p in grant.principals if accounts[p.account].id == who.account]
    if who.kind is WhoKind.HIDDEN:
        return _hidden(theirs, uses)
    certain = tuple(p for p in theirs if _is(who, p))
    if who.kind is WhoKind.USER:
        in_groups, unknown = _groups(who, theirs, uses)
        certain += in_groups
        if not certain and unknown:
            return Named(Standing.MAY, unknown, "who is in its groups was not read")
    if certain:
        return Named(Standing.NAMED, certain)
    return Named(Standing.NOT, (), _why_not(who, theirs))


def _by_token(who: Who, grant: Grant) -> Named:
    identity = grant.web_identity
    assert identity is not None  # who calls has looked
    if who.kind is not WhoKind.WEB_IDENTITY or who.provider != identity.provider:
        return Named(Standing.NOT, (), "the grant is for who has a token of its provider")
    if not any(covers(pattern, who.name) for pattern in identity.subjects):
        return Named(Standing.NOT, (), "the subject is none of the grant's")
    if who.audience and who.audience not in identity.audiences:
        return Named(Standing.NOT, (), "the audience is none of the grant's")
    return Named(Standing.NAMED)


def _is(who: Who, principal: Principal) -> bool:
    if principal.kind is PrincipalKind.ACCOUNT:
        return who.kind in (WhoKind.USER, WhoKind.ROLE, WhoKind.ROOT, WhoKind.FEDERATED)
    if principal.kind is PrincipalKind.PERMISSION_SET:
        return who.permission_set() == principal.name
    # IAM has no two of one name, whatever their case and path.
    return _BY_KIND.get(principal.kind) is who.kind and principal.name.casefold() == who.name.casefold()


def _groups(
    who: Who, theirs: list[Principal], uses: Mapping[str, AccountUse]
) -> tuple[tuple[Principal, ...], tuple[Principal, ...]]:
    """Return the groups that a user is in now, and those of which nobody knows it."""
    groups = [p for p in theirs if p.kind is PrincipalKind.GROUP]
    known = [p for p in groups if uses[p.account].read]
    inside = tuple(
        p for p in known if p.name.casefold() in uses[p.account].groups.get(who.name.casefold(), frozenset())
    )
    return inside, tuple(p for p in groups if p not in known)


def _hidden(theirs: list[Principal], uses: Mapping[str, AccountUse]) -> Named:
    """Return how somebody stands of whom only account and id are known, and who is nobody that exists now."""
    if not theirs:
        return Named(Standing.NOT, (), "the grant names nobody of that account")
    whole = tuple(p for p in theirs if p.kind is PrincipalKind.ACCOUNT)
    if whole:
        return Named(Standing.NAMED, whole)
    if all(uses[p.account].read for p in theirs):
        return Named(Standing.NOT, (), "no user or role of that account has that id now")
    return Named(Standing.MAY, tuple(theirs), "only the id is known")


def _why_not(who: Who, theirs: list[Principal]) -> str:
    if not theirs:
        return "the grant names nobody of that account" if who.account else "the grant names no such caller"
    if who.kind is WhoKind.USER and any(p.kind is PrincipalKind.GROUP for p in theirs):
        return "the grant does not name that user, who is in none of its groups now"
    return f"the grant does not name that {who.kind}"
