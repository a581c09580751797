"""XG206 to XG208: a plan does more at once than the limits allow, and somebody has to say that it is meant."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator

from reconciler.model import Action, Finding, Plan, Severity
from reconciler.ownership import owns

SMALL = 10
"""A plan of no more resources than these has no limits: there, a great part is a small number."""

ACCEPTABLE = ("XG206", "XG207", "XG208")


def limits(plan: Plan) -> Iterator[Finding]:
    """Yield an error, which may be accepted, for each limit that the plan exceeds. A replacement deletes, too.

    What the stack owns is all of it, also where `--only` leaves a part out of sight.
    """
    owned = {address for address, resource in plan.whole.live.items() if owns(plan.stack, resource)}
    if len(owned | {change.address for change in plan.changes}) <= SMALL:
        return
    deletes = plan.count(Action.DELETE) + plan.count(Action.REPLACE)
    allowed = plan.limits
    if deletes > allowed.delete:
        yield _finding("XG206", f"the plan deletes or replaces {deletes} resources", f"delete: {allowed.delete}")
    if deletes * 100 > allowed.delete_percent * len(owned):
        yield _finding(
            "XG207",
            f"the plan deletes or replaces {deletes} of {len(owned)} resources, {deletes * 100 / len(owned):.0f}%",
            f"delete_percent: {allowed.delete_percent}",
        )
    most = allowed.change_per_account
    for account, number in sorted(Counter(change.address.account for change in plan.changes).items()):
        if most is not None and number > most:
            yield _finding(
                "XG208", f"the plan changes {number} resources of account {account}", f"change_per_account: {most}"
            )


def _finding(rule: str, what: str, limit: str) -> Finding:
    return Finding(
        rule=rule,
        severity=Severity.ERROR,
        message=f"{what}; the limit is {limit}",
        way_out=f"if all of it is meant, give the same command --accept {rule}; else mend the manifest, or its limits",
        acceptable=True,
    )
