"""`xgrant apply`: plans, shows the plan, asks, executes, and reads back what it wrote."""

from __future__ import annotations

import argparse
import shlex
import sys
from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from reconciler.commands import clock
from reconciler.commands.held import held_to
from reconciler.commands.output import conclude, interactive, painter, say
from reconciler.commands.progress import Progress, progress
from reconciler.commands.stopping import stopping, terminating
from reconciler.commands.turns import own_turn, tell_of_departed, tell_of_locks
from reconciler.errors import UsageError
from reconciler.locking import LEASE
from reconciler.model import Event, Manifest, Outcome, Plan, Result, Status, Step, StepStarted
from reconciler.pipeline.directory import load_with_accounts
from reconciler.pipeline.executors import elsewhere
from reconciler.pipeline.main_job import Request, apply_plan, aws_ports, check_accepted, make_plan
from reconciler.pipeline.read_back import ReadBack
from reconciler.pipeline.shards import Elsewhere
from reconciler.pipeline.turns import Turn
from reconciler.planfile import begins_as_one, is_named_so
from reconciler.ports import Reader, Writer
from reconciler.render.outcomes import summary
from reconciler.render.text import text


@dataclass(frozen=True, slots=True)
class Job:
    """What is to be approved and carried out: a plan as it is at any moment, and by whom it is read and written.

    `execute` makes, of a turn, what executes the steps in place of the writer; what it writes is not read back.
    """

    manifest: Manifest
    reader: Reader
    writer: Writer
    plan: Callable[[datetime], Plan]
    execute: Callable[[Turn], Callable[[Step], Result]] | None = None


@dataclass(frozen=True, slots=True)
class Ready:
    """All that an apply needs: the job, what was approved, the plan as it is now, and the turn to do it."""

    job: Job
    approved: Plan
    current: Plan
    turn: Turn


def run(arguments: argparse.Namespace, *, destroy: bool = False) -> int:
    """Carry out a plan of the manifests, or of a plan file; see `carry_out`."""
    if not destroy and _is_plan_file(arguments.paths):
        # Only here: show and validate have no need of it, and destroy takes no plan file.
        from reconciler.commands.apply_file import prepare

        return _within(arguments, prepare)

    _check_no_plan_file(arguments.paths, destroy=destroy)
    if not destroy and (arguments.review is not None or arguments.if_store or arguments.if_current):
        raise UsageError(
            "--review, --if-store, --if-current: what was reviewed is a plan file; name it as the first PATH"
        )

    def job(shown: Progress, workers: Elsewhere | None) -> Job:
        accepted = check_accepted(arguments.accept)
        manifest = load_with_accounts(arguments.paths, shown.notice, anew=True, writing=True)
        reader, writer = aws_ports(manifest, shown.notice, workers)
        held = None if destroy else held_to(arguments, manifest)
        request = Request(manifest, frozenset(arguments.only), destroy, accepted, guardrails=held)
        return Job(manifest, reader, writer, lambda now: make_plan(request, reader, now=now))

    return carry_out(arguments, job)


def carry_out(
    arguments: argparse.Namespace, job: Callable[[Progress, Elsewhere | None], Job | int], *, maybe: bool = False
) -> int:
    """Show the plan of a job, ask, and execute it; `job` may return an exit code instead.

    That somebody can be asked is looked at first; with `maybe`, which says that the job often has nothing to do, only
    once there is something.

    Return 0 when all is done, 3 when the plan is refused, 4 when it is stale, 6 when a part is not done. A part is also
    an account that could not be read. 1 is for a plan that was not approved, 5 (by an error) for accounts that another
    run has; 130 where it was interrupted before anything began.
    """

    def prepare(
        arguments: argparse.Namespace, shown: Progress, turns: ExitStack, workers: Elsewhere | None
    ) -> Ready | int:
        if not maybe:
            _check_approvable(arguments)
        found = job(shown, workers)
        if isinstance(found, int):
            return found
        _check_approvable(arguments)
        return _approved(found, arguments, shown, turns)

    return _within(arguments, prepare)


def _check_approvable(arguments: argparse.Namespace) -> None:
    if not arguments.auto_approve and not interactive():
        raise UsageError(
            "nobody can approve the plan here: input or output is no terminal. Review "
            f"{_REVIEW.get(arguments.command, 'it on one')}, then use --auto-approve"
        )


_REVIEW = {"apply": "`xgrant plan`", "destroy": "`xgrant plan --destroy`"}


def _within(
    arguments: argparse.Namespace,
    prepare: Callable[[argparse.Namespace, Progress, ExitStack, Elsewhere | None], Ready | int],
) -> int:
    shown = progress(arguments)
    try:
        # The innermost ends first: no signal keeps the locks from being released once changes have begun.
        with terminating(), ExitStack() as signals, ExitStack() as turns:
            workers = turns.enter_context(elsewhere(arguments.executor, arguments.scheduler, shown.notice))
            ready = prepare(arguments, shown, turns, workers)
            return ready if isinstance(ready, int) else _execute(ready, arguments, shown, signals, workers)
    finally:
        shown.close()


def _approved(job: Job, arguments: argparse.Namespace, shown: Progress, turns: ExitStack) -> Ready | int:
    """Return what was approved, or an exit code if nothing is to be done."""
    manifest, brush = job.manifest, painter(arguments.color)
    turn = turns.enter_context(own_turn(manifest, arguments, shown)) if arguments.auto_approve else None
    tell = tell_of_locks if turn is None else tell_of_departed
    tell(manifest, shown)
    plan = job.plan(clock.now())
    say(text(plan, brush, expand=arguments.expand), end="")
    code = conclude(plan)
    if plan.refused() or not plan.changes:
        return code
    if turn is not None:
        return Ready(job, plan, plan, turn)
    if not _asked(arguments.command):
        say("Not approved; nothing was changed.")
        return 1
    # The plan was read by a person, and that takes time: look again, now that nobody else writes.
    turn = turns.enter_context(own_turn(manifest, arguments, shown))
    current = job.plan(clock.now())
    if current.refused() or current.fingerprint != plan.fingerprint:
        shown_now = text(current, brush, expand=arguments.expand)
        say(f"\nThe plan has changed while it was read. It is now:\n\n{shown_now}", end="")
        if current.refused():
            return conclude(current)
    return Ready(job, plan, current, turn)


def _is_plan_file(paths: list[str]) -> bool:
    # By its name and never by its content: else a forged plan file could pass for a manifest.
    return is_named_so(paths[0]) and not Path(paths[0]).is_dir()


def _check_no_plan_file(paths: list[str], *, destroy: bool) -> None:
    """Check that no plan file is among the manifests, before anybody is asked anything; UsageError if one is."""
    for path in paths:
        try:
            if not Path(path).is_file() or not begins_as_one(path):
                continue
        except (OSError, ValueError):
            continue  # Whoever reads it as a manifest says why that cannot be done.
        if destroy:
            raise UsageError(f"{path}: this is a plan file; a reviewed one of `xgrant plan --destroy` is for apply")
        if is_named_so(path):
            others = [other for other in paths if other != path]
            raise UsageError(f"{path}: the plan file comes first: {shlex.join(['xgrant', 'apply', path, *others])}")
        raise UsageError(f"{path}: this is a plan file; apply takes one as the first PATH, and by its name *.json only")


def _execute(
    ready: Ready, arguments: argparse.Namespace, shown: Progress, signals: ExitStack, workers: Elsewhere | None
) -> int:
    begun, turn, job = False, ready.turn, ready.job

    def on_event(event: Event) -> None:
        nonlocal begun
        begun = begun or isinstance(event, StepStarted)
        turn.note(event)
        shown.event(event)

    if ready.current.fingerprint == ready.approved.fingerprint:  # Else it is stale, and apply_plan says so.
        record = turn.begin(ready.current)
        if record_file := vars(arguments).get("record"):
            Path(record_file).write_text(f"{record}\n", encoding="utf-8")
    locks = f"The locks end by themselves within {LEASE:.0f} s, or by xgrant unlock --id {turn.lock_id}"
    stopped = turn.stopped(signals.enter_context(stopping(locks)))
    execute = job.execute(turn) if job.execute else None
    if execute is None and workers:
        execute = workers.steps(ready.current, job.manifest.accounts, turn.lock_of)
    read_back = ReadBack(ready.current, job.manifest, job.reader, stopped=stopped)

    def verify(written: tuple[Outcome, ...]) -> tuple[Outcome, ...]:
        if arguments.no_verify or job.execute:
            return written
        found = read_back(written)
        turn.read_back(one for one, before in zip(found, written, strict=True) if one != before)
        return found

    outcomes: tuple[Outcome, ...] = apply_plan(
        ready.approved, turn.guard(job.writer), current=ready.current, on_event=on_event,
        parallelism=arguments.parallelism, stopped=stopped, execute=execute, verify=verify,
    )  # fmt: skip
    turn.settle()
    shown.close()
    say(
        "\n"
        + summary(
            outcomes,
            arguments.command,
            interrupted=bool(stopped()),
            left_out=ready.current.left_out,
            unread=ready.current.unread(),
            ids={} if arguments.expand else ready.current.account_ids(),
            way_out=ready.current.out_of_reach(),
        ),
        end="",
    )
    if all(outcome.status is Status.DONE for outcome in outcomes) and ready.current.complete():
        return 0
    return 6 if begun or not stopped() else 130


def _asked(verb: str) -> bool:
    what = {"revoke": "end these sessions", "destroy": "destroy this plan"}.get(verb, "apply this plan")
    say(f"\nOnly `yes` approves. Do you want to {what}? ", end="")
    answer = sys.stdin.readline()
    if not answer.endswith("\n"):
        say("")
    return answer.strip() == "yes"
