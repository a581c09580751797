"""Caller policies: what one says, what it opens, and how it is written without some of the roles."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import replace

from reconciler.model import Action, Address, CallerPolicy, Change, ManagedPolicy, Resource, differing
from reconciler.policy.canonical import one_or_list
from reconciler.policy.document import CURRENT_VERSION, PolicyDocument
from reconciler.policy.sessions import ASSUME, further_resources

Opening = tuple[str, str, str]
"""Account and holder, like `group/developers`, and the ARN of a role that it may assume."""


def opening(arns: Iterable[str], further: Mapping[str, Collection[str]] | None = None) -> PolicyDocument:
    """Return the policy that lets its holder assume these roles.

    `further` are by action the roles with which the holder may do that, too; see `policy.sessions`.
    """
    roles = sorted(arns)
    allowed = {ASSUME: roles}
    for action, named in sorted((further or {}).items()):
        allowed[action] = [arn for arn in roles if arn in named]
    statements = [
        {"Effect": "Allow", "Action": action, "Resource": one_or_list(named)}
        for action, named in allowed.items()
        if named
    ]
    return PolicyDocument.parse({"Version": CURRENT_VERSION, "Statement": statements})


def openings(address: Address, policy: Resource | None) -> Iterator[Opening]:
    """Yield what a caller policy at an address opens, and to whom; nothing for any other resource."""
    match policy:
        case ManagedPolicy(grant=""):
            holders = policy.attached_to
        case CallerPolicy() if address.holder is not None:
            holders = frozenset(["/".join(address.holder)])
        case _:
            return
    for holder in holders:
        for arn in policy.document.resources():
            yield address.account, holder.casefold(), arn


def without_roles(
    change: Change, closed: Iterable[str], standing: Collection[Opening], why: str, *, places: Iterable[tuple[str, str]]
) -> Change | None:
    """Return the change of a caller policy without the roles of `closed`, except where they stand open already.

    So nobody gets a door to a room that is not known to be there. `places` are pairs of a role and of one that takes
    its place: where it does not get the second it keeps the first, so that nobody loses a door for one that they do
    not get. None where nothing is left to change.
    """
    before, after = change.before, change.after
    if not isinstance(after, CallerPolicy | ManagedPolicy):
        return change
    holders = {holder for _, holder, _ in openings(change.address, after)}
    account = change.address.account
    new = {arn for arn in closed if not all((account, holder, arn) in standing for holder in holders)}
    named = after.document.resources()
    kept = [arn for arn in named if arn not in new]
    if len(kept) == len(named):
        return change
    old = before.document if isinstance(before, CallerPolicy | ManagedPolicy) else None
    stood = old.resources() if old is not None else ()
    keep = {first for first, second in places if second in new}
    kept += [arn for arn in stood if arn in keep and arn not in kept]
    reason = "; ".join(filter(None, (change.reason, why)))
    if not kept:
        if before is None or change.action is Action.ADOPT:
            return None
        return Change(change.removed_address(), Action.DELETE, before.grant, before, None, reason=reason)
    further = further_resources(*filter(None, (after.document, old)))
    result = replace(after, document=opening(kept, further))
    if before is None or change.action is not Action.UPDATE:
        return replace(change, after=result, reason=reason)
    names = differing(before, result)
    return replace(change, after=result, attributes=names, reason=reason) if names else None
