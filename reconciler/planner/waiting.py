"""Which roles wait while accounts cannot be read, with what holds their permissions: rules 1 and 2 of `settle.py`."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field

from reconciler.model import Action, Address, Change, Kind, ManagedPolicy, Role
from reconciler.ownership import RESERVED_TAG_PREFIX
from reconciler.planner.order import passes_on
from reconciler.policy.arn import account_of

_GIVEN = frozenset(
    {"path", "trust_policy", "permissions_boundary", "inline_policies", "managed_policies", "max_session_duration"}
)
"""The attributes of a role that are something to its callers; tags of the user's own are, too."""

Names = dict[Address, frozenset[str]]
"""By address the accounts that a change waits for."""


def waiting_roles(changes: Iterable[Change], lines: Iterable[Line], unread: Mapping[str, str]) -> Names:
    """Return which roles, and managed policies of their permissions, wait for which accounts.

    `lines` are those of the changes, `unread` the names of the accounts that could not be read, by their ids.
    """
    listed, several = list(changes), list(lines)
    return _spread(_by_themselves(listed, several, unread), _together(listed, several))


@dataclass(slots=True)
class Line:
    """The changes of one grant's role in one account: those of where it stands, and of where it is to stand."""

    old: list[Change] = field(default_factory=list)
    new: list[Change] = field(default_factory=list)

    def changes(self) -> Iterator[Change]:
        """Yield each change once."""
        yield from {change.address: change for change in (*self.old, *self.new)}.values()

    def moves(self) -> Iterator[tuple[Change, Role, Change, Role]]:
        """Yield where the role takes another's place: the change and the role of before, and those of after."""
        for old in self.old:
            for new in self.new:
                before, after = old.before, new.after
                assert isinstance(before, Role)  # see `lines_of`
                assert isinstance(after, Role)
                if before.arn != after.arn or new.action is Action.REPLACE:
                    yield old, before, new, after


def lines_of(changes: Iterable[Change]) -> list[Line]:
    """Return the changes of roles by grant and account; under its earlier names, too, a grant is one."""
    roles = [change for change in changes if change.address.kind is Kind.ROLE]
    names = {
        (change.address.account, earlier): change.after.grant
        for change in roles
        if isinstance(change.after, Role)
        for earlier in change.after.moved_from
    }
    found: dict[tuple[str, str], Line] = defaultdict(Line)
    for change in roles:
        account = change.address.account
        if isinstance(change.before, Role) and change.action is not Action.ADOPT:
            grant = change.before.grant
            found[account, names.get((account, grant), grant)].old.append(change)
        if isinstance(change.after, Role):
            found[account, change.after.grant].new.append(change)
    return list(found.values())


def _by_themselves(changes: Iterable[Change], lines: Iterable[Line], unread: Mapping[str, str]) -> Names:
    """Return the roles that wait by the first rule, and for which accounts."""
    found: Names = defaultdict(frozenset)
    for change in changes:
        if names := frozenset(name for account, name in unread.items() if _lets_others_in(change, account)):
            found[change.address] |= names
    for line in lines:
        moves = [(before, after) for _, before, _, after in line.moves()]
        names = frozenset(
            name
            for account, name in unread.items()
            if any(_trusted(before, account) and _trusted(after, account) for before, after in moves)
        )
        for change in line.changes() if names else ():
            found[change.address] |= names
    return found


def _lets_others_in(change: Change, account: str) -> bool:
    """Return whether callers of an account that are not named could come into what is not what they had."""
    if not isinstance(change.after, Role):
        return False
    others = any(":user/" not in name and ":role/" not in name for name in _trusted(change.after, account))
    return others and (_comes(change) or _gives_something_else(change))


def _trusted(role: Role, account: str) -> frozenset[str]:
    """Return whom of an account a role trusts, as its trust policy names them."""
    names = role.trust_policy.aws_principals()
    return frozenset(name for name in names if name == "*" or account in (name, account_of(name)))


def _comes(change: Change) -> bool:
    """Return whether a role is made, or becomes another grant's."""
    return change.before is None or change.action is Action.REPLACE or passes_on(change)


def _gives_something_else(change: Change) -> bool:
    before, after = (_own_tags(role) if isinstance(role, Role) else {} for role in (change.before, change.after))
    return bool(_GIVEN & {*change.attributes}) or before != after


def _own_tags(role: Role) -> dict[str, str]:
    return {key: value for key, value in role.tags.items() if not key.lower().startswith(RESERVED_TAG_PREFIX)}


def _together(changes: Iterable[Change], lines: Iterable[Line]) -> Mapping[Address, set[Address]]:
    """Return by address which changes wait if that one does: the second rule."""
    found: dict[Address, set[Address]] = defaultdict(set)
    places: dict[str, set[str]] = defaultdict(set)
    for line in lines:
        several = {change.address for change in line.changes()}
        for address in several:
            found[address] |= several
        for _, before, _, after in line.moves():
            places[after.arn].add(before.arn)
    listed = list(changes)
    coming = {change.after.arn: change for change in listed if isinstance(change.after, Role) and _comes(change)}
    parts = {c.after.arn: c.address for c in listed if isinstance(c.after, ManagedPolicy) and c.after.grant}
    parts |= {c.before.arn: c.address for c in listed if isinstance(c.before, ManagedPolicy) and c.before.grant}
    for change in listed:
        sides = [side for side in (change.before, change.after) if isinstance(side, Role)]
        found[change.address] |= {parts[arn] for role in sides for arn in role.managed_policies if arn in parts}
        for arn in change.after.trust_policy.aws_principals() if isinstance(change.after, Role) else ():
            if (other := coming.get(arn)) is None:
                continue
            found[other.address].add(change.address)
            trusted = change.before.trust_policy.aws_principals() if isinstance(change.before, Role) else ()
            # Of one that is made anew under its name the trust policy shows what AWS keeps, its id.
            if any(earlier == arn or earlier in trusted for earlier in places[arn]):
                found[change.address].add(other.address)
    return found


def _spread(first: Names, together: Mapping[Address, set[Address]]) -> Names:
    """Return what waits since something waits, until nothing more does."""
    found, to_do = dict(first), list(first)
    while to_do:
        address = to_do.pop()
        for other in together[address]:
            names = found.get(other, frozenset()) | found[address]
            if names != found.get(other):
                found[other] = names
                to_do.append(other)
    return found
