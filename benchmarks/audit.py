"""How the time of an audit of files grows with the events: `python -m benchmarks.audit` prints a table.

The floor reads the same files as JSON and does nothing with them.
"""

from __future__ import annotations

import json
import resource
import subprocess
import sys
import tempfile
import time
from datetime import UTC, datetime
from pathlib import Path

from reconciler.manifest import load
from reconciler.pipeline.audit import AuditRequest, make_audit
from reconciler.pipeline.trail_files import records
from tests.month import make_month
from tests.support import grant_yaml, manifest_yaml

SIZES = (50_000, 100_000)
_ROUNDS = 3


def main() -> None:
    """Measure each size in a process of its own, and print what came out."""
    match sys.argv[1:]:
        case ["make", logs, size]:
            make_month(Path(logs), int(size))
        case ["look", logs]:
            print(json.dumps(_measured(Path(logs))))
        case _:
            _table()


def _table() -> None:
    print("| events | CPU s, the floor | CPU s, xgrant | ratio | peak memory, MiB |\n|---:|---:|---:|---:|---:|")
    with tempfile.TemporaryDirectory() as folder:
        for size in SIZES:
            logs = str(Path(folder, str(size), "logs"))
            _run("make", logs, str(size))
            floor, own, memory = (min(each) for each in zip(*(_run("look", logs) for _ in range(_ROUNDS)), strict=True))
            print(f"| {size:,} | {floor:.2f} | {own:.2f} | {own / floor:.1f} | {memory:.0f} |")


def _run(*arguments: str) -> list[float]:
    """Do it in a process of its own: the peak of one counts for those that it starts."""
    command = (sys.executable, "-m", "benchmarks.audit", *arguments)
    found: list[float] = json.loads(subprocess.run(command, check=True, capture_output=True).stdout or "[]")
    return found


def _measured(logs: Path) -> tuple[float, float, float]:
    start = time.process_time()
    for file in sorted(logs.rglob("*.json*")):
        for _ in records(str(file)):
            pass
    floor = time.process_time() - start
    manifest = logs.parent / "grants.yaml"
    manifest.write_text(
        manifest_yaml(grant_yaml("reader"), grant_yaml("writer"), grant_yaml("deploy")), encoding="utf-8"
    )
    since, until = datetime(2026, 1, 1, tzinfo=UTC), datetime(2026, 2, 1, tzinfo=UTC)
    start = time.process_time()
    make_audit(AuditRequest(load([str(manifest)]), since, until, files=(str(logs),), read_accounts=False))
    own = time.process_time() - start
    return floor, own, resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


if __name__ == "__main__":
    main()
