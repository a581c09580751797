"""A plan to outcomes: each step after those that it requires, past failures, and never against what has changed."""

from __future__ import annotations

from collections.abc import Callable

from reconciler.applier.execute import Executor
from reconciler.applier.schedule import Result, Schedule
from reconciler.errors import StaleError
from reconciler.model import Address, Change, Event, Outcome, Plan, Status
from reconciler.ports import Writer

__all__ = ["apply"]


def apply(
    plan: Plan,
    writer: Writer,
    *,
    approved: str,
    on_event: Callable[[Event], None],
    parallelism: int = 1,
    stopped: Callable[[], str] = lambda: "",
) -> tuple[Outcome, ...]:
    """Execute an approved plan; return one outcome for each change, in the plan's order.

    `approved` is the fingerprint of the plan that was reviewed; `parallelism` is how many steps of one account may be
    under way. `stopped` says why no further step may begin, nothing while it may. A step whose required steps are not
    all done is skipped. An error of AWS is a result, not an exception. Events are told in this thread.

    Raises:
        StaleError: this is not the approved plan.
        ValueError: a finding forbids the plan, or it was never put in order; the caller must not get here.

    """
    if plan.fingerprint != approved:
        raise StaleError("this is not the plan that was approved; nothing was changed")
    if plan.refused():
        raise ValueError("the plan has findings of severity error")
    schedule = Schedule(plan.steps, Executor(plan, writer).execute, parallelism, on_event, stopped)
    by_address: dict[Address, list[Result]] = {}
    for step, result in zip(plan.steps, schedule.run(), strict=True):
        by_address.setdefault(step.change.address, []).append(result)
    return tuple(_outcome(change, by_address[change.address]) for change in plan.changes)


def _outcome(change: Change, results: list[Result]) -> Outcome:
    for status in (Status.FAILED, Status.SKIPPED):
        for found in results:
            if found.status is status:
                return Outcome(change, status, found.error)
    return Outcome(change, Status.DONE)
