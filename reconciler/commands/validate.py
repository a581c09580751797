"""`xgrant validate`: checks manifests, offline."""

from __future__ import annotations

import argparse

from reconciler.manifest import load
from reconciler.render.escape import escape


def run(arguments: argparse.Namespace) -> int:
    """Return 0 if the manifests are valid; ManifestError (exit 3) if not."""
    manifest = load(arguments.paths)
    grants, accounts = len(manifest.grants), len(manifest.accounts)
    print(
        f"valid: stack {escape(manifest.stack)}, {grants} grant{'s' * (grants != 1)}, "
        f"{accounts} account{'s' * (accounts != 1)}"
    )
    return 0
