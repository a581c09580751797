"""`xgrant assume`: prints the credentials of a session for a shell."""

from __future__ import annotations

import argparse
import sys

from reconciler.commands.output import warn
from reconciler.commands.use import used
from reconciler.render.escape import escape
from reconciler.render.sessions import environment, lines, session_json


def run(arguments: argparse.Namespace) -> int:
    """Print the lines, or JSON; whose session it is, and until when, goes to stderr."""
    found = used(arguments)
    session = found.session
    if arguments.format == "json":
        sys.stdout.write(session_json(session, found.use.role_arn))
    else:
        sys.stdout.write(lines(environment(session, found.who.region), arguments.shell))
    warn(f"You are {escape(session.arn)} until {session.expires}.")
    return 0
