"""`xgrant config`: profiles for AWS's tools, of the grants that somebody may use."""

from __future__ import annotations

import argparse
import os
import sys
from pathlib import Path

from reconciler.commands import DEFAULT_PATH
from reconciler.commands.aws_config import rewrite
from reconciler.commands.output import warn
from reconciler.commands.progress import progress
from reconciler.pipeline.use import Offered, offered_profiles
from reconciler.render.escape import escape
from reconciler.use.marked import block, with_block


def run(arguments: argparse.Namespace) -> int:
    """Print the profiles, or write them; what has none, and what is not known, goes to stderr."""
    source = arguments.profile or os.environ.get("AWS_PROFILE") or os.environ.get("AWS_DEFAULT_PROFILE") or "default"
    paths = arguments.paths or [DEFAULT_PATH]
    notify = progress(arguments).notice
    found = offered_profiles(paths, source=source, mfa_serial=arguments.mfa_serial, notify=notify)
    sections = found.profiles.sections
    if not arguments.write:
        sys.stdout.write(block(found.stack, sections))
    else:
        path = Path(os.environ.get("AWS_CONFIG_FILE") or "~/.aws/config").expanduser()
        changed = rewrite(path, lambda content: with_block(content, found.stack, sections))
        count = f"{len(sections)} profile{'s' * (len(sections) != 1)}"
        warn(f"{escape(str(path))}: {count}, {'written' if changed else 'as before'}")
    _tell(found)
    return 0


def _tell(found: Offered) -> None:
    for label, reason in found.profiles.left.items():
        warn(f"xgrant: no profile for {label}: {escape(reason)}")
    if found.unseen:
        warn(
            f"xgrant: whether you are in a group of {', '.join(found.unseen)} cannot be seen; the profile may not work"
        )
    if found.unresolved:
        warn(f"xgrant: no profile for {', '.join(found.unresolved)}: only the organization knows the accounts")
