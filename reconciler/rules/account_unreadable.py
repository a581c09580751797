"""XG209: an account could not be read, so the plan leaves it out."""

from __future__ import annotations

from collections.abc import Iterator

from reconciler.model import Finding, Plan, Severity


def account_unreadable(plan: Plan) -> Iterator[Finding]:
    """Yield a warning for each managed account of which nothing is known; its resources make no changes."""
    for name in plan.unread():
        error = plan.live.facts[name].error
        yield Finding(
            rule="XG209",
            severity=Severity.WARNING,
            message=f"account {name} is left out, and nothing new opens in it: it could not be read: {error}",
            way_out="mend that and run the same command again; all else can be applied",
        )
