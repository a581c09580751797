"""`xgrant plan`: shows what apply would change, and writes it to a file for review."""

from __future__ import annotations

import argparse
import sys
from datetime import timedelta

from reconciler.commands import clock
from reconciler.commands.formats import print_plan
from reconciler.commands.held import held_to
from reconciler.commands.output import check_folder, conclude, painter, warn
from reconciler.commands.progress import Progress, progress
from reconciler.commands.reviewing import check, check_options, keep, kept_in
from reconciler.commands.same_plan import same_plan
from reconciler.commands.turns import tell_of_locks
from reconciler.errors import UsageError, XgrantError
from reconciler.model import Manifest
from reconciler.pipeline.analyzer import analyzed, aws_analyzer
from reconciler.pipeline.directory import load_with_accounts
from reconciler.pipeline.executors import elsewhere
from reconciler.pipeline.guardrails import Guardrails
from reconciler.pipeline.main_job import Request, aws_ports, check_accepted, make_plan
from reconciler.pipeline.plan_files import read_plan_file, shard_data, write_plan_file
from reconciler.planfile import check_target
from reconciler.policy.instants import A_DAY
from reconciler.render.data import to_json
from reconciler.render.escape import escape
from reconciler.render.outlook import outlook
from reconciler.render.text import text


def run(arguments: argparse.Namespace) -> int:
    """Print the plan; return 3 if it is refused, 6 if accounts are left out, 2 for changes with --detailed-exitcode."""
    check_options(arguments)
    if arguments.expires and arguments.out is None:
        raise UsageError("--expires is for a plan file; name one with -o")
    if arguments.out is not None:
        check_target(arguments.out)
        check_folder("-o", arguments.out)
    accepted = check_accepted(arguments.accept)
    shown = progress(arguments)
    manifest = load_with_accounts(arguments.paths, shown.notice)
    held = held_to(arguments, manifest)
    store = kept_in(manifest, arguments)
    if arguments.same_as is not None:
        return _compare(arguments, manifest, held, accepted, shown)
    request = Request(
        manifest, frozenset(arguments.only), arguments.destroy, accepted, shard=arguments.shard, guardrails=held
    )
    with elsewhere(arguments.executor, arguments.scheduler, shown.notice) as workers:
        reader, _ = aws_ports(manifest, shown.notice, workers)
        tell_of_locks(manifest, shown)
        plan = make_plan(request, reader, now=clock.now())
    if arguments.access_analyzer:
        plan = analyzed(plan, held, aws_analyzer(manifest, shown.notice))
    match arguments.format:
        case "text":
            sys.stdout.write(text(plan, painter(arguments.color), expand=arguments.expand))
        case "json":
            sys.stdout.write(to_json(plan, shard_data(request)))
        case _:
            print_plan(
                plan, arguments, paths=arguments.paths, wanted=bool(plan.wanted()), only=request.only,
                destroy=request.destroy, shard=request.shard,
            )  # fmt: skip
    if arguments.out is not None:
        created = clock.now()
        expires = created + timedelta(seconds=arguments.expires or A_DAY)
        try:
            write_plan_file(plan, request, arguments.out, paths=arguments.paths, created_at=created, expires_at=expires)
        except (OSError, ValueError) as error:
            why = error.strerror if isinstance(error, OSError) else str(error)
            raise XgrantError(
                f"{arguments.out}: the plan file cannot be written: {why}; make room or name a file elsewhere"
            ) from error
        said = outlook(plan, expires_at=expires, now=created, shard=arguments.shard)
        warn(f"The plan is written to {escape(arguments.out)}; {said}.")
        if store is not None and not plan.refused():
            keep(store, arguments.out, arguments.review)
    return conclude(plan) or (2 if arguments.detailed_exitcode and plan.changes else 0)


def _compare(
    arguments: argparse.Namespace, manifest: Manifest, held: Guardrails, accepted: frozenset[str], shown: Progress
) -> int:
    """Print the plan of now and return as `run`; StaleError, ReviewError (exit 4) unless a reviewed one says it."""
    file = arguments.same_as
    reviewed = read_plan_file(file)
    check(manifest, reviewed, file, arguments)
    with elsewhere(arguments.executor, arguments.scheduler, shown.notice) as workers:
        reader, _ = aws_ports(manifest, shown.notice, workers)
        tell_of_locks(manifest, shown)
        plan, binding = same_plan(reviewed, file, arguments.paths, manifest, reader, held, accepted)
    if plan.changes or not binding.done:  # Else it has been said.
        sys.stdout.write(text(plan, painter(arguments.color), expand=arguments.expand))
    return conclude(plan) or (2 if arguments.detailed_exitcode and plan.changes else 0)
