"""Desired and live to a Plan. Pure: the same values always give the same plan."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import replace

from reconciler.collector import uncollected
from reconciler.model import (
    Finding,
    Limits,
    Live,
    Plan,
    Rollout,
    Severity,
    State,
    Timing,
    Whole,
    essence,
    fingerprint,
)
from reconciler.ownership import owns
from reconciler.planner.across import across, in_order
from reconciler.planner.adopt import with_adoptable
from reconciler.planner.compare import compare
from reconciler.planner.expiry import with_expiry
from reconciler.planner.narrow import destroyed, narrow
from reconciler.planner.order import carrier_slots, order
from reconciler.planner.pack import packed
from reconciler.planner.rotation import with_rotation
from reconciler.planner.settle import settled
from reconciler.planner.waves import in_waves
from reconciler.principals import with_arns

Rule = Callable[[Plan], Iterable[Finding]]

__all__ = [
    "Rule",
    "across",
    "carrier_slots",
    "destroyed",
    "in_waves",
    "narrow",
    "order",
    "plan",
    "settled",
    "with_accepted",
]


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
    rollout: Rollout | None = None,
    timing: Timing = Timing(),  # noqa: B008 - frozen
    part: bool = False,
) -> Plan:
    """Return the complete plan that brings `live` to `desired`, for what the stack owns and nothing else.

    Desired resources of accounts that are not managed make no change, nor do those of accounts that could not be
    read: of these nothing is known, and nothing is newly opened in them. Nor do those that are planned elsewhere. Every
    account of `desired` must be in `live.facts`. Of findings that may be accepted, those of the rules in `accepted`
    only warn. `whole` is what `desired` and `live` are a part of, if they were narrowed or nothing is to be left. The
    waves of a `rollout` are of all accounts, so the plan of a shard has none. `timing` says when it is made: what an
    expired grant had is not in `desired`, and the plan says why it goes. The plan of a shard is a `part`.
    """
    whole = whole or Whole(desired, live.state)
    live = with_arns(live)
    desired = {address: resource for address, resource in desired.items() if not live.facts[address.account].error}
    here = {address: resource for address, resource in desired.items() if live.facts[address.account].planned()}
    wanted = packed(here, live, stack=stack)
    live = with_adoptable(wanted, live)
    found = compare(wanted, live, whole.desired, stack=stack, rotate=timing.rotate)
    found = with_rotation(with_expiry(found, live.state, timing), wanted, live, timing, stack=stack)
    unread = {facts.account.id: name for name, facts in live.facts.items() if facts.error}
    possible = settled(found, unread)
    changes = across(possible.changes)
    draft = Plan(
        stack, desired, live, changes, order(changes), limits=limits, whole=whole, owned=_owned(whole, live, stack),
        rollout=rollout, timing=timing, part=part,
    )  # fmt: skip
    if part:
        # What changes mean for other accounts, and which wait, shows when all shards are there. But it is judged by
        # what is known here.
        final = replace(draft, changes=in_order(found))
    else:
        steps, waves = in_waves(draft.steps, live.facts, rollout)
        draft = final = replace(draft, steps=steps, waves=waves, waiting=possible.waiting)
    findings = with_accepted((finding for rule in rules for finding in rule(draft)), accepted)
    return replace(
        final, fingerprint=fingerprint(map(essence, final.changes)),
        findings=tuple(finding for finding in findings if not _is_elsewhere(finding, live)),
    )  # fmt: skip


def _owned(whole: Whole, live: Live, stack: str) -> int:
    # What another shard owns, it counts itself.
    return sum(owns(stack, found) for address, found in whole.live.items() if not live.facts[address.account].elsewhere)


def _is_elsewhere(finding: Finding, live: Live) -> bool:
    return finding.address is not None and live.facts[finding.address.account].elsewhere


def with_accepted(findings: Iterable[Finding], rules: frozenset[str]) -> tuple[Finding, ...]:
    """Return the findings, of which those that may be accepted only warn if their rule is among `rules`."""
    return tuple(
        replace(finding, severity=Severity.WARNING, accepted=True)
        if finding.acceptable and finding.rule in rules
        else finding
        for finding in findings
    )
