"""`xgrant doctor`: shows what is wrong with the set-up in which xgrant works; changes nothing in any account."""

from __future__ import annotations

import argparse
import sys

from reconciler.commands import clock
from reconciler.commands.progress import progress
from reconciler.model import Severity
from reconciler.pipeline.directory import load_with_accounts
from reconciler.pipeline.doctor import diagnose
from reconciler.render.health import diagnosis_json, diagnosis_text


def run(arguments: argparse.Namespace) -> int:
    """Print what was found.

    Return 6 if an account could not be read, 1 if none could, else 2 if it is more than notes, else 0.
    """
    shown = progress(arguments)
    manifest = load_with_accounts(arguments.paths, shown.notice)
    found = diagnose(manifest, shown.notice, now=clock.now())
    shown.close()
    sys.stdout.write(diagnosis_json(found) if arguments.format == "json" else diagnosis_text(found))
    if found.unread:
        return 6 if len(found.unread) < len(found.accounts) else 1
    return 2 if any(one.severity is not Severity.NOTE for one in found.ailments) else 0
