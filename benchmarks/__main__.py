"""Measures xgrant against a floor and its peers, and writes the tables: `python -m benchmarks`."""

from __future__ import annotations

import argparse
import os
import platform
import sys
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path

from benchmarks.ansible import Ansible
from benchmarks.cases import (
    LATENCY,
    Bench,
    Run,
    many_accounts,
    offline,
    parallelism,
    stages,
    starts,
    summaries,
    two_accounts,
    with_latency,
)
from benchmarks.table import Results, document
from benchmarks.terraform import Terraform
from benchmarks.tools import AbsentError, Floor, Tool, Xgrant

CASES = ("two-accounts", "latency", "many-accounts", "offline", "stages", "starts", "parallelism")
RESULTS = Path(__file__).with_name("RESULTS.md")


def main() -> None:
    """Measure what is asked for, and write the tables."""
    arguments = _arguments()
    results = Results(_machine(), os.getloadavg()[0])
    tools: list[Tool] = [Floor(), Xgrant()]
    peers: tuple[Callable[[], Tool], ...] = () if arguments.no_peers else (Terraform, Ansible)
    for peer in peers:
        try:
            tools.append(peer())
        except AbsentError as error:
            results.absent[peer.__name__] = str(error)
    results.versions = [tool.version() for tool in tools]
    with tempfile.TemporaryDirectory() as folder:
        bytecode = Path(folder, "bytecode")
        bench = Bench(
            Path(folder),
            arguments.rounds,
            tuple(tools),
            bytecode,
            lambda text: print(text, file=sys.stderr, flush=True),
        )
        for _ in _measured(bench, results, arguments.cases, quick=arguments.quick):
            results.load.append(os.getloadavg()[0])
            if arguments.output:  # After each case, so that what is broken off leaves what it has.
                arguments.output.write_text(document(results), encoding="utf-8")
    print(document(results), end="")


def _measured(bench: Bench, results: Results, cases: list[str], *, quick: bool) -> Iterator[None]:
    """Add the cases to the results; yield after each."""
    runs: list[Run] = []
    for run in _runs(bench, cases, quick=quick):
        runs.append(run)
        results.runs = summaries(runs)
        yield
    if "offline" in cases:
        for size, times, measured in offline(bench, (1000,) if quick else (10_000, 100_000)):
            results.offline.setdefault(size, []).append((times, measured))
            yield
    if "stages" in cases:
        for tool, each in stages(bench, 20 if quick else 1000):
            results.stages.setdefault(tool, []).append(each)
    if "starts" in cases:
        for name, case, floor in starts(bench):
            results.starts.setdefault(name, []).append((case, floor))
    if "parallelism" in cases:
        results.parallelism = parallelism()
    results.complete = True
    yield


def _runs(bench: Bench, cases: list[str], *, quick: bool) -> Iterator[Run]:
    if "two-accounts" in cases:
        yield from two_accounts(bench, (1, 20) if quick else (1, 20, 200, 1000))
    if "latency" in cases:
        yield from with_latency(bench, 20 if quick else 200)
    if "many-accounts" in cases:
        yield from many_accounts(bench, 50 if quick else 1000, LATENCY)
        yield from many_accounts(bench, 100 if quick else 5000, 0)


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__)
    parser.add_argument("--cases", nargs="+", choices=CASES, default=list(CASES), help="default: all")
    parser.add_argument(
        "--rounds",
        type=int,
        default=5,
        help="how often a plan is run, an apply half as often, a peer once or twice; default: 5",
    )
    parser.add_argument("--quick", action="store_true", help="small sizes only, to see that it works")
    parser.add_argument("--no-peers", action="store_true", help="without Terraform and Ansible")
    parser.add_argument("--output", type=Path, help=f"where the tables go too, for example {RESULTS.name}")
    return parser.parse_args()


def _machine() -> str:
    model = platform.processor() or platform.machine()
    info = Path("/proc/cpuinfo")
    if info.exists():
        names = [
            line.partition(":")[2].strip() for line in info.read_text().splitlines() if line.startswith("model name")
        ]
        model = names[0] if names else model
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30
    return f"{os.cpu_count()} cores ({model}), {memory:.0f} GB, {platform.system()}, Python {platform.python_version()}"


if __name__ == "__main__":
    main()
