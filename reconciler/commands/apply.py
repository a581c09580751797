"""`xgrant apply`: plans, shows the plan, asks, executes."""

from __future__ import annotations

import argparse
import sys

from reconciler.commands.output import interactive, painter, say, warn
from reconciler.errors import UsageError
from reconciler.model import Event, Plan, Status, StepEnded
from reconciler.pipeline import Request, apply_plan, aws_ports, load, make_plan
from reconciler.ports import Writer
from reconciler.render.outcomes import event_line, summary
from reconciler.render.text import Painter, text


def run(arguments: argparse.Namespace, *, destroy: bool = False) -> int:
    """Return 0 when all is done, 1 when it was not approved, 3 when the plan is refused, 6 when a part is not done."""
    if not arguments.auto_approve and not interactive():
        raise UsageError("nobody is here to approve the plan; review `xgrant plan`, then use --auto-approve")
    manifest = load(arguments.paths)
    reader, writer = aws_ports(manifest)
    request = Request(manifest, frozenset(arguments.only), destroy)
    brush = painter(arguments.color)

    plan = make_plan(request, reader)
    say(text(plan, brush), end="")
    if plan.refused():
        return 3
    if not plan.changes:
        return 0
    current = plan
    if not arguments.auto_approve:
        if not _approved("destroy" if destroy else "apply"):
            say("Not approved; nothing was changed.")
            return 1
        # The plan was read by a person, and that takes time: look again.
        current = make_plan(request, reader)
        if current.refused() or current.fingerprint != plan.fingerprint:
            say(f"\nAWS has changed while the plan was read. The plan is now:\n\n{text(current, brush)}", end="")
            if current.refused():
                return 3
    say("")
    return _execute(plan, current, writer, brush)


def _execute(plan: Plan, current: Plan, writer: Writer, brush: Painter) -> int:
    ended: list[StepEnded] = []

    def on_event(event: Event) -> None:
        say(event_line(event, brush))
        if isinstance(event, StepEnded):
            ended.append(event)

    try:
        outcomes = apply_plan(plan, writer, current=current, on_event=on_event)
    except KeyboardInterrupt:
        done = sum(event.status is Status.DONE for event in ended)
        warn(
            f"interrupted: {done} of {len(current.steps)} steps are done, and the one under way may be; "
            "`xgrant plan` shows the rest"
        )
        return 6
    say("\n" + summary(outcomes), end="")
    return 0 if all(outcome.status is Status.DONE for outcome in outcomes) else 6


def _approved(verb: str) -> bool:
    say(f"\nOnly `yes` approves. Do you want to {verb} this plan? ", end="")
    return sys.stdin.readline().strip() == "yes"
