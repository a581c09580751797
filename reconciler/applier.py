"""A plan to outcomes: executes the steps in order, and goes on past a failure where nothing depends on it."""

from __future__ import annotations

from collections.abc import Callable

from reconciler.errors import StaleError, XgrantError
from reconciler.model import Action, Change, Event, Outcome, Plan, Status, Step, StepEnded, StepStarted, Verb
from reconciler.ports import Writer


def apply(plan: Plan, writer: Writer, *, approved: str, on_event: Callable[[Event], None]) -> tuple[Outcome, ...]:
    """Execute an approved plan; return one outcome for each change, in the plan's order.

    `approved` is the fingerprint of the plan that was reviewed. A step whose required steps are not all done is
    skipped. An error of AWS is a result, not an exception.

    Raises:
        StaleError: this is not the approved plan.
        ValueError: a finding forbids the plan, or it was never put in order; the caller must not get here.

    """
    if plan.fingerprint != approved:
        raise StaleError("this is not the plan that was approved; nothing was changed")
    if plan.refused():
        raise ValueError("the plan has findings of severity error")
    results: list[tuple[Status, str]] = []
    for number, step in enumerate(plan.steps, start=1):
        waited = [required for required in step.requires if results[required][0] is not Status.DONE]
        if waited:
            blocker = plan.steps[waited[0]].change.address
            results.append((Status.SKIPPED, f"it needs {blocker}, which was not done"))
        else:
            on_event(StepStarted(step, number, len(plan.steps)))
            results.append(_execute(step, writer))
        on_event(StepEnded(step, number, len(plan.steps), *results[-1]))
    return tuple(_outcome(change, plan.steps, results) for change in plan.changes)


def _execute(step: Step, writer: Writer) -> tuple[Status, str]:
    change = step.change
    try:
        if step.verb is Verb.REMOVE and change.interim is not None:
            writer.write(change.address, change.before, change.interim)
        elif step.verb is Verb.REMOVE:
            assert change.before is not None  # the planner makes no such step otherwise
            writer.remove(change.removed_address(), change.before)
        else:
            assert change.after is not None  # likewise
            standing = (change.interim or change.before) if change.action in (Action.UPDATE, Action.ADOPT) else None
            writer.write(change.address, standing, change.after)
    except XgrantError as error:
        return Status.FAILED, str(error)
    return Status.DONE, ""


def _outcome(change: Change, steps: tuple[Step, ...], results: list[tuple[Status, str]]) -> Outcome:
    mine = [result for step, result in zip(steps, results, strict=True) if step.change is change]
    for status in (Status.FAILED, Status.SKIPPED):
        for found, error in mine:
            if found is status:
                return Outcome(change, status, error)
    return Outcome(change, Status.DONE)
