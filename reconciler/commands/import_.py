"""`xgrant import`: writes manifests of the roles that were made by hand."""

from __future__ import annotations

import argparse

from reconciler.commands.output import new_file, say, warn, write_new
from reconciler.commands.progress import progress
from reconciler.pipeline.directory import load_with_accounts
from reconciler.pipeline.imports import import_roles
from reconciler.pipeline.main_job import aws_ports
from reconciler.render.escape import escape


def run(arguments: argparse.Namespace) -> int:
    """Print or write the manifest; return 1 if an account or a named role could not be.

    An account whose callers are needed, and could not be read, leaves the roles that trust it.
    """
    output = new_file("--output", arguments.output)
    shown = progress(arguments)
    manifest = load_with_accounts(arguments.paths, shown.notice)
    reader, _ = aws_ports(manifest, shown.notice)
    roles = frozenset(arguments.role)
    text, found = import_roles(arguments.paths, manifest, reader, account=arguments.account, roles=roles)
    if found.imported and output is not None:
        write_new("--output", output, text)
    elif found.imported:
        say(text, end="")
    for role, reason in sorted(found.left.items()):
        warn(f"xgrant: not imported: the role {escape(role)}: {escape(reason)}")
    for item in found.imported:
        for note in item.notes:
            warn(f"xgrant: the grant {item.grant}: {escape(note)}")
    unwritten = f"; {escape(str(output))} was not written" if output is not None and not found.imported else ""
    warn(f"{len(found.imported)} imported, {len(found.left)} not{unwritten}")
    for error in found.unread:
        warn(f"xgrant: {escape(error)}")
    return 1 if roles & set(found.left) or found.unread else 0
