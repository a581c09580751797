"""What a change in one account means for those in others: from the changes of each account to those of a plan.

Works on changes alone, so that plans which were made apart, each of a part of the accounts, can be joined.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import replace

from reconciler.caller_policies import opening
from reconciler.model import Action, CallerPolicy, Change, ManagedPolicy, Role
from reconciler.planner.circles import without_circles
from reconciler.planner.order import doors, passes_on
from reconciler.policy.document import PolicyDocument
from reconciler.policy.sessions import further_resources


def across(changes: Iterable[Change]) -> tuple[Change, ...]:
    """Return the changes as they can be made together, in order of grant, then of address."""
    ordered = in_order(changes)
    standing: dict[str, list[Change]] = {}
    for change in ordered:
        if isinstance(change.before, Role):
            standing.setdefault(change.before.arn, []).append(change)
    stepped = [_in_two_steps(change, standing) for change in ordered]
    return without_circles(tuple(_with_doors_shut(stepped)))


def in_order(changes: Iterable[Change]) -> tuple[Change, ...]:
    """Return changes in order of grant, then of address."""
    return tuple(sorted(changes, key=lambda change: (change.grant, str(change.address))))


def _with_doors_shut(changes: Iterable[Change]) -> Iterator[Change]:
    """Take from caller policies, while it lasts, the roles that are replaced or pass to another grant.

    Where a role of the same name is replaced, those that open it go first and come back last, so that at no moment
    does anybody hold the door to a role that is not there. Where a role passes to another grant, those that open it go
    before it has the other grant's permissions.
    """
    listed = list(changes)
    gone = [c for c in listed if c.action is Action.REPLACE and c.removed_address().slot() == c.address.slot()]
    shut = [change.before for change in [*gone, *filter(passes_on, listed)] if isinstance(change.before, Role)]
    keys = {role.grant for role in shut} | {role.arn for role in shut}
    for change in listed:
        before, after = change.before, change.after
        if (
            not isinstance(before, CallerPolicy)
            or not isinstance(after, CallerPolicy)
            or change.action is not Action.UPDATE
            or not keys & {before.grant, *before.document.resources()}
        ):
            yield change
            continue
        stays = {*before.document.resources()} & {*after.document.resources()} - {role.arn for role in shut}
        if stays:
            # It opens roles in other accounts, too.
            yield replace(change, interim=replace(after, document=_opening(stays, after)))
        else:
            yield replace(change, action=Action.REPLACE, reason="it goes while the role that it opens changes")


def _in_two_steps(change: Change, roles: Mapping[str, list[Change]]) -> Change:
    """Let a caller policy close the roles that it leaves before it opens others. `roles` are by the ARN that they have.

    The change of such a role stands between the two: it goes, or must not be made larger while those hold its door who
    are its callers no more. And what cannot be opened keeps nothing open that has to be closed. The inline policy of a
    grant whose one role is replaced by another leaves it only when it has the new one.
    """
    before, after = change.before, change.after
    if change.action is not Action.UPDATE or isinstance(before, Role) or before is None or after is None:
        return change
    old, new = doors(before, roles.keys()), doors(after, roles.keys())
    lost = {arn for _, arn in old - new}
    between = any(
        isinstance(after, ManagedPolicy)
        or role.action in (Action.UPDATE, Action.ADOPT)
        or (role.action is Action.DELETE and old & new)
        for arn in lost
        for role in roles.get(arn, ())
    )
    if not between or new <= old:
        return change
    if not old & new:
        return replace(change, action=Action.REPLACE, reason="nothing of what it opens stays")
    stays, holders = {arn for _, arn in old & new}, frozenset(holder for holder, _ in old & new)
    if isinstance(after, CallerPolicy):
        return replace(change, interim=replace(after, document=_opening(stays, after)))
    assert isinstance(after, ManagedPolicy)  # no role, and no other kind is left
    return replace(change, interim=replace(after, document=_opening(stays, after), attached_to=holders))


def _opening(arns: Iterable[str], of: CallerPolicy | ManagedPolicy) -> PolicyDocument:
    """Return the policy that opens these roles as `of` does."""
    return opening(arns, further_resources(of.document))
