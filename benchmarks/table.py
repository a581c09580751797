"""The measurements as Markdown: targets first, then every case."""

from __future__ import annotations

import statistics
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field

from benchmarks.cases import LATENCY, Summary
from benchmarks.measure import Measured


@dataclass(slots=True)
class Results:
    """All that was measured, and what could not be: why, by tool."""

    machine: str
    load_before: float
    """How many processes wanted to run (the load average of a minute) before anything was measured."""

    load: list[float] = field(default_factory=list)
    """The same after each run: what is measured is one or two of it."""

    versions: list[str] = field(default_factory=list)
    absent: dict[str, str] = field(default_factory=dict)
    runs: list[Summary] = field(default_factory=list)
    offline: dict[int, list[tuple[Mapping[str, float], Measured]]] = field(default_factory=dict)
    stages: dict[str, list[Mapping[str, float]]] = field(default_factory=dict)
    starts: dict[str, list[tuple[float, float]]] = field(default_factory=dict)
    parallelism: str = ""
    complete: bool = False
    """Whether all that was asked for has been measured."""

    def find(self, case: str, tool: str, size: int) -> Summary | None:
        """Return the summary of a tool in a case, if at least one run of it was good."""
        found = (run for run in self.runs if (run.case, run.tool, run.size) == (case, tool, size) and run.runs)
        return next(found, None)


@dataclass(frozen=True, slots=True)
class Target:
    """What is to be reached, what was measured, and whether that is met; None where it was not measured."""

    text: str
    measured: str
    met: bool | None


def document(results: Results) -> str:
    """Return all tables."""
    made = "Made by `python -m benchmarks`, which `make bench` runs."
    lines = ["# Results", "", f"{made} Times differ between machines; the ratios are what counts.", ""]
    lines += [f"{results.machine}. {_load(results)}", "", f"{'; '.join(results.versions)}.", ""]
    lines += [f"{tool} is not measured: {why}." for tool, why in results.absent.items()]
    if not results.complete:
        lines += [BROKEN_OFF, ""]
    lines += ["## Targets", ""]
    lines += _table(
        ("target", "measured", ""),
        ((each.text, each.measured, {True: "met", False: "**missed**", None: "-"}[each.met])
         for each in targets(results)),
    )  # fmt: skip
    if results.runs:
        head = (
            "case",
            "size",
            "tool",
            "runs",
            "calls",
            "writes",
            "wall, s",
            "CPU, s",
            "MB",
            "server's part of the wall",
        )
        lines += ["", "## Cases", "", _ABOUT, "", *_table(head, map(_row, results.runs))]
    if results.offline:
        lines += ["", "## Without a network", "", _ABOUT_OFFLINE, "", *_offline(results)]
    if results.stages:
        lines += ["", "## Where the CPU time of a no-op plan goes", "", _ABOUT_STAGES, "", *_stages(results)]
    if results.starts:
        lines += ["", "## The start of a command", "", *_starts(results)]
    if results.parallelism:
        lines += ["", "## Changes at a time", "", results.parallelism.strip()]
    return "\n".join(lines) + "\n"


BROKEN_OFF = "This run was broken off; what is missing was not measured."

_ABOUT = """\
A run is a whole process: its wall time, its CPU time with that of its children, the memory of its largest process;
medians over the runs that ended well and whose result read back right. All runs of a round go against servers that were
forked from one process, so that each starts from the same state: moto, lax, in one Python process, which answers one
call at a time. What part of the wall time it was busy stands at the end of each row. Python's byte code is compiled
beforehand. Twenty grants share a source group, and two accounts take turns in having the group and the role. Where
there are many accounts, the size is their number, and the server gives each of them the answers that moto gave for one,
with the ids replaced. Peers are measured up to the size that they take less than a minute for."""

_ABOUT_OFFLINE = """\
Ten thousand grants are one file of 3 MB. `diff` is the plan of a first apply, where every grant is new; that against
accounts that have all of it stands beside it, and is not in the sum."""


_ABOUT_STAGES = """\
One thousand grants, two accounts; medians in milliseconds, of all threads. What the floor does to compare is in the
rest; it has no manifest to check and no rules to hold, and takes documents for equal only if they are spelt alike."""


def _load(results: Results) -> str:
    """Say how busy the machine was: wall times mean little where others used it."""
    text = f"Load average before: {results.load_before:.1f}"
    if results.load:
        text += (
            f", while measuring: {statistics.median(results.load):.1f} in the middle, {max(results.load):.1f} at most"
        )
    return f"{text}."


def targets(results: Results) -> Iterator[Target]:
    """Yield every target."""
    sizes = sorted({run.size for run in results.runs if run.case == "no-op plan"})
    pairs = [(results.find("no-op plan", "xgrant", n), results.find("no-op plan", "floor", n)) for n in sizes]
    calls = [(ours.calls, floor.calls) for ours, floor in pairs if ours and floor]
    yield Target(
        "calls of a no-op plan: at most the floor's and two an account, whatever the grants",
        ", ".join(f"{ours:.0f} to {floor:.0f}" for ours, floor in calls) + " calls, two accounts",
        all(ours <= floor + 4 for ours, floor in calls) if calls else None,
    )
    yield _ratio(results, "no-op plan", 1000, "floor", "wall", "at most 1.5 times the wall time of the floor", 1.5)
    yield _ratio(results, "no-op plan", 1000, "floor", "cpu", "at most 1.5 times the CPU time of the floor", 1.5)
    for figure, text, least in (
        ("wall", "wall time", 15), ("calls", "calls", 150), ("memory", "memory of the largest process", 5),
    ):  # fmt: skip
        yield _times_less(results, "no-op plan", 200, "Terraform", figure, text, least)
    yield from _apply_targets(results)
    yield from _offline_targets(results)
    large = next((run for run in results.runs if "accounts of 10" in run.case and run.size == 5000), None)
    yield Target(
        "5,000 accounts are planned within 2 GB",
        f"{large.memory:,.0f} MB in {large.wall:.0f} s" if large else "",
        large.memory <= 2048 and not large.bad if large else None,
    )


def _apply_targets(results: Results) -> Iterator[Target]:
    applies = [run for run in results.runs if run.case == "first apply" and run.tool == "xgrant" and run.runs]
    yield Target(
        "first apply: three writes a grant",
        ", ".join(f"{run.writes:.0f} for {run.size}" for run in applies),
        all(run.writes == 3 * run.size for run in applies) if applies else None,
    )
    slow = next((run for run in results.runs if run.case.startswith("first apply,") and run.tool == "xgrant"), None)
    if slow:
        text = f"at least 4 times as fast as the floor at {LATENCY * 1000:.0f} ms a call"
        yield _times_less(results, slow.case, slow.size, "floor", "wall", "wall time", 4, text)


def _offline_targets(results: Results) -> Iterator[Target]:
    ten = _offline_figures(results, 10_000)
    hundred = _offline_figures(results, 100_000)
    yield Target(
        "validate, desired and diff of 10,000 grants: at most 5 s and 400 MB",
        f"{ten[0]:.1f} s, {ten[1]:.0f} MB" if ten else "",
        ten[0] <= 5 and ten[1] <= 400 if ten else None,
    )
    growth = (hundred[0] / ten[0], hundred[1] / ten[1]) if ten and hundred else None
    yield Target(
        "growing linearly to 100,000 grants",
        f"{growth[0]:.1f} times the time and {growth[1]:.1f} times the memory" if growth else "",
        growth[0] <= 12 and growth[1] <= 12 if growth else None,
    )


def _ratio(results: Results, case: str, size: int, peer: str, figure: str, text: str, most: float) -> Target:
    ours, theirs = results.find(case, "xgrant", size), results.find(case, peer, size)
    text = f"{case} of {size:,} grants: {text}"
    if ours is None or theirs is None:
        return Target(text, "", None)
    one, other = getattr(ours, figure), getattr(theirs, figure)
    return Target(text, f"{one / other:.2f} times ({one:.2f} to {other:.2f} s)", one / other <= most)


def _times_less(
    results: Results, case: str, size: int, peer: str, figure: str, what: str, least: float, text: str = ""
) -> Target:
    ours, theirs = results.find(case, "xgrant", size), results.find(case, peer, size)
    text = f"{case.partition(',')[0]} of {size:,} grants: {text or f'{what}, at least {least} times less than {peer}'}"
    if ours is None or theirs is None:
        return Target(text, "", None)
    one, other = getattr(ours, figure), getattr(theirs, figure)
    return Target(text, f"{other / one:.1f} times ({one:,.4g} to {other:,.4g})", other / one >= least)


def _row(run: Summary) -> tuple[str, ...]:
    runs = f"{run.runs}" + (f", {run.bad} not well" if run.bad else "")
    figures = (
        (f"{run.calls:,.0f}", f"{run.writes:,.0f}", f"{run.wall:.2f}", f"{run.cpu:.2f}", f"{run.memory:.0f}",
         f"{run.server:.0%}")
        if run.runs
        else ("-",) * 6
    )  # fmt: skip
    return (run.case, f"{run.size:,}", run.tool, runs, *figures)


def _offline_figures(results: Results, size: int) -> tuple[float, float] | None:
    """Return the seconds of all stages and the memory."""
    found = results.offline.get(size)
    if not found:
        return None
    total = statistics.median(sum(times[stage] for stage in _STAGES) for times, _ in found)
    return total, statistics.median(measured.memory for _, measured in found)


_STAGES = ("validate", "desired", "diff")


def _offline(results: Results) -> list[str]:
    rows = []
    for size, found in results.offline.items():
        each = [
            statistics.median(times[name] for times, _ in found) for name in (*_STAGES, "diff without a difference")
        ]
        figures = _offline_figures(results, size)
        assert figures is not None
        cpu = statistics.median(measured.cpu for _, measured in found)
        rows.append(
            (f"{size:,}", *(f"{number:.2f}" for number in each), f"{figures[0]:.2f}", f"{cpu:.2f}", f"{figures[1]:.0f}")
        )
    head = (
        "grants",
        "validate, s",
        "desired, s",
        "diff, s",
        "no difference, s",
        "sum of the first three, s",
        "CPU of all, s",
        "MB",
    )
    return _table(head, rows)


def _stages(results: Results) -> list[str]:
    names = list(dict.fromkeys(name for found in reversed(results.stages.values()) for each in found for name in each))
    rows = []
    for tool, found in results.stages.items():
        each = [statistics.median(times.get(name, 0) for times in found) * 1000 for name in names]
        rows.append((tool, *(f"{number:.0f}" if number else "" for number in each), f"{sum(each):.0f}"))
    return _table(("tool", *names, "sum"), rows)


def _starts(results: Results) -> list[str]:
    rows = []
    for name, pairs in results.starts.items():
        ratios = [case / floor for case, floor in pairs]
        case, floor = (statistics.median(pair[side] for pair in pairs) * 1000 for side in (0, 1))
        rows.append((
            name, f"{case:.0f}", f"{floor:.0f}", f"{statistics.median(ratios):.2f}",
            f"{min(ratios):.2f} to {max(ratios):.2f}",
        ))  # fmt: skip
    head = ("command", "median, ms", "an empty Python program, ms", "ratio, median", "least to most")
    return _table(head, rows)


def _table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> list[str]:
    return [f"| {' | '.join(row)} |" for row in (head, ["---"] * len(head), *rows)]
