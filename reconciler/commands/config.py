"""`xgrant config`: profiles for AWS's tools, of the grants that somebody may use."""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Mapping

from reconciler.commands import DEFAULT_PATH
from reconciler.commands.aws_config import config_file, rewrite
from reconciler.commands.output import warn
from reconciler.commands.progress import progress
from reconciler.commands.use import ask_code
from reconciler.errors import UsageError
from reconciler.pipeline.use import Offered, offered_profiles
from reconciler.render.escape import escape
from reconciler.use.marked import block, sections_within, with_block
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
    before: dict[str, dict[str, str]] = {}

    def change(content: bytes) -> bytes:
        before.clear()
        before.update(sections_within(content, found.stack))
        if source in before:
            raise UsageError(
                f"the profile {source} is one of a grant; name the one that has your own credentials with --as"
            )
        return with_block(content, found.stack, sections)

    changed = rewrite(path, change)
    count = f"{len(sections)} profile{'s' * (len(sections) != 1)}"
    warn(f"{escape(str(path))}: {count}, {'written' if changed else 'as before'}")
    _tell_changes(found, before, source)


def _tell_changes(found: Offered, before: Mapping[str, Mapping[str, str]], source: str) -> None:
    """Say what has become of profiles that were in the file: a stack has one part of it, for one source."""
    sections = found.profiles.sections
    sources = {one["source_profile"] for one in before.values() if "source_profile" in one} - {source}
    if sources:
        warn(escape(
            f"xgrant: the profiles of the stack {found.stack} were those of {few(sorted(sources))}, and are those of "
            f"{source} now: the file has one part for each stack"
        ))  # fmt: skip
    names = {settings["role_arn"]: name for name, settings in sections.items()}
    gone = {name: names.get(settings.get("role_arn", ""), "") for name, settings in sorted(before.items())}
    renamed = [f"{name} (now {new})" for name, new in gone.items() if new and name not in sections]
    if renamed:
        warn(escape(f"xgrant: called otherwise by the prefix: {few(renamed)}"))
    if rest := [name for name, new in gone.items() if not new and name not in sections]:
        warn(escape(
            f"xgrant: taken out, since {source} has no profile of them, or the manifests have them no more: {few(rest)}"
        ))  # fmt: skip


def _tell(found: Offered) -> None:
    for label, reason in found.profiles.left.items():
        warn(f"xgrant: no profile for {label}: {escape(reason)}")
    for label, reason in found.waiting.items():
        warn(f"xgrant: the profile of {label} does not work yet: {escape(reason)}")
    if found.others:
        warn(escape(f"xgrant: no profile for {few(found.others)}: not for {found.who}"))
    if found.unseen:
        warn(
            f"xgrant: whether you are in a group of {', '.join(found.unseen)} cannot be seen; the profile may not work"
        )
    if found.unresolved:
        warn(f"xgrant: no profile for {', '.join(found.unresolved)}: only the organization knows the accounts")
