"""The options of plan and apply about what was reviewed."""

from __future__ import annotations

import argparse
from pathlib import Path

from reconciler.commands.output import warn
from reconciler.errors import ReviewError, UsageError
from reconciler.model import Manifest
from reconciler.pipeline.plan_files import read_plan_file
from reconciler.pipeline.reviews import check_name, check_review, keep_review, review_store
from reconciler.planfile import PlanFile, read_bytes
from reconciler.ports import Store
from reconciler.render.escape import escape

_OF_THE_FILE = {
    "only": "--only", "destroy": "--destroy", "out": "-o", "expires": "--expires", "shard": "--shard",
    "access_analyzer": "--access-analyzer",
}  # fmt: skip
"""What `plan --same-as` leaves no room for, since the file says it."""


def check_options(arguments: argparse.Namespace) -> None:
    """Check what plan was asked about a review, before anything is read; UsageError where it does not fit."""
    if arguments.review is not None:
        check_name(arguments.review)
    if arguments.same_as is not None:
        if beside := [option for name, option in _OF_THE_FILE.items() if getattr(arguments, name)]:
            raise UsageError(f"--same-as: the plan file says itself what it is for; leave out {', '.join(beside)}")
        if arguments.format != "text":
            raise UsageError("--same-as prints text; show the plan file in another format")
    elif arguments.review is not None and arguments.out is None:
        raise UsageError("--review keeps a plan file; name one with -o, or one to compare with by --same-as")
    if arguments.review is not None and arguments.shard is not None:
        raise UsageError("--review: a shard is applied only once it is merged; keep what `xgrant merge` makes")


def kept_in(manifest: Manifest, arguments: argparse.Namespace) -> Store | None:
    """Return where `--review` keeps what was reviewed; None where it is not asked to, or `--if-store` finds no store.

    A review without a name is an error, so that none is left out where a job has lost its name.
    """
    if arguments.review is None:
        if arguments.if_store:
            raise UsageError("--if-store goes with --review NAME")
        return None
    check_name(arguments.review)
    if arguments.if_store and not manifest.store:
        warn("The manifests state no store, so the plan file is all that says what was reviewed.")
        return None
    return review_store(manifest)


def keep(store: Store, file: str, name: str) -> None:
    """Keep a plan file that was just written as a review; where another is there already, the file goes.

    Raises as `keep_review`.
    """
    try:
        keep_review(store, read_plan_file(file), read_bytes(file), name)
    except ReviewError:
        # Who finds it would take it for what is reviewed.
        Path(file).unlink()
        raise
    warn(escape(f"The plan is kept in {store.place} as the review {name}."))


def check(manifest: Manifest, reviewed: PlanFile, file: str, arguments: argparse.Namespace) -> None:
    """Check that a plan file is what was kept as the review of a name, if there is one; raises as `check_review`."""
    store = kept_in(manifest, arguments)
    if store is not None:
        check_review(store, reviewed, file, arguments.review)
