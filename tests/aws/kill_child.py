"""The process that is killed. Apart from the test, so that a new one starts with all it needs imported already."""

from __future__ import annotations

import os
import sys
from collections.abc import Mapping
from contextlib import redirect_stderr, redirect_stdout
from pathlib import Path

# Loaded before a child is made of it.
import reconciler.aws
import reconciler.commands.apply
from reconciler.cli import main

__all__ = ["apply"]


def apply(path: str, environment: Mapping[str, str], folder: str) -> None:
    """Apply a manifest, in an environment of its own, and say nothing. What only reads at the end is left out."""
    assert reconciler.aws
    os.environ.clear()
    os.environ.update(environment)
    os.chdir(folder)
    with Path(os.devnull).open("w", encoding="utf-8") as nowhere, redirect_stdout(nowhere), redirect_stderr(nowhere):
        sys.exit(main(["apply", path, "--auto-approve", "--no-verify"]))
