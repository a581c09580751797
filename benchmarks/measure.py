"""Runs a command as a whole process and measures it."""

from __future__ import annotations

import os
import subprocess
import tempfile
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from threading import Timer

LONGEST = 900.0
"""Seconds after which a command is ended."""


@dataclass(frozen=True, slots=True)
class Command:
    """A command line, where it runs, and what its environment has beside that of this process.

    All is well if it ends with 0 and its output has `says`.
    """

    argv: tuple[str, ...]
    folder: Path
    environment: Mapping[str, str] = field(default_factory=dict)
    says: str = ""


@dataclass(frozen=True, slots=True)
class Measured:
    """Wall time and CPU time (user and system, with children) in seconds; the memory of the largest process in MB."""

    wall: float
    cpu: float
    memory: float
    code: int
    output: str


_UNSET = ("PYTHONDONTWRITEBYTECODE", "PYTHONUNBUFFERED", "TF_CLI_CONFIG_FILE", "AWS_PROFILE", "AWS_SESSION_TOKEN")
"""Of the environment: what would slow a command down in a way that users do not see, or lead it elsewhere."""


def measure(command: Command, bytecode: Path | None = None) -> Measured:
    """Run a command to its end.

    The largest process is the command or one of its children: the system notes the most that each had (`ru_maxrss`).
    It counts there what this process had before the command took its place, so this process has to be small.
    `bytecode` is where Python keeps what it has compiled, so that no run but the first compiles.
    """
    environment = {name: value for name, value in os.environ.items() if name not in _UNSET}
    environment |= command.environment
    if bytecode is not None:
        environment["PYTHONPYCACHEPREFIX"] = str(bytecode)
    with tempfile.TemporaryFile() as output:
        start = time.perf_counter()
        process = subprocess.Popen(
            command.argv, cwd=command.folder, env=environment, stdin=subprocess.DEVNULL, stdout=output, stderr=output
        )
        timer = Timer(LONGEST, process.kill)
        timer.start()
        try:
            _, status, usage = os.wait4(process.pid, 0)
        except KeyboardInterrupt:
            process.kill()
            raise
        wall = time.perf_counter() - start
        timer.cancel()
        process.returncode = os.waitstatus_to_exitcode(status)
        output.seek(0)
        text = output.read().decode(errors="replace")
    return Measured(wall, usage.ru_utime + usage.ru_stime, usage.ru_maxrss / 1024, process.returncode, text)
