"""Who gets what by a plan, and who loses it: lines that answer what a reviewer asks first."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass

from reconciler.model import Action, Change, Kind, ManagedPolicy, Plan, Role
from reconciler.render.demanded import changed_demands, demanded
from reconciler.render.escape import escape
from reconciler.render.fold import folded_texts
from reconciler.render.marks import GAIN, LOSS, OTHER, Said
from reconciler.render.permitted import NOTHING, document_permitted, permitted
from reconciler.render.principals import Door, doors, trusted
from reconciler.wording import few


@dataclass(frozen=True, slots=True)
class _Known:
    """What is known of a plan: names of accounts by their ids, and the other way round; and who passes which door.

    `opened` and `closed` are by the caller policies that change.
    """

    names: Mapping[str, str]
    ids: Mapping[str, str]
    opened: Mapping[Door, list[str]]
    closed: Mapping[Door, list[str]]


def access_lines(plan: Plan) -> Iterator[tuple[str, list[Said]]]:
    """Yield each grant by which something is opened or closed, with a mark and a line for all of that, escaped.

    The grant is empty for policies of several. What is the same in several accounts is one line; external ids are not
    said.
    """
    known = _known(plan)
    by_grant: dict[str, list[Change]] = {}
    for change in plan.changes:
        by_grant.setdefault(change.grant, []).append(change)
    for grant, changes in by_grant.items():
        told = [(change.address.account, said) for change in changes for said in _of_change(change, known)]
        said = {(account, words) for account, (_, words) in told}
        lines = [
            (mark, escape(f"{words} in {_where(accounts)}"))
            for (mark, words), accounts in folded_texts(told, plan.account_ids())
        ]
        lines += _through_doors(changes, known, said)
        if lines:
            yield grant, lines


def _known(plan: Plan) -> _Known:
    # As a plan file has it: what another shard plans is not in one.
    names = {facts.account.id: name for name, facts in plan.live.facts.items() if not facts.elsewhere}
    opened: dict[Door, list[str]] = {}
    closed: dict[Door, list[str]] = {}
    for change in plan.changes:
        before, after = _doors(change)
        for side, entries in ((opened, after - before), (closed, before - after)):
            for holder, door in sorted(entries):
                side.setdefault(door, []).append(holder)
    return _Known(names, {name: account_id for account_id, name in names.items()}, opened, closed)


def _doors(change: Change) -> tuple[set[tuple[str, Door]], set[tuple[str, Door]]]:
    before = {*doors(change.removed_address(), change.before)}
    return before, {*doors(change.address, change.after)}


def _where(accounts: Sequence[str]) -> str:
    return accounts[0] if len(accounts) == 1 else f"{len(accounts)} accounts ({few(accounts)})"


def _of_change(change: Change, known: _Known) -> Iterator[Said]:
    """Yield what is said of a role, or of the part of its permissions that a managed policy holds."""
    match change.before, change.after:
        case None, Role() as after:
            yield from _made(change, after, known)
        case Role() as before, None:
            yield from _gone(change, before, known)
        case Role() as before, Role() as after:
            yield from _changed(change, before, after, known)
        case _:
            yield from _part_changed(change)


def _made(change: Change, after: Role, known: _Known) -> Iterator[Said]:
    role = change.address.name
    callers = _callers(after, known.names, known.opened.get((known.ids[change.address.account], role), ()))
    found = [(mark, f"{callers} {words}, as role {role}") for mark, words in permitted(None, after)]
    yield from found or [(GAIN, f"{callers} may assume role {role}, which may nothing")]
    if words := demanded(after):
        yield OTHER, f"{callers} may assume it only {', '.join(words)}: role {role}"


def _gone(change: Change, before: Role, known: _Known) -> Iterator[Said]:
    role = change.address.name
    callers = _callers(before, known.names, known.closed.get((known.ids[change.address.account], role), ()))
    # What was denied to a role that goes is nobody's gain.
    found = [(mark, f"{callers} {words}, as role {role}") for mark, words in permitted(before, None) if mark == LOSS]
    yield from found or [(LOSS, f"{callers} may no longer assume role {role}")]


def _changed(change: Change, before: Role, after: Role, known: _Known) -> Iterator[Said]:
    role = change.address.name
    if change.action is Action.REPLACE:
        yield OTHER, f"the sessions of all callers end, since it is made anew: role {role}"
    if change.action is Action.ADOPT:
        yield OTHER, f"what was made by hand is taken over: role {role}"
    old, new = (trusted(one.trust_policy, known.names) for one in (before, after))
    gone, come = ([*callers, *map(_chosen_by, accounts)] for callers, accounts in (old, new))
    yield from ((GAIN, f"{who} may assume role {role}") for who in come if who not in gone)
    yield from ((LOSS, f"{who} may no longer assume role {role}") for who in gone if who not in come)
    callers = _callers(after, known.names, ())
    demands = [*changed_demands(before, after)]
    yield from ((mark, f"{callers} may assume it {words}: role {role}") for mark, words in demands)
    if gone == come and before.trust_policy != after.trust_policy and not demands:
        yield OTHER, f"{callers} may assume it otherwise than before, by conditions: role {role}"
    yield from ((mark, f"{callers} {words}, as role {role}") for mark, words in permitted(before, after))


def _part_changed(change: Change) -> Iterator[Said]:
    """Yield what a managed policy opens and closes that holds a part of the permissions of one role."""
    before, after = (one if isinstance(one, ManagedPolicy) else None for one in (change.before, change.after))
    part = after or before
    if part is None or not part.grant:
        return
    holders = few([holder.replace("/", " ", 1) for holder in sorted(part.attached_to)])
    old, new = (one.document if one is not None else NOTHING for one in (before, after))
    for mark, words in document_permitted(old, new):
        yield mark, f"all callers {words}, as {holders}"


def _callers(role: Role, names: Mapping[str, str], through: Iterable[str]) -> str:
    """Return who may assume a role: whom its trust policy names, and those of the accounts that caller policies let.

    `through` are those that the caller policies of the plan let in, or no longer.
    """
    named, accounts = trusted(role.trust_policy, names)
    found = [*named, *(who for who in sorted(set(through)) if who not in named)]
    found += [_chosen_by(account) for account in accounts if not any(who.startswith(f"{account} ") for who in through)]
    return few(found) or "nobody"


def _chosen_by(account: str) -> str:
    return f"whoever {account} lets in"


def _through_doors(changes: Iterable[Change], known: _Known, said: set[tuple[str, str]]) -> Iterator[Said]:
    """Yield what caller policies open and close beside what is `said`, by account, of the roles themselves."""
    roles = [change for change in changes if change.address.kind is Kind.ROLE]
    made, gone = (
        {(known.ids[c.address.account], c.address.name) for c in roles if c.action is action}
        for action in (Action.CREATE, Action.DELETE)
    )
    found: dict[Said, set[str]] = {}
    for change in changes:
        before, after = _doors(change)
        for mark, may, entries in ((GAIN, "may", (after - before)), (LOSS, "may no longer", (before - after))):
            for holder, door in sorted(entries):
                account, words = known.names.get(door[0], door[0]), f"{holder} {may} assume role {door[1]}"
                if door not in (made if mark == GAIN else gone) and (account, words) not in said:
                    found.setdefault((mark, words), set()).add(account)
    for (mark, words), accounts in found.items():
        yield mark, escape(f"{words} in {_where(sorted(accounts))}")
