"""Times the start of the command against an empty Python program, in turn, and prints a table with the ratios."""

from __future__ import annotations

import platform
import statistics
import subprocess
import sys
import time
from pathlib import Path

from reconciler import __version__

RUNS = 30
FLOOR = ("an empty Python program", [sys.executable, "-c", "pass"])
SCRIPT = str(Path(sys.executable).with_name("xgrant"))
CASES = (
    ("xgrant --help", [SCRIPT, "--help"]),
    ("xgrant --version", [SCRIPT, "--version"]),
    ("xgrant validate manifests", [SCRIPT, "validate", "manifests"]),
)


def seconds(command: list[str]) -> float:
    """Return the wall time of one run of a command."""
    start = time.perf_counter()
    subprocess.run(command, check=True, stdout=subprocess.DEVNULL)
    return time.perf_counter() - start


def main() -> None:
    """Print the table."""
    print(f"xgrant {__version__}, Python {platform.python_version()}, {platform.machine()}, {RUNS} paired runs each\n")
    print("| command | median, ms | floor, ms | ratio, median | ratio, least to most |")
    print("|---|---|---|---|---|")
    for name, command in CASES:
        for warm_up in (FLOOR[1], command):
            seconds(warm_up)
        pairs = [(seconds(command), seconds(FLOOR[1])) for _ in range(RUNS)]
        ratios = [case / floor for case, floor in pairs]
        case, floor = (statistics.median(pair[side] for pair in pairs) * 1000 for side in (0, 1))
        print(
            f"| {name} | {case:.0f} | {floor:.0f} | {statistics.median(ratios):.2f} "
            f"| {min(ratios):.2f} to {max(ratios):.2f} |"
        )
    print(f"\nThe floor is {FLOOR[0]}.")


main()
