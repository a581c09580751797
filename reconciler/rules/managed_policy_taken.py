"""XG227: a customer managed policy of a name that the plan needs exists and is not the stack's."""

from __future__ import annotations

from collections.abc import Iterator

from reconciler.model import Action, Finding, ManagedPolicy, Plan, Severity


def managed_policy_taken(plan: Plan) -> Iterator[Finding]:
    """Yield an error for each new policy whose name is taken, under whatever path, ignoring case.

    AWS's documents say of users, groups, roles and instance profiles that this is one name (facts sheet 1.1), of
    policies nothing. It may take a second one; the plan does not try in the middle of an apply.
    """
    for change in plan.changes:
        if change.action is not Action.CREATE or not isinstance(change.after, ManagedPolicy):
            continue
        for arn in sorted(plan.live.facts[change.address.account].policies or ()):
            own = ":iam::aws:" not in arn
            if own and arn.rsplit("/", 1)[-1].casefold() == change.address.name.casefold():
                yield Finding(
                    rule="XG227",
                    severity=Severity.ERROR,
                    message=f"{arn} has the name that this policy needs, and is not the stack's; it is left alone",
                    way_out="delete that policy yourself if nobody needs it, or give the stack another name",
                    address=change.address,
                    grant=change.grant,
                )
