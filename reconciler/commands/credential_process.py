"""`xgrant credential-process`: gives AWS's tools the credentials of a session, as their `credential_process`."""

from __future__ import annotations

import argparse
import os
import sys

from reconciler.commands.use import used
from reconciler.errors import UsageError
from reconciler.render.sessions import credential_process

_WITHIN = "XGRANT_CREDENTIAL_PROCESS"


def run(arguments: argparse.Namespace) -> int:
    """Print the credentials as JSON.

    The AWS tools in this process may find a profile that runs this command, and so on without an end.
    """
    if os.environ.get(_WITHIN):
        raise UsageError(
            "credential-process: the profile that it takes credentials from runs it again; name the one that has your "
            "own credentials with --as"
        )
    os.environ[_WITHIN] = "1"
    sys.stdout.write(credential_process(used(arguments).session))
    return 0
