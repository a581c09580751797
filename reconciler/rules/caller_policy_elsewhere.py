"""XG204: a role that goes carries a caller policy that is not the plan's to remove, and would go with it."""

from __future__ import annotations

from collections.abc import Iterator

from reconciler.model import Action, Finding, Kind, Plan, Severity


def caller_policy_of_another_stack(plan: Plan) -> Iterator[Finding]:
    """Yield an error for each deletion or replacement of a role that carries such a policy.

    It is another stack's, or of a grant that `--only` leaves out.
    """
    for change in plan.changes:
        if change.address.kind is not Kind.ROLE or change.action not in (Action.DELETE, Action.REPLACE):
            continue
        standing = change.removed_address()
        names = plan.live.facts[standing.account].foreign_caller_policies.get(standing.name, ())
        if names:
            yield Finding(
                rule="XG204",
                severity=Severity.ERROR,
                message=f"the role {standing.name} carries {', '.join(names)}, which this plan does not remove",
                way_out=(
                    "take the role out of `from.roles` of those grants first, and apply that; they are another "
                    "stack's, or left out by `--only`"
                ),
                address=change.address,
                grant=change.grant,
            )
