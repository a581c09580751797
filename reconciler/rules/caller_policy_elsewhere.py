"""XG204: a role that goes carries the caller policy of another stack, which would go with it."""

from __future__ import annotations

from collections.abc import Iterator

from reconciler.model import Action, Finding, Kind, Plan, Severity


def caller_policy_of_another_stack(plan: Plan) -> Iterator[Finding]:
    """Yield an error for each deletion or replacement of a role that another stack has given a caller policy."""
    for change in plan.changes:
        if change.address.kind is not Kind.ROLE or change.action not in (Action.DELETE, Action.REPLACE):
            continue
        standing = change.removed_address()
        names = plan.live.facts[standing.account].foreign_caller_policies.get(standing.name, ())
        if names:
            yield Finding(
                rule="XG204",
                severity=Severity.ERROR,
                message=f"the role {standing.name} carries {', '.join(names)}, which other stacks own",
                way_out="remove the role from `from.roles` of those stacks' grants first, and apply them",
                address=change.address,
                grant=change.grant,
            )
