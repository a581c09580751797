"""What manifests are held to, for the commands that look for it; says on the terminal which folders count."""

from __future__ import annotations

import argparse

from reconciler.commands import clock
from reconciler.commands.output import warn
from reconciler.model import Manifest
from reconciler.pipeline.guardrails import Guardrails, guardrails
from reconciler.render.escape import escape


def held_to(arguments: argparse.Namespace, manifest: Manifest, paths: list[str] | None = None) -> Guardrails:
    """Return the guardrails of a manifest that was read from `paths`, those of the command line if none are given.

    Raises:
        ManifestError: what `policies/` say is wrong.

    """
    held = guardrails(manifest, paths or arguments.paths, clock.now(), arguments.policies)
    if folders := held.policies.folders:
        warn(f"Guardrails: {', '.join(map(escape, folders))}")
    return held
