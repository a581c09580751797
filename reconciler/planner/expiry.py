"""Why what an expired grant has goes: so that it is not one deletion among others."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace

from reconciler.model import Action, Change, ManagedPolicy, Role, State, Timing
from reconciler.policy.instants import instant_text


def with_expiry(changes: Iterable[Change], owned: State, timing: Timing) -> list[Change]:
    """Return the changes, of which those say so that take away what a grant had that has expired.

    A managed caller policy is shared by grants: it says of which it loses the roles. `owned` is what the stack has.
    """
    ended = {name: grant.expires for grant in timing.expired() for name in grant.names() if grant.expires is not None}
    if not ended:
        return list(changes)
    roles = {role.arn: role.grant for role in owned.values() if isinstance(role, Role) and role.grant in ended}
    return [_with_reason(change, ended, roles) for change in changes]


def _with_reason(change: Change, ended: dict[str, int], roles: dict[str, str]) -> Change:
    before, after = change.before, change.after
    if change.action is Action.DELETE and before is not None and before.grant in ended:
        return replace(change, reason=f"expired {instant_text(ended[before.grant])}")
    if not isinstance(before, ManagedPolicy) or before.grant:
        return change
    kept = after.document.resources() if isinstance(after, ManagedPolicy) else ()
    lost = sorted({roles[arn] for arn in before.document.resources() if arn in roles and arn not in kept})
    said = [f"the grant {name} expired {instant_text(ended[name])}" for name in lost]
    return replace(change, reason="; ".join(filter(None, (change.reason, *said)))) if said else change
