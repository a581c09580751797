"""`xgrant credential-process`: gives AWS's tools the credentials of a session, as their `credential_process`."""

from __future__ import annotations

import argparse
import os
import shlex
import sys

from reconciler.commands.use import used
from reconciler.errors import UsageError
from reconciler.render.sessions import credential_process

_WITHIN = "XGRANT_CREDENTIAL_PROCESS"
"""The variable with the command lines that this one was started by, one a line."""

SHORTEST = 1800
"""The shortest session that this gives, in seconds: AWS's tools ask for a new one 15 minutes before the end, and so
would run this again for each request (botocore.credentials, RefreshableCredentials)."""


def run(arguments: argparse.Namespace) -> int:
    """Print the credentials as JSON.

    The AWS tools in this process may find a profile that runs this command, and so on without an end.
    """
    if arguments.duration is not None and arguments.duration < SHORTEST:
        raise UsageError(
            "credential-process: --duration: AWS's tools ask for a new session 15m before the end; give 30m"
        )
    this, within = shlex.join(arguments.command_line), os.environ.get(_WITHIN, "").splitlines()
    if this in within:
        raise UsageError(
            "credential-process: the profile that it takes credentials from runs it again; name the one that has your "
            "own credentials with --as"
        )
    os.environ[_WITHIN] = "\n".join([*within, this])
    sys.stdout.write(credential_process(used(arguments).session))
    return 0
