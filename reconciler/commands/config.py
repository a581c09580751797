"""`xgrant config`: profiles for AWS's tools, of the grants that somebody may use."""

from __future__ import annotations

import argparse
import os
import sys

from reconciler.commands import DEFAULT_PATH
from reconciler.commands.aws_config import config_file, rewrite
from reconciler.commands.output import warn
from reconciler.commands.progress import progress
from reconciler.commands.use import ask_code
from reconciler.errors import UsageError
from reconciler.pipeline.use import Offered, offered_profiles
from reconciler.render.escape import escape
from reconciler.use.marked import block, names_within, with_block
from reconciler.wording import few


def run(arguments: argparse.Namespace) -> int:
    """Print the profiles, or write them; what has none, and what is not known, goes to stderr."""
    source = arguments.profile or os.environ.get("AWS_PROFILE") or os.environ.get("AWS_DEFAULT_PROFILE") or "default"
    found = offered_profiles(
        arguments.paths or [DEFAULT_PATH], source=source, mfa_serial=arguments.mfa_serial, prefix=arguments.prefix,
        ask_code=ask_code, notify=progress(arguments).notice,
    )  # fmt: skip
    if arguments.write:
        _write(found, source)
    else:
        sys.stdout.write(block(found.stack, found.profiles.sections))
    _tell(found)
    return 0


def _write(found: Offered, source: str) -> None:
    path, sections = config_file(), found.profiles.sections
    gone: list[str] = []

    def change(content: bytes) -> bytes:
        names = names_within(content, found.stack)
        if source in names:
            raise UsageError(
                f"the profile {source} is one of a grant; name the one that has your own credentials with --as"
            )
        gone[:] = sorted(names - sections.keys())
        return with_block(content, found.stack, sections)

    changed = rewrite(path, change)
    count = f"{len(sections)} profile{'s' * (len(sections) != 1)}"
    warn(f"{escape(str(path))}: {count}, {'written' if changed else 'as before'}")
    if gone:
        warn(f"xgrant: taken out, since {escape(source)} may not use them: {escape(few(gone))}")


def _tell(found: Offered) -> None:
    for label, reason in found.profiles.left.items():
        warn(f"xgrant: no profile for {label}: {escape(reason)}")
    if found.unseen:
        warn(
            f"xgrant: whether you are in a group of {', '.join(found.unseen)} cannot be seen; the profile may not work"
        )
    if found.unresolved:
        warn(f"xgrant: no profile for {', '.join(found.unresolved)}: only the organization knows the accounts")
