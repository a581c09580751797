"""XG209: an account could not be read, so the plan leaves it out, and what may only be done once it can be read."""

from __future__ import annotations

from collections.abc import Iterator

from reconciler.model import Finding, Plan, Severity


def account_unreadable(plan: Plan) -> Iterator[Finding]:
    """Yield a warning for each managed account of which nothing is known, and for each change that waits for one."""
    for name in plan.unread():
        facts = plan.live.facts[name]
        told = "" if facts.way_out else "it could not be read: "
        yield Finding(
            rule="XG209",
            severity=Severity.WARNING,
            message=f"account {name} is left out, and nothing new opens in it: {told}{facts.error}",
            way_out=facts.way_out or "mend that and run the same command again; the rest can be applied",
        )
    yield from waits(plan)


def waits(plan: Plan) -> Iterator[Finding]:
    """Yield a warning for each change that waits until an account can be read."""
    for address, names in sorted(plan.waiting.items(), key=lambda item: str(item[0])):
        yield Finding(
            rule="XG209",
            severity=Severity.WARNING,
            message=f"it stays as it is until {names} can be read: what its change would mean there is not known",
            way_out="make that account readable, or take it out of the grant",
            address=address,
        )
