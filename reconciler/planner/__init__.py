"""Desired and live to a Plan. Pure: the same values always give the same plan."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import replace

from reconciler.collector import uncollected
from reconciler.model import Finding, Limits, Live, Plan, Severity, State, Whole, essence, fingerprint
from reconciler.planner.across import across, without_unread
from reconciler.planner.adopt import with_adoptable
from reconciler.planner.compare import compare
from reconciler.planner.narrow import destroyed, narrow
from reconciler.planner.order import CyclicOrderError, order
from reconciler.planner.pack import packed
from reconciler.principals import with_arns

Rule = Callable[[Plan], Iterable[Finding]]

__all__ = ["Rule", "destroyed", "narrow", "plan", "without_unread"]


@uncollected()
def plan(
    desired: State,
    live: Live,
    *,
    stack: str,
    rules: Iterable[Rule],
    limits: Limits = Limits(),  # noqa: B008 - frozen
    accepted: frozenset[str] = frozenset(),
    whole: Whole | None = None,
) -> Plan:
    """Return the complete plan that brings `live` to `desired`, for what the stack owns and nothing else.

    Desired resources of accounts that are not managed make no change, nor do those of accounts that could not be
    read: of these nothing is known, and nothing is newly opened in them. Every account of `desired` must be in
    `live.facts`. Of findings that may be accepted, those of the rules in `accepted` only warn. `whole` is what
    `desired` and `live` are a part of, if they were narrowed or nothing is to be left.
    """
    whole = whole or Whole(desired, live.state)
    live = with_arns(live)
    desired = {address: resource for address, resource in desired.items() if not live.facts[address.account].error}
    wanted = packed(desired, live, stack=stack)
    live = with_adoptable(wanted, live)
    unread = {facts.account.id: name for name, facts in live.facts.items() if facts.error}
    changes = across(compare(wanted, live, stack=stack), unread)
    findings: list[Finding] = []
    try:
        steps = order(changes)
    except CyclicOrderError as error:
        steps = ()
        findings.append(
            Finding(
                rule="XG205",
                severity=Severity.ERROR,
                message="these roles each trust one that does not exist before the other: " + " -> ".join(error.cycle),
                way_out="apply one of the grants without the other's role in `from.roles`, then add it",
            )
        )
    draft = Plan(
        stack, desired, live, changes, steps, fingerprint=fingerprint(map(essence, changes)), limits=limits, whole=whole
    )
    for rule in rules:
        findings.extend(rule(draft))
    return replace(draft, findings=tuple(_accepted(finding, accepted) for finding in findings))


def _accepted(finding: Finding, rules: frozenset[str]) -> Finding:
    if finding.acceptable and finding.rule in rules:
        return replace(finding, severity=Severity.WARNING, accepted=True)
    return finding
