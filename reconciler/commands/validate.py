"""`xgrant validate`: checks manifests, offline."""

from __future__ import annotations

import argparse
import sys

from reconciler.manifest import load
from reconciler.render.escape import escape


def run(arguments: argparse.Namespace) -> int:
    """Return 0 if the manifests are valid; ManifestError (exit 3) if not."""
    manifest = load(arguments.paths)
    grants = len({*(grant.name for grant in manifest.grants), *manifest.unresolved})
    accounts = len(manifest.accounts)
    if manifest.unresolved:
        names = escape(", ".join(manifest.unresolved))
        why = "only the organization knows which accounts or tags that means; it is judged when plan asks it"
        print(f"not resolved offline: {names}: {why}", file=sys.stderr)
    print(
        f"valid: stack {escape(manifest.stack)}, {grants} grant{'s' * (grants != 1)}, "
        f"{accounts} account{'s' * (accounts != 1)}"
    )
    return 0
