"""`xgrant rotate`: makes roles anew; of a grant for a third party, the external id."""

from __future__ import annotations

import argparse

from reconciler.commands import DEFAULT_PATH, clock
from reconciler.commands.apply import Job, carry_out
from reconciler.commands.output import say, warn
from reconciler.commands.progress import Progress
from reconciler.errors import UsageError
from reconciler.pipeline import Elsewhere, aws_ports, check_accepted, load_with_accounts, make_plan
from reconciler.pipeline.rotate import due, rotation
from reconciler.use import chosen


def run(arguments: argparse.Namespace) -> int:
    """Replace roles as apply does, with its exit codes; or print the change of the manifest that rotates an id."""
    arguments.paths = arguments.paths or [DEFAULT_PATH]
    if arguments.due == bool(arguments.grants):
        raise UsageError("name the grants to rotate, or say --due for all that are due")

    def job(shown: Progress, workers: Elsewhere | None) -> Job | int:
        accepted = check_accepted(arguments.accept)
        manifest = load_with_accounts(arguments.paths, shown.notice, anew=True, writing=True)
        reader, writer = aws_ports(manifest, shown.notice, workers)
        if arguments.due:
            found = due(manifest, reader, now=clock.now())
            for name in sorted({use.grant.name for use in found if use.grant.external_ids}):
                warn(f"xgrant: the external id of the grant {name} is due; it is rotated by `xgrant rotate {name}`")
            found = tuple(use for use in found if not use.grant.external_ids)
        else:
            found = chosen(manifest, arguments.grants)
        if not found:
            say("No role is due for rotation.")
            return 0
        request = rotation(manifest, found, now=clock.now(), accepted=accepted)
        return Job(manifest, reader, writer, lambda now: make_plan(request, reader, now=now))

    return carry_out(arguments, job)
