"""`xgrant demo`: the whole example against the emulated AWS."""

from __future__ import annotations

import argparse

from reconciler.commands.output import needs_sandbox, painter


def run(arguments: argparse.Namespace) -> int:
    """Return 0 if every step did what it should; DemoError (exit 1) at the first that did not."""
    with needs_sandbox():
        from reconciler.sandbox.demo import demo
    demo(painter(arguments.color).colour, say=lambda line: print(line, flush=True))
    return 0
