"""`xgrant sandbox`: serves the emulated AWS until it is interrupted."""

from __future__ import annotations

import argparse
import shlex
import signal
import sys
import threading

from reconciler.commands.output import needs_sandbox


def run(arguments: argparse.Namespace) -> int:
    """Print the environment to export, then serve until Ctrl-C or SIGTERM."""
    with needs_sandbox():
        from reconciler.sandbox.scenario import CLEARED, seed
        from reconciler.sandbox.server import Sandbox
    with Sandbox(arguments.port, strict=arguments.strict) as sandbox:
        scenario = seed(sandbox)
        sandbox.enforce(on=True)
        print(f"unset {' '.join(CLEARED)}")
        for name, value in scenario.environment().items():
            print(f"export {name}={shlex.quote(value)}")
        print("# You are operator, who may only assume the role xgrant-reconciler. The others, to try things as them:")
        for user, keys in scenario.users.items():
            if user != "operator":
                print(f"# {user}: AWS_ACCESS_KEY_ID={keys.access_key} AWS_SECRET_ACCESS_KEY={keys.secret_key}")
        sys.stdout.flush()
        print(
            "The sandbox runs until Ctrl-C. Paste the lines above into another terminal, then try `xgrant plan` there.",
            file=sys.stderr,
        )
        stop = threading.Event()
        for number in (signal.SIGINT, signal.SIGTERM):
            signal.signal(number, lambda *_: stop.set())
        stop.wait()
    return 0
