"""`xgrant apply FILE`: does what was reviewed, or nothing."""

from __future__ import annotations

import argparse
import os
from contextlib import ExitStack

from reconciler.commands import DEFAULT_PATH
from reconciler.commands.apply import Job, Ready
from reconciler.commands.held import held_to
from reconciler.commands.output import conclude, painter, say
from reconciler.commands.progress import Progress
from reconciler.commands.reviewing import check
from reconciler.commands.same_plan import same_plan
from reconciler.commands.turns import own_turn, tell_of_departed
from reconciler.errors import UsageError
from reconciler.hosting import host_of
from reconciler.pipeline.directory import load_with_accounts
from reconciler.pipeline.jobs import check_current
from reconciler.pipeline.main_job import aws_ports, check_accepted
from reconciler.pipeline.plan_files import read_plan_file
from reconciler.pipeline.shards import Elsewhere
from reconciler.render.text import text


def prepare(arguments: argparse.Namespace, shown: Progress, turns: ExitStack, workers: Elsewhere | None) -> Ready | int:
    """Return the plan to execute, made anew and equal to the reviewed one, or an exit code if there is nothing to do.

    A plan file was approved by whoever reviewed it, so nobody is asked. From before the read on, `turns` has the turn
    of this run.

    Raises:
        PlanFileError: the file is refused (exit 3).
        StaleError, ReviewError: the plan is another one by now, not the one that was reviewed, or with `--if-current`
            a newer run has overtaken this one (exit 4).
        UsageError: `--only` beside a plan file, which says itself what it is restricted to.
        LockError, StoreError: another run has the accounts, or that cannot be known (exit 5).

    """
    file, *paths = arguments.paths
    if arguments.only:
        raise UsageError("--only goes to `xgrant plan -o`: a plan file says itself which grants it is for")
    accepted = check_accepted(arguments.accept)
    reviewed = read_plan_file(file)
    manifest = load_with_accounts(paths or [DEFAULT_PATH], shown.notice, anew=True, writing=True)
    check(manifest, reviewed, file, arguments)
    held = held_to(arguments, manifest, paths or [DEFAULT_PATH])
    reader, writer = aws_ports(manifest, shown.notice, workers)
    turn = turns.enter_context(own_turn(manifest, arguments, shown))
    tell_of_departed(manifest, shown)
    current, binding = same_plan(reviewed, file, paths, manifest, reader, held, accepted)
    if binding.done and not current.changes:
        return conclude(current)
    say(text(current, painter(arguments.color), expand=arguments.expand), end="")
    if not current.changes or current.refused():
        return conclude(current)
    if arguments.if_current:
        # Last, and while the locks are held: whoever has waited here for an hour may be overtaken by now.
        check_current(host_of(os.environ))
    # Nothing is asked, so nothing is planned again.
    return Ready(Job(manifest, reader, writer, lambda _: current), current, current, turn)
