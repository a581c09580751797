"""Applies forty grants at several parallelisms, with a latency on every call, and prints the ratios to one at a time.

`python -m benchmarks.parallelism`. From it the default of `--parallelism` was chosen.
"""

from __future__ import annotations

import contextlib
import io
import json
import os
import statistics
import tempfile
import time
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from reconciler.cli import main as xgrant
from reconciler.sandbox.scenario import SOURCE, TARGET, seed
from reconciler.sandbox.server import Sandbox

GRANTS, LATENCY, RUNS = 40, 0.040, 3
LEVELS = (1, 2, 4, 8, 16)


class Latency:
    """A WSGI layer that lets every call take a while, as the way to AWS does."""

    def __init__(self, application: Any) -> None:
        self._application = application

    def __call__(self, environ: dict[str, Any], start_response: Any) -> Iterable[bytes]:
        """Serve one request, later."""
        time.sleep(LATENCY)
        answer: Iterable[bytes] = self._application(environ, start_response)
        return answer


def manifest(folder: Path) -> Path:
    """Write forty grants to twenty users: a principal is written by one change at a time."""
    grants = {
        f"grant-{number:02}": {
            "from": {"account": "dev", "users": [f"user-{number % 20}"]},
            "to": {"account": "storage"},
            "permissions": [{"actions": ["s3:GetObject"], "resources": ["*"]}],
        }
        for number in range(GRANTS)
    }
    data = {
        "version": 1,
        "stack": "bench",
        "accounts": {"dev": {"id": SOURCE}, "storage": {"id": TARGET}},
        "defaults": {"access": {"assume_role": {"name": "xgrant-reconciler"}}},
        "grants": grants,
    }
    path = folder / "bench.yaml"
    path.write_text(json.dumps(data), encoding="utf-8")
    return path


def seconds(sandbox: Sandbox, path: Path, parallelism: int) -> float:
    """Return the wall time of one apply to accounts that have nothing of it."""
    sandbox.reset()
    scenario = seed(sandbox)
    os.environ.update(scenario.environment())
    for number in range(20):
        scenario.client("iam", "dev-admin").create_user(UserName=f"user-{number}")
    start = time.perf_counter()
    with contextlib.redirect_stdout(io.StringIO()), contextlib.redirect_stderr(io.StringIO()):
        assert xgrant(["apply", str(path), "--auto-approve", "--parallelism", str(parallelism)]) == 0
    return time.perf_counter() - start


def main() -> None:
    """Print the table."""
    with tempfile.TemporaryDirectory() as folder, Sandbox(aws_policies=False) as sandbox:
        sandbox.recorder._application = Latency(sandbox.recorder._application)
        path = manifest(Path(folder))
        taken = {level: [seconds(sandbox, path, level) for _ in range(RUNS)] for level in LEVELS}
    first = statistics.median(taken[1])
    print(f"{GRANTS} grants, {LATENCY * 1000:.0f} ms a call, {RUNS} runs each, in turn\n")
    print("| --parallelism | median, s | times as fast as 1 |")
    print("|---|---|---|")
    for level, runs in taken.items():
        print(f"| {level} | {statistics.median(runs):.2f} | {first / statistics.median(runs):.1f} |")


if __name__ == "__main__":
    main()
