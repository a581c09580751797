"""`xgrant unlock`: releases the locks of a run that no longer lives."""

from __future__ import annotations

import argparse

from reconciler.commands.output import warn
from reconciler.locking import LEASE
from reconciler.manifest import load
from reconciler.pipeline.stores import release_locks
from reconciler.render.escape import escape


def run(arguments: argparse.Namespace) -> int:
    """Return 0 when the locks are released; XgrantError (exit 1) if there is none with this id."""
    released = release_locks(load(arguments.paths), arguments.id)
    print(f"released: {escape(', '.join(released))}")
    warn(f"xgrant: should that run live still, it stops within {LEASE / 3:.0f} s, when it would renew its locks")
    return 0
