"""Where the CPU time of a no-op plan goes: `python -m benchmarks.stages xgrant|floor FOLDER` prints it as JSON.

It does in this process what the command does, with the files of a run in the folder. The times are those of all
threads, in seconds.
"""

from __future__ import annotations

import contextlib
import io
import json
import sys
import time
from collections.abc import Callable
from typing import Any

_times: dict[str, float] = {}
_last = 0.0


def main() -> None:
    """Time the stages of one tool."""
    _mark("Python")
    with contextlib.redirect_stdout(io.StringIO()):
        {"xgrant": _xgrant, "floor": _floor}[sys.argv[1]](sys.argv[2])
    print(json.dumps(_times))


def _mark(stage: str) -> None:
    """Add what was used since the last mark to a stage."""
    global _last
    now = time.process_time()
    _times[stage] = _times.get(stage, 0) + now - _last
    _last = now


def _around(module: Any, name: str, stage: str) -> None:
    """Let what a module calls so be a stage of its own."""
    function: Callable[..., Any] = getattr(module, name)

    def timed(*arguments: Any, **options: Any) -> Any:
        _mark("the rest")
        result = function(*arguments, **options)
        _mark(stage)
        return result

    setattr(module, name, timed)


def _xgrant(folder: str) -> None:
    from reconciler import cli
    from reconciler.commands import plan

    _mark("imports")
    from reconciler.aws.reader import AwsReader
    from reconciler.pipeline import main_job

    _mark("import of boto3")
    for module, name, stage in (
        (plan, "load_with_accounts", "validate"), (main_job, "desired_state", "desired"), (AwsReader, "read", "read"),
        (main_job, "plan", "diff"), (plan, "text", "text"),
    ):  # fmt: skip
        _around(module, name, stage)
    code = cli.main(["plan", f"{folder}/bench.yaml", "--detailed-exitcode", "--log-level", "error"])
    _mark("the rest")
    if code:
        raise SystemExit(code)


def _floor(folder: str) -> None:
    from benchmarks import floor

    _mark("import of boto3")
    sys.argv = ["floor", "plan", f"{folder}/workload.json"]
    _around(floor, "clients", "clients")
    _around(floor, "read", "read")
    floor.main()
    _mark("the rest")


if __name__ == "__main__":
    main()
