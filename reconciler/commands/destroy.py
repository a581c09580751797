"""`xgrant destroy`: removes all that the stack owns."""

from __future__ import annotations

import argparse

from reconciler.commands import apply


def run(arguments: argparse.Namespace) -> int:
    """As `xgrant apply` would with no grant declared; see there."""
    return apply.run(arguments, destroy=True)
