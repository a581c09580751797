"""`xgrant apply`: plans, shows the plan, asks, executes."""

from __future__ import annotations

import argparse
import sys

from reconciler.commands.output import interactive, painter
from reconciler.errors import UsageError
from reconciler.model import Status
from reconciler.pipeline import Request, apply_plan, aws_ports, load, make_plan
from reconciler.render.outcomes import event_line, summary
from reconciler.render.text import text


def run(arguments: argparse.Namespace, *, destroy: bool = False) -> int:
    """Return 0 when all is done, 1 when it was not approved, 3 when the plan is refused, 6 when a part is not done."""
    if not arguments.auto_approve and not interactive():
        raise UsageError("nobody is here to approve the plan; review `xgrant plan`, then use --auto-approve")
    manifest = load(arguments.paths)
    reader, writer = aws_ports(manifest)
    request = Request(manifest, frozenset(arguments.only), destroy)
    brush = painter(arguments.color)

    plan = make_plan(request, reader)
    sys.stdout.write(text(plan, brush))
    if plan.refused():
        return 3
    if not plan.changes:
        return 0
    current = plan
    if not arguments.auto_approve:
        if not _approved("destroy" if destroy else "apply"):
            print("Not approved; nothing was changed.")
            return 1
        # The plan was read by a person, and that takes time: look again.
        current = make_plan(request, reader)
    print(flush=True)
    outcomes = apply_plan(
        plan, writer, current=current, on_event=lambda event: print(event_line(event, brush), flush=True)
    )
    sys.stdout.write("\n" + summary(outcomes))
    return 0 if all(outcome.status is Status.DONE for outcome in outcomes) else 6


def _approved(verb: str) -> bool:
    print(f"\nOnly `yes` approves. Do you want to {verb} this plan? ", end="", flush=True)
    return sys.stdin.readline().strip() == "yes"
