"""XG206 to XG208: a plan does more at once than the limits allow, and somebody has to say that it is meant."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator

from reconciler.model import Action, CallerPolicy, Change, Finding, Plan, Severity

DELETE, DELETE_PERCENT = 10, 30
"""What a plan may delete where the manifests say no number."""

SMALL = 10
"""A stack of no more resources has no such limits: there, a great part is a small number. A number that somebody wrote
holds always."""

ACCEPTABLE = ("XG206", "XG207", "XG208")


def limits(plan: Plan) -> Iterator[Finding]:
    """Yield an error, which may be accepted, for each limit that the plan exceeds. A replacement deletes, too.

    What the stack owns is all of it, also where `--only` leaves a part out of sight.
    """
    if plan.part:
        return  # They are about all shards together.
    owned = plan.owned
    small = owned + sum(change.action in (Action.CREATE, Action.ADOPT) for change in plan.changes) <= SMALL
    deletes = sum(_deletes(change) for change in plan.changes)
    # So few resources cannot exceed the usual number.
    most = DELETE if plan.limits.delete is None else plan.limits.delete
    if deletes > most:
        yield _finding(
            "XG206", f"the plan deletes or replaces {deletes} resource{'s' * (deletes != 1)}", f"delete: {most}"
        )
    percent = plan.limits.delete_percent
    if percent is None:
        percent = 100 if small else DELETE_PERCENT
    if deletes * 100 > percent * owned:
        yield _finding(
            "XG207",
            f"the plan deletes or replaces {deletes} of {owned} resources, {deletes * 100 / owned:.0f}%",
            f"delete_percent: {percent}",
        )
    per_account = plan.limits.change_per_account
    for account, number in sorted(Counter(change.address.account for change in plan.changes).items()):
        if per_account is not None and number > per_account:
            yield _finding(
                "XG208",
                f"the plan changes {number} resource{'s' * (number != 1)} of account {account}",
                f"change_per_account: {per_account}",
            )


def _deletes(change: Change) -> bool:
    """Return whether a change takes something away; a caller policy that only gets another name does not."""
    before, after = change.before, change.after
    if change.replaces is not None and isinstance(before, CallerPolicy) and isinstance(after, CallerPolicy):
        # Whoever holds it can do what they could before.
        return before.document != after.document or change.address.holder != change.replaces.holder
    return change.action in (Action.DELETE, Action.REPLACE)


def _finding(rule: str, what: str, limit: str) -> Finding:
    return Finding(
        rule=rule,
        severity=Severity.ERROR,
        message=f"{what}; the limit is {limit}",
        way_out=f"if all of it is meant, give the same command --accept {rule}; else mend the manifest, or its limits",
        acceptable=True,
    )
