"""What is measured. Every round runs each tool once, against a server that nobody has touched before."""

from __future__ import annotations

import json
import shutil
import statistics
import sys
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from benchmarks.measure import Command, Measured, measure
from benchmarks.moto import Moto, Used
from benchmarks.tools import ROOT, Floor, Tool, Xgrant
from benchmarks.workload import Workload, alone, over_accounts, ring

LATENCY = 0.040
"""Seconds that a call to AWS takes, where the way to AWS is measured too."""

_READS = ("Get", "List", "AssumeRole")


@dataclass(frozen=True, slots=True)
class Run:
    """One run of a tool in a case, and what it asked of the server."""

    case: str
    tool: str
    size: int
    measured: Measured
    used: Used
    good: bool


@dataclass(frozen=True, slots=True)
class Summary:
    """The medians of all runs of a tool in a case that ended well and read back right, and how many did not.

    `writes` are calls that change something, `server` is the server's part of the wall time.
    """

    case: str
    tool: str
    size: int
    runs: int
    bad: int
    calls: float
    writes: float
    wall: float
    cpu: float
    memory: float
    server: float


def summaries(runs: Iterable[Run]) -> list[Summary]:
    """Return a summary of each case, size and tool, in the order in which they come."""
    groups: dict[tuple[str, int, str], list[Run]] = {}
    for run in runs:
        groups.setdefault((run.case, run.size, run.tool), []).append(run)
    return [_summary(key, group) for key, group in groups.items()]


def _summary(key: tuple[str, int, str], group: Sequence[Run]) -> Summary:
    good = [run for run in group if run.good]

    def median(figure: Callable[[Run], float]) -> float:
        return statistics.median(figure(run) for run in good) if good else float("nan")

    return Summary(
        key[0], key[2], key[1], len(good), len(group) - len(good),
        median(lambda run: run.used.total),
        median(lambda run: sum(n for call, n in run.used.calls.items() if not call.split()[1].startswith(_READS))),
        median(lambda run: run.measured.wall),
        median(lambda run: run.measured.cpu),
        median(lambda run: run.measured.memory),
        median(lambda run: run.used.cpu / run.measured.wall),
    )  # fmt: skip


@dataclass(frozen=True, slots=True)
class Bench:
    """Where runs leave their files, how often each is repeated, the tools, and where Python keeps compiled code."""

    folder: Path
    rounds: int
    tools: tuple[Tool, ...]
    bytecode: Path | None = None
    say: Callable[[str], None] = lambda _: None

    def run(self, case: str, size: int, tool: Tool, command: Command, moto: Moto, *, applies: bool = False) -> Run:
        """Run a command against a server."""
        environment = {**command.environment, **moto.environment()}
        before = moto.used()
        measured = measure(replace(command, environment=environment), self.bytecode)
        used = moto.used()
        good = measured.code == 0 and command.says in measured.output and not (applies and moto.missing())
        self.say(
            f"{case}, {size}, {tool.name}: {measured.wall:.2f} s, {used.total} calls{'' if good else ', not well'}"
        )
        if not good:
            (self.folder / "failed.txt").write_text(measured.output, encoding="utf-8")
        return Run(case, tool.name, size, measured, replace(used, cpu=used.cpu - before.cpu), good)

    def rounds_of(self, tool: Tool, *, writes: bool = False) -> int:
        """Return how often a tool is run in a case; one that writes takes longer and is run less often."""
        return min(tool.rounds, max(1, self.rounds // 2) if writes else self.rounds)


def two_accounts(bench: Bench, sizes: Iterable[int]) -> Iterator[Run]:
    """First apply, no-op plan and the repair of one drift, over two accounts."""
    for size in sizes:
        workload = over_accounts(size)
        base = Moto.start(workload)
        tools = [tool for tool in bench.tools if size <= tool.most]
        folders = {tool.name: _prepared(bench, tool, workload) for tool in tools}
        _warm_up(bench, tools, folders, base)
        applied: dict[str, tuple[Moto, Path]] = {}
        for tool in _in_turn(bench, tools, writes=True):
            moto, folder = base.fork(), _copy(folders[tool.name])
            run = bench.run("first apply", size, tool, tool.apply(folder), moto, applies=True)
            if run.good and tool.name not in applied:
                applied[tool.name] = (moto, folder)
            else:
                moto.end()
            yield run
        ready = [tool for tool in tools if tool.name in applied]
        for tool in _in_turn(bench, ready):
            yield _plan(bench, size, tool, *applied[tool.name])
        for tool in _in_turn(bench, ready, writes=True):
            yield _repair(bench, size, tool, *applied[tool.name])
        base.end()


def _in_turn(bench: Bench, tools: Sequence[Tool], *, writes: bool = False) -> Iterator[Tool]:
    """Yield every tool in every round that it takes part in."""
    for number in range(bench.rounds):
        yield from (tool for tool in tools if number < bench.rounds_of(tool, writes=writes))


def _plan(bench: Bench, size: int, tool: Tool, applied: Moto, folder: Path) -> Run:
    moto = applied.fork()
    run = bench.run("no-op plan", size, tool, tool.plan(_copy(folder)), moto)
    moto.end()
    return run


def _repair(bench: Bench, size: int, tool: Tool, applied: Moto, folder: Path) -> Run:
    moto = applied.fork()
    moto.drift()
    run = bench.run("one drift repaired", size, tool, tool.apply(_copy(folder)), moto, applies=True)
    moto.end()
    return run


def stages(bench: Bench, size: int) -> Iterator[tuple[str, dict[str, float]]]:
    """Yield the CPU seconds of each stage of a no-op plan, of the floor and of xgrant."""
    workload = over_accounts(size)
    base = Moto.start(workload)
    ready = []
    for tool in (Floor(), Xgrant()):
        moto, folder = base.fork(), _prepared(bench, tool, workload)
        bench.run("before the stages", size, tool, tool.apply(folder), moto, applies=True)
        ready.append((tool.name, moto, folder))
    for number in range(bench.rounds + 1):
        for name, moto, folder in ready:
            locks = {"XGRANT_FOLDER": str(folder / ".xgrant")}
            command = Command(
                (sys.executable, "-m", "benchmarks.stages", name, str(folder)), ROOT, moto.environment() | locks
            )
            measured = measure(command, bench.bytecode)
            if measured.code:
                raise RuntimeError(measured.output)
            if number:  # The first one compiles.
                yield name, json.loads(measured.output)
    base.end()


def with_latency(bench: Bench, size: int) -> Iterator[Run]:
    """First apply where every call takes as long as the way to AWS."""
    workload = over_accounts(size)
    base = Moto.start(workload)
    for tool in _in_turn(bench, (Floor(), Xgrant()), writes=True):
        moto = base.fork()
        moto.slow(LATENCY)
        folder = _prepared(bench, tool, workload)
        yield bench.run(f"first apply, {_ms(LATENCY)}", size, tool, tool.apply(folder), moto, applies=True)
        moto.end()
    base.end()


def many_accounts(bench: Bench, accounts: int, latency: float) -> Iterator[Run]:
    """Run a no-op plan of ten grants in each of many accounts; of xgrant alone, since the floor goes one by one."""
    workload, tool = ring(accounts), Xgrant()
    moto = Moto.start(workload, "benchmarks.canned")
    moto.slow(latency)
    folder = _prepared(bench, tool, workload)
    name = "no-op plan, accounts of 10 grants" + (f", {_ms(latency)}" if latency else "")
    yield bench.run(name, accounts, tool, tool.plan(folder), moto)
    moto.end()


def offline(bench: Bench, sizes: Iterable[int]) -> Iterator[tuple[int, dict[str, float], Measured]]:
    """Validate, desired and diff alone: yield the number of grants, the seconds of each stage, and the process."""
    for size in sizes:
        folder = _prepared(bench, Xgrant(), alone(size))
        command = Command((sys.executable, "-m", "benchmarks.pure", str(folder / "bench.yaml")), ROOT)
        for _ in range(1 if size > 10_000 else min(bench.rounds, 3)):
            measured = measure(command, bench.bytecode)
            if measured.code:
                raise RuntimeError(measured.output)
            times: dict[str, float] = json.loads(measured.output)
            bench.say(f"offline, {size}: {sum(times.values()):.2f} s")
            yield size, times, measured


def starts(bench: Bench) -> Iterator[tuple[str, float, float]]:
    """Yield pairs of the start of a command and that of an empty Python program, in seconds."""
    script = str(Path(sys.executable).with_name("xgrant"))
    floor = Command((sys.executable, "-c", "pass"), ROOT)
    cases = (("--help",), ("--version",), ("validate", "manifests"))
    for number in range(4 * bench.rounds + 1):
        for case in cases:
            measured = measure(Command((script, *case), ROOT), bench.bytecode)
            empty = measure(floor, bench.bytecode)
            if number:  # The first one compiles.
                yield " ".join(("xgrant", *case)), measured.wall, empty.wall


def parallelism() -> str:
    """Return the table of `parallelism.py`."""
    measured = measure(Command((sys.executable, "-m", "benchmarks.parallelism"), ROOT))
    if measured.code:
        raise RuntimeError(measured.output)
    return measured.output


def _prepared(bench: Bench, tool: Tool, workload: Workload) -> Path:
    folder = bench.folder / f"run-{len(list(bench.folder.iterdir()))}"
    folder.mkdir()
    tool.prepare(folder, workload)
    return folder


def _copy(folder: Path) -> Path:
    """Return a copy: a run may leave a state that the next one must not find."""
    copy = folder.with_name(f"run-{len(list(folder.parent.iterdir()))}")
    shutil.copytree(folder, copy, symlinks=True)
    return copy


def _warm_up(bench: Bench, tools: Iterable[Tool], folders: dict[str, Path], base: Moto) -> None:
    """Run what is Python once, so that what it imports is compiled."""
    for tool in tools:
        if isinstance(tool, Floor | Xgrant) and bench.bytecode:
            moto = base.fork()
            command = tool.plan(folders[tool.name])
            measure(replace(command, environment={**command.environment, **moto.environment()}), bench.bytecode)
            moto.end()


def _ms(seconds: float) -> str:
    return f"{seconds * 1000:.0f} ms a call"
