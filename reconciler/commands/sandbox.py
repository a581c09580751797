"""`xgrant sandbox`: serves the emulated AWS until it is interrupted."""

from __future__ import annotations

import argparse
import os
import shlex
import signal
import socket
import sys
import tempfile
import threading
from pathlib import Path
from typing import TYPE_CHECKING

from reconciler.commands.output import needs_sandbox
from reconciler.commands.stopping import heard
from reconciler.errors import UsageError

if TYPE_CHECKING:
    from reconciler.sandbox.scenario import Scenario


def run(arguments: argparse.Namespace) -> int:
    """Print the environment to export, then serve until Ctrl-C, SIGTERM or the end of the terminal.

    What was written for it goes then.
    """
    with needs_sandbox():
        from reconciler.sandbox.scenario import seed
        from reconciler.sandbox.server import Sandbox
    _check_port(arguments.port)
    stop = _stopped()  # Before anything is written that has to go again.
    with (
        Sandbox(arguments.port, strict=arguments.strict) as sandbox,
        tempfile.TemporaryDirectory(prefix="xgrant-sandbox-") as folder,
    ):
        scenario = seed(sandbox)
        sandbox.enforce(on=True)
        _print_environment(scenario, Path(folder))
        print(f"The sandbox runs until Ctrl-C. {_next(pasted=sys.stdout.isatty())}", file=sys.stderr)
        stop.wait()
    return 0


def _stopped() -> threading.Event:
    """Return what a signal that is to end this sets from now on."""
    stop = threading.Event()
    for number in heard():
        signal.signal(number, lambda *_: stop.set())
    return stop


def _next(*, pasted: bool) -> str:
    lines = "Paste the lines above into another terminal" if pasted else "Let a shell read the lines (`. FILE`)"
    return f"{lines}, then try `xgrant plan` there."


def _check_port(port: int) -> None:
    """Raise UsageError for a port that cannot be had: the server itself would end the process."""
    try:
        socket.create_server(("127.0.0.1", port)).close()
    except OSError as error:
        why = os.strerror(error.errno or 0)
        raise UsageError(
            f"--port: 127.0.0.1:{port} cannot be had: {why}; name another port, or leave it out for a free one"
        ) from error


def _print_environment(scenario: Scenario, folder: Path) -> None:
    from reconciler.sandbox.scenario import CLEARED, aws_files

    print(f"unset {' '.join(CLEARED)}")
    for name, value in {**scenario.environment(), **aws_files(scenario, folder)}.items():
        print(f"export {name}={shlex.quote(value)}")
    print(
        "# You are operator, who may only assume the role xgrant-reconciler. The others are profiles, like --as alice:"
    )
    for user, keys in scenario.users.items():
        if user != "operator":
            print(f"# {user}: AWS_ACCESS_KEY_ID={keys.access_key} AWS_SECRET_ACCESS_KEY={keys.secret_key}")
    sys.stdout.flush()
