"""`xgrant console`: prints a link that signs in to the AWS console with a session of a grant's role."""

from __future__ import annotations

import argparse
import sys

from reconciler.commands.output import warn
from reconciler.commands.use import used
from reconciler.pipeline.use import console_link
from reconciler.render.escape import escape


def run(arguments: argparse.Namespace) -> int:
    """Print the link; whose session it is, and until when, goes to stderr."""
    found = used(arguments)
    sys.stdout.write(escape(console_link(found)) + "\n")
    warn(f"Whoever has the link is {escape(found.session.arn)} until {found.session.expires}; it opens for 15 minutes.")
    return 0
