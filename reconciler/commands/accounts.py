"""`xgrant accounts`: shows all accounts and how each is reached; with --orphans those that have left."""

from __future__ import annotations

import argparse
import sys

from reconciler.commands.progress import progress
from reconciler.pipeline.departed import left_behind
from reconciler.pipeline.directory import load_with_accounts
from reconciler.render.accounts import accounts_json, accounts_text, departed_json, departed_text


def run(arguments: argparse.Namespace) -> int:
    """Print the accounts; return 0.

    With --orphans return 6 if one could not be read, 2 if something is left in one, as drift does.
    """
    shown = progress(arguments)
    as_json = arguments.format == "json"
    manifest = load_with_accounts(arguments.paths, shown.notice, anew=True, tags=True)
    if not arguments.orphans:
        sys.stdout.write(accounts_json(manifest) if as_json else accounts_text(manifest))
        return 0
    found = left_behind(manifest, shown.notice)
    shown.close()
    sys.stdout.write(departed_json(found) if as_json else departed_text(found))
    if any(one.resources is None for one in found):
        return 6
    return 2 if any(one.resources for one in found) else 0
