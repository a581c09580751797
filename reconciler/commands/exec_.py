"""`xgrant exec`: runs a command with the credentials of a session, in its environment and nowhere else."""

from __future__ import annotations

import argparse
import errno
import os
import shutil
import signal
import subprocess
import sys
from pathlib import Path
from typing import NoReturn

from reconciler.commands.output import print_error
from reconciler.commands.use import used
from reconciler.errors import UsageError, XgrantError
from reconciler.render.sessions import HIDDEN_BY, environment

NOT_FOUND, NOT_RUN = 127, 126
"""The exit codes of shells for a command that is not there, and one that cannot be run."""


def run(arguments: argparse.Namespace) -> int:
    """Run the command; its exit code is this one's."""
    if not arguments.program:
        raise UsageError("exec: name the command to run behind --, like: xgrant exec GRANT -- aws s3 ls")
    if lacking := _missing(arguments.program[0]):
        return _not_run(arguments.program[0], os.strerror(lacking), _code(lacking))
    found = used(arguments)
    kept = {name: value for name, value in os.environ.items() if name not in HIDDEN_BY}
    try:
        variables = {**kept, **environment(found.session, found.who.variables)}
        if os.name == "nt":  # There the new process would not be waited for.
            return subprocess.call(arguments.program, env=variables)  # noqa: S603 - the user's own command
        _become(arguments.program, variables)
    except (OSError, ValueError) as error:
        reason = error.strerror if isinstance(error, OSError) else str(error)
        number = error.errno if isinstance(error, OSError) else None
        return _not_run(arguments.program[0], reason, _code(number))


def _missing(program: str) -> int:
    """Return the number of the error that a command cannot be run with, before a session is asked for in vain.

    0 where it can, as far as that is seen. As shells do it: a file of that name in the PATH that may not be run is
    another thing than none.
    """
    if Path(program).name != program:
        found = Path(program).exists()
        return 0 if found and os.access(program, os.X_OK) else errno.EACCES if found else errno.ENOENT
    if shutil.which(program):
        return 0
    return errno.EACCES if shutil.which(program, mode=os.F_OK) else errno.ENOENT


def _code(number: int | None) -> int:
    return NOT_FOUND if number == errno.ENOENT else NOT_RUN


def _not_run(program: str, why: str | None, code: int) -> int:
    print_error(XgrantError(f"exec: {program} cannot be run: {why}; name a command that can"))
    return code


def _become(program: list[str], variables: dict[str, str]) -> NoReturn:
    """Run the command in place of this process, so that signals and the exit code are its own."""
    for stream in (sys.stdout, sys.stderr):
        stream.flush()
    # Python ignores these, and what is ignored stays so in the new program.
    for name in ("SIGPIPE", "SIGXFSZ"):
        signal.signal(getattr(signal, name), signal.SIG_DFL)
    os.execvpe(program[0], program, variables)  # noqa: S606 - likewise
