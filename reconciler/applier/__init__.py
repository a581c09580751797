"""A plan to outcomes: each step after those that it requires, past failures, and never against what has changed."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

from reconciler.applier.execute import Executor
from reconciler.applier.schedule import Schedule
from reconciler.applier.waves import Verify, Waves
from reconciler.caller_policies import openings, without_roles
from reconciler.errors import StaleError
from reconciler.model import CallerPolicy, Event, Outcome, Plan, Result, Role, Step, Verb
from reconciler.ports import Writer
from reconciler.principals import arns_by_id

__all__ = ["Executor", "Verify", "apply"]


def apply(
    plan: Plan,
    writer: Writer,
    *,
    approved: str,
    on_event: Callable[[Event], None],
    parallelism: int = 1,
    stopped: Callable[[], str] = lambda: "",
    execute: Callable[[Step], Result] | None = None,
    verify: Verify = lambda outcomes: outcomes,
) -> tuple[Outcome, ...]:
    """Execute an approved plan; return one outcome for each change, in the plan's order.

    `approved` is the fingerprint of the plan that was reviewed; `parallelism` is how many steps of one account may be
    under way. `stopped` says why no further step may begin, nothing while it may. A step whose required steps are not
    all done is skipped; but a caller policy is written without the roles that could not be made. An error of AWS is a
    result, not an exception. Events are told in this thread. `execute` executes a step in place of the writer, for
    example on another machine. `verify` reads back what was written, at the end of each wave.

    Raises:
        StaleError: this is not the approved plan.
        ValueError: a finding forbids the plan, or it was never put in order; the caller must not get here.

    """
    if plan.fingerprint != approved:
        raise StaleError("this is not the plan that was approved; nothing was changed")
    if plan.refused():
        raise ValueError("the plan has findings of severity error")
    execute = execute or Executor(arns_by_id(plan.live.facts), writer).execute
    schedule = Schedule(plan.steps, execute, parallelism, on_event, stopped, _without)
    waves = Waves(plan, schedule, verify, on_event, stopped)
    schedule.run(waves.begins)
    return waves.outcomes()


def _without(step: Step, undone: list[Step]) -> Step | None:
    """Return the step of a caller policy without the roles that were not made; None if it cannot be done at all."""
    roles = [other.change.after for other in undone if other.verb is Verb.WRITE]
    closed = {role.arn for role in roles if isinstance(role, Role)}
    before, after = step.change.before, step.change.after
    if isinstance(before, CallerPolicy) and before.beside:
        return None  # They go because this opens all that they open.
    if step.verb is not Verb.WRITE or isinstance(after, Role) or after is None or len(closed) < len(undone):
        return None
    if not closed <= {*after.document.resources()}:
        return None  # One of them is to carry it.
    change = step.change
    standing = frozenset(openings(change.removed_address(), change.before))
    # One that is made anew under its name is gone before the new one comes.
    beside = (other.change for other in undone if other.change.removed_address().slot() != other.change.address.slot())
    places = [(c.before.arn, c.after.arn) for c in beside if isinstance(c.before, Role) and isinstance(c.after, Role)]
    left = without_roles(change, closed, standing, "", places=places)
    return replace(step, change=left) if left is not None and left.after is not None else None
