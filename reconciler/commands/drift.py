"""`xgrant drift`: shows where AWS is not as the manifests say."""

from __future__ import annotations

import argparse
import sys

from reconciler.commands import clock
from reconciler.commands.formats import print_drift
from reconciler.commands.output import conclude, painter
from reconciler.commands.progress import progress
from reconciler.commands.turns import tell_of_locks
from reconciler.pipeline.directory import load_with_accounts
from reconciler.pipeline.executors import elsewhere
from reconciler.pipeline.main_job import Request, aws_ports, make_plan
from reconciler.render.drift import drift_json, drift_text, drifted, obstacles


def run(arguments: argparse.Namespace) -> int:
    """Print the drift; return 2 if there is any, 0 if there is none, 6 where an account could not be read."""
    shown = progress(arguments)
    manifest = load_with_accounts(arguments.paths, shown.notice)
    with elsewhere(arguments.executor, arguments.scheduler, shown.notice) as workers:
        reader, _ = aws_ports(manifest, shown.notice, workers)
        tell_of_locks(manifest, shown)
        request = Request(manifest, frozenset(arguments.only), shard=arguments.shard)
        plan = make_plan(request, reader, now=clock.now())
    match arguments.format:
        case "text":
            sys.stdout.write(drift_text(plan, painter(arguments.color)))
        case "json":
            sys.stdout.write(drift_json(plan, arguments.shard))
        case form:
            print_drift(plan, form, only=arguments.only, shard=arguments.shard)
    if not plan.complete():
        return conclude(plan)
    return 2 if drifted(plan) or obstacles(plan) else 0
