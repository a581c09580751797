"""XG228: a managed policy that goes is somebody's permissions boundary."""

from __future__ import annotations

from collections.abc import Iterator

from reconciler.model import Action, Finding, ManagedPolicy, Plan, Severity


def policy_bounds(plan: Plan) -> Iterator[Finding]:
    """Yield an error for each deletion or replacement of such a policy.

    AWS refuses to delete what bounds a user or role as it does what is attached (DeleteConflict, facts sheet 3.3). The
    stack made the policy to allow something, never to bound anybody: whose boundary it is has been set by hand.
    """
    for change in plan.changes:
        if change.action not in (Action.DELETE, Action.REPLACE) or not isinstance(change.before, ManagedPolicy):
            continue
        users = plan.live.facts[change.address.account].bounded.get(change.before.arn, ())
        if users:
            yield Finding(
                rule="XG228",
                severity=Severity.ERROR,
                message=(
                    f"{change.before.arn} is the permissions boundary of {', '.join(users)}, so AWS does not delete it"
                ),
                way_out="give them another permissions boundary, or none, then plan again",
                address=change.address,
                grant=change.grant,
            )
