"""`xgrant assume`: prints the credentials of a session for a shell."""

from __future__ import annotations

import argparse
import sys

from reconciler.commands.output import warn
from reconciler.commands.use import used
from reconciler.render.escape import escape
from reconciler.render.sessions import environment, failure, lines, session_json


def run(arguments: argparse.Namespace) -> int:
    """Print the lines, or JSON; whose session it is, and until when, goes to stderr.

    Whatever fails, a shell that evaluates the output gets a line that fails too: else a script would go on as whoever
    started it.
    """
    try:
        found = used(arguments)
    except BaseException:
        if arguments.format == "shell" and not sys.stdout.isatty():
            sys.stdout.write(failure(arguments.shell))
        raise
    session = found.session
    if arguments.format == "json":
        sys.stdout.write(session_json(session, found.use.role_arn))
    else:
        sys.stdout.write(lines(environment(session, found.who.variables), arguments.shell))
    warn(f"You are {escape(session.arn)} until {session.expires}.")
    return 0
