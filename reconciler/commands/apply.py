"""`xgrant apply`: plans, shows the plan, asks, executes."""

from __future__ import annotations

import argparse
import sys
from contextlib import ExitStack
from pathlib import Path

from reconciler.commands.output import conclude, interactive, painter, say, warn
from reconciler.commands.turns import own_turn, tell_of_locks
from reconciler.errors import UsageError
from reconciler.model import Event, Plan, Status, StepEnded
from reconciler.pipeline import Request, Turn, apply_plan, aws_ports, check_accepted, load, make_plan
from reconciler.ports import Writer
from reconciler.render.outcomes import event_line, summary
from reconciler.render.text import Painter, text


def run(arguments: argparse.Namespace, *, destroy: bool = False) -> int:
    """Return 0 when all is done, 3 when the plan is refused, 4 when it is stale, 6 when a part is not done.

    1 is for a plan that was not approved, or not complete, 5 (by an error) for accounts that another run has.
    """
    with ExitStack() as turns:
        if destroy or not _is_plan_file(arguments.paths):
            return _plan_and_execute(arguments, turns, destroy=destroy)
        # Only here: show and validate have no need of it, and destroy takes no plan file.
        from reconciler.commands.apply_file import prepare

        prepared = prepare(arguments, turns)
        if isinstance(prepared, int):
            return prepared
        current, writer, brush, turn = prepared
        say("")
        return _execute(current, current, writer, brush, turn)


def _plan_and_execute(arguments: argparse.Namespace, turns: ExitStack, *, destroy: bool) -> int:
    if not arguments.auto_approve and not interactive():
        raise UsageError("nobody is here to approve the plan; review `xgrant plan`, then use --auto-approve")
    accepted = check_accepted(arguments.accept)
    manifest = load(arguments.paths)
    reader, writer = aws_ports(manifest)
    request = Request(manifest, frozenset(arguments.only), destroy, accepted)
    brush = painter(arguments.color)
    turn = turns.enter_context(own_turn(manifest, arguments)) if arguments.auto_approve else None
    if turn is None:
        tell_of_locks(manifest)

    plan = make_plan(request, reader)
    say(text(plan, brush), end="")
    if code := conclude(plan):
        return code
    if not plan.changes:
        return 0
    current = plan
    if turn is None:
        if not _approved("destroy" if destroy else "apply"):
            say("Not approved; nothing was changed.")
            return 1
        # The plan was read by a person, and that takes time: look again, now that nobody else writes.
        turn = turns.enter_context(own_turn(manifest, arguments))
        current = make_plan(request, reader)
        if current.refused() or current.fingerprint != plan.fingerprint:
            say(f"\nAWS has changed while the plan was read. The plan is now:\n\n{text(current, brush)}", end="")
            if code := conclude(current):
                return code
    say("")
    return _execute(plan, current, writer, brush, turn)


def _is_plan_file(paths: list[str]) -> bool:
    # By its name and never by its content: else a forged plan file could pass for a manifest.
    return paths[0].endswith(".json") and not Path(paths[0]).is_dir()


def _execute(plan: Plan, current: Plan, writer: Writer, brush: Painter, turn: Turn) -> int:
    ended: list[StepEnded] = []

    def on_event(event: Event) -> None:
        turn.note(event)
        say(event_line(event, brush))
        if isinstance(event, StepEnded):
            ended.append(event)

    if current.fingerprint == plan.fingerprint:  # Else it is stale, and apply_plan says so.
        turn.begin(current)
    try:
        outcomes = apply_plan(plan, turn.guard(writer), current=current, on_event=on_event)
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
