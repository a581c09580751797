"""`xgrant merge`: joins the plan files of all shards to one."""

from __future__ import annotations

import argparse
import os
from collections.abc import Iterable
from pathlib import Path

from reconciler.commands import clock
from reconciler.commands.output import check_folder, conclude, warn
from reconciler.commands.show import print_plan_file
from reconciler.errors import UsageError, XgrantError
from reconciler.pipeline.main_job import check_accepted
from reconciler.pipeline.merge import merge_plan_files
from reconciler.planfile import check_target
from reconciler.render.escape import escape
from reconciler.render.outlook import outlook


def run(arguments: argparse.Namespace) -> int:
    """Print the plan and return as plan does; PlanFileError (exit 3) if the files are not all the shards of one."""
    _check_no_input(arguments.out, arguments.files)
    check_target(arguments.out)
    check_folder("-o", arguments.out)
    accepted = check_accepted(arguments.accept)
    try:
        merged = merge_plan_files(arguments.files, arguments.out, accepted=accepted)
    except OSError as error:
        raise XgrantError(f"{arguments.out}: the plan file cannot be written: {error.strerror}; make room") from error
    print_plan_file(merged, arguments)
    said = outlook(merged.plan, expires_at=merged.expires_at, now=clock.now())
    warn(f"The plan is written to {escape(arguments.out)}; {said}.")
    return conclude(merged.plan) or (2 if arguments.detailed_exitcode and merged.plan.changes else 0)


def _check_no_input(out: str, files: Iterable[str]) -> None:
    """Check that what is joined is not written over; UsageError if it would be."""
    for file in files:
        if Path(out).exists() and Path(file).exists() and os.path.samefile(out, file):  # noqa: PTH121 - of two names
            raise UsageError(f"-o: {out} is one of the plan files that are to be joined; name another")
