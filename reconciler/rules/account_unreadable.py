"""XG209: an account could not be read, so the plan is not complete."""

from __future__ import annotations

from collections.abc import Iterator

from reconciler.model import Finding, Plan, Severity


def account_unreadable(plan: Plan) -> Iterator[Finding]:
    """Yield an error for each managed account of which nothing is known; its resources make no changes."""
    for name, facts in sorted(plan.live.facts.items()):
        if facts.error:
            yield Finding(
                rule="XG209",
                severity=Severity.ERROR,
                message=f"nothing is planned for account {name}, since it could not be read: {facts.error}",
                way_out="mend that and plan again; a plan that is not complete cannot be applied",
            )
