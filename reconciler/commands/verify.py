"""`xgrant verify`: shows whether the doors that grants mean are open, and only as far as meant."""

from __future__ import annotations

import argparse
import sys

from reconciler.commands import DEFAULT_PATH, clock
from reconciler.commands.output import warn
from reconciler.commands.progress import progress
from reconciler.commands.use import ask_code
from reconciler.model import Verdict
from reconciler.pipeline.verify import verify
from reconciler.render.escape import escape
from reconciler.render.verification import verification_json, verification_text


def run(arguments: argparse.Namespace) -> int:
    """Print what was found.

    Return 6 if an account could not be read, 1 if none could, else 2 if a door is not as meant, else 0.
    """
    shown = progress(arguments)
    paths = arguments.paths or [DEFAULT_PATH]
    found = verify(paths, arguments.grants, arguments.profiles, ask_code=ask_code, notify=shown.notice, now=clock.now())
    shown.close()
    if arguments.format == "json":
        sys.stdout.write(verification_json(found))
        for why in found.unread.values():
            warn(escape(f"xgrant: {why}"))
    else:
        sys.stdout.write(verification_text(found))
    if found.unread:
        return 6 if found.read else 1
    return 2 if any(door.verdict() in (Verdict.CLOSED, Verdict.WIDER) for door in found.doors) else 0
