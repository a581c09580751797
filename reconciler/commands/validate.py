"""`xgrant validate`: checks manifests, offline, and that they do nothing that guardrails deny."""

from __future__ import annotations

import argparse
import sys

from reconciler.commands.annotations import any_grant, print_annotations, problems_as
from reconciler.commands.held import held_to
from reconciler.commands.output import unresolved, warn
from reconciler.manifest import load
from reconciler.render.escape import escape
from reconciler.render.lint import as_text


def run(arguments: argparse.Namespace) -> int:
    """Return 0 if the manifests are valid, 3 if a guardrail denies something; ManifestError (exit 3) if not valid."""
    with problems_as(arguments.format):
        manifest = load(arguments.paths)
        held = held_to(arguments, manifest)
    found = held.denied_in_manifest()
    annotated = print_annotations(found, arguments.format, anywhere=any_grant(manifest))
    if found:
        if not annotated:
            sys.stderr.write(as_text(found))
        return 3
    grants = len({*(grant.name for grant in manifest.grants), *manifest.unresolved})
    accounts = len(manifest.accounts)
    unresolved(manifest)
    for words in held.not_run():
        warn(escape(words))
    print(
        f"valid: stack {escape(manifest.stack)}, {grants} grant{'s' * (grants != 1)}, "
        f"{accounts} account{'s' * (accounts != 1)}",
        file=sys.stderr if annotated else sys.stdout,
    )
    return 0
