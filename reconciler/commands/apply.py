"""`xgrant apply`: plans, shows the plan, asks, executes, and reads back what it wrote."""

from __future__ import annotations

import argparse
import sys
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

from reconciler.commands import clock
from reconciler.commands.output import conclude, interactive, painter, say
from reconciler.commands.progress import Progress, progress
from reconciler.commands.stopping import stopping, terminating
from reconciler.commands.turns import own_turn, tell_of_departed, tell_of_locks
from reconciler.errors import UsageError
from reconciler.locking import LEASE
from reconciler.model import Event, Manifest, Outcome, Plan, Status, StepStarted
from reconciler.pipeline.directory import load_with_accounts
from reconciler.pipeline.executors import elsewhere
from reconciler.pipeline.main_job import Request, apply_plan, aws_ports, check_accepted, make_plan
from reconciler.pipeline.read_back import ReadBack
from reconciler.pipeline.shards import Elsewhere
from reconciler.pipeline.turns import Turn
from reconciler.ports import Reader, Writer
from reconciler.render.outcomes import summary
from reconciler.render.text import text


@dataclass(frozen=True, slots=True)
class Ready:
    """All that an apply needs: what was approved, the plan as it is now, where it goes, and the turn to do it."""

    approved: Plan
    current: Plan
    manifest: Manifest
    reader: Reader
    writer: Writer
    turn: Turn
    workers: Elsewhere | None


def run(arguments: argparse.Namespace, *, destroy: bool = False) -> int:
    """Return 0 when all is done, 3 when the plan is refused, 4 when it is stale, 6 when a part is not done.

    A part is also an account that could not be read. 1 is for a plan that was not approved, 5 (by an error) for
    accounts that another run has; 130 where it was interrupted before anything began.
    """
    shown = progress(arguments)
    try:
        # The innermost ends first: no signal keeps the locks from being released once changes have begun.
        with terminating(), ExitStack() as signals, ExitStack() as turns:
            workers = turns.enter_context(elsewhere(arguments.executor, arguments.scheduler, shown.notice))
            if not destroy and _is_plan_file(arguments.paths):
                # Only here: show and validate have no need of it, and destroy takes no plan file.
                from reconciler.commands.apply_file import prepare

                ready = prepare(arguments, shown, turns, workers)
            else:
                ready = _prepare(arguments, shown, turns, workers, destroy=destroy)
            return ready if isinstance(ready, int) else _execute(ready, arguments, shown, signals, destroy=destroy)
    finally:
        shown.close()


def _prepare(
    arguments: argparse.Namespace, shown: Progress, turns: ExitStack, workers: Elsewhere | None, *, destroy: bool
) -> Ready | int:
    """Return what was approved, or an exit code if nothing is to be done."""
    if not arguments.auto_approve and not interactive():
        raise UsageError(
            "nobody can approve the plan here: input or output is no terminal. Review `xgrant plan`, then use "
            "--auto-approve"
        )
    accepted = check_accepted(arguments.accept)
    manifest = load_with_accounts(arguments.paths, shown.notice, anew=True, writing=True)
    reader, writer = aws_ports(manifest, shown.notice, workers)
    request = Request(manifest, frozenset(arguments.only), destroy, accepted)
    brush = painter(arguments.color)
    turn = turns.enter_context(own_turn(manifest, arguments, shown)) if arguments.auto_approve else None
    tell = tell_of_locks if turn is None else tell_of_departed
    tell(manifest, shown)
    plan = make_plan(request, reader, now=clock.now())
    say(text(plan, brush, expand=arguments.expand), end="")
    code = conclude(plan)
    if plan.refused() or not plan.changes:
        return code
    if turn is not None:
        return Ready(plan, plan, manifest, reader, writer, turn, workers)
    if not _approved("destroy" if destroy else "apply"):
        say("Not approved; nothing was changed.")
        return 1
    # The plan was read by a person, and that takes time: look again, now that nobody else writes.
    turn = turns.enter_context(own_turn(manifest, arguments, shown))
    current = make_plan(request, reader, now=clock.now())
    if current.refused() or current.fingerprint != plan.fingerprint:
        shown_now = text(current, brush, expand=arguments.expand)
        say(f"\nThe plan has changed while it was read. It is now:\n\n{shown_now}", end="")
        if current.refused():
            return conclude(current)
    return Ready(plan, current, manifest, reader, writer, turn, workers)


def _is_plan_file(paths: list[str]) -> bool:
    # By its name and never by its content: else a forged plan file could pass for a manifest.
    return paths[0].endswith(".json") and not Path(paths[0]).is_dir()


def _execute(ready: Ready, arguments: argparse.Namespace, shown: Progress, signals: ExitStack, *, destroy: bool) -> int:
    begun, turn = False, ready.turn

    def on_event(event: Event) -> None:
        nonlocal begun
        begun = begun or isinstance(event, StepStarted)
        turn.note(event)
        shown.event(event)

    if ready.current.fingerprint == ready.approved.fingerprint:  # Else it is stale, and apply_plan says so.
        turn.begin(ready.current)
    locks = f"The locks end by themselves within {LEASE:.0f} s, or by xgrant unlock --id {turn.lock_id}"
    stopped = turn.stopped(signals.enter_context(stopping(locks)))
    accounts = ready.manifest.accounts
    execute = ready.workers.steps(ready.current, accounts, turn.lock_of) if ready.workers else None
    read_back = ReadBack(ready.current, ready.manifest, ready.reader, stopped=stopped)

    def verify(written: tuple[Outcome, ...]) -> tuple[Outcome, ...]:
        if arguments.no_verify:
            return written
        found = read_back(written)
        turn.read_back(one for one, before in zip(found, written, strict=True) if one != before)
        return found

    outcomes: tuple[Outcome, ...] = apply_plan(
        ready.approved, turn.guard(ready.writer), current=ready.current, on_event=on_event,
        parallelism=arguments.parallelism, stopped=stopped, execute=execute, verify=verify,
    )  # fmt: skip
    turn.settle()
    shown.close()
    say(
        "\n"
        + summary(
            outcomes,
            "destroy" if destroy else "apply",
            interrupted=bool(stopped()),
            unread=ready.current.unread(),
            ids={} if arguments.expand else ready.current.account_ids(),
        ),
        end="",
    )
    if all(outcome.status is Status.DONE for outcome in outcomes) and ready.current.complete():
        return 0
    return 6 if begun or not stopped() else 130


def _approved(verb: str) -> bool:
    say(f"\nOnly `yes` approves. Do you want to {verb} this plan? ", end="")
    answer = sys.stdin.readline()
    if not answer.endswith("\n"):
        say("")
    return answer.strip() == "yes"
