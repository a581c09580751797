"""The measurements measure: the floor and xgrant do the same work, and each says so when something differs."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from benchmarks.cases import Bench, Run, summaries, two_accounts
from benchmarks.measure import measure
from benchmarks.moto import Moto
from benchmarks.table import Results, document
from benchmarks.tools import Floor, Tool, Xgrant
from benchmarks.workload import over_accounts


@pytest.fixture(scope="module")
def runs(tmp_path_factory: pytest.TempPathFactory) -> list[Run]:
    return list(two_accounts(Bench(tmp_path_factory.mktemp("bench"), 1, (Floor(), Xgrant())), [1]))


def test_every_run_ends_well_and_reads_back_right(runs: list[Run]) -> None:
    assert [(run.case, run.tool, run.good) for run in runs] == [
        (case, tool, True)
        for case in ("first apply", "no-op plan", "one drift repaired")
        for tool in ("floor", "xgrant")
    ]


@pytest.mark.parametrize(("case", "writes"), [("first apply", 3), ("no-op plan", 0), ("one drift repaired", 1)])
def test_the_floor_and_xgrant_write_the_same(runs: list[Run], case: str, writes: int) -> None:
    assert [run.writes for run in summaries(runs) if run.case == case] == [writes, writes]


def test_the_tables_say_what_was_measured_and_what_was_not(runs: list[Run]) -> None:
    text = document(Results("a machine", 0.5, absent={"Terraform": "it is not here"}, runs=summaries(runs)))
    assert "Terraform is not measured: it is not here." in text
    assert "This run was broken off" in text
    assert "| first apply: three writes a grant | 3 for 1 | met |" in text
    assert "| 5,000 accounts are planned within 2 GB |  | - |" in text


@pytest.mark.parametrize(
    ("tool", "nothing", "one"),
    [(Floor(), "0 differ", "1 differ"), (Xgrant(), "No changes.", "0 to create, 1 to update, 0 to delete")],
    ids=["floor", "xgrant"],
)
def test_a_plan_finds_one_drift_where_there_is_one(tmp_path: Path, tool: Tool, nothing: str, one: str) -> None:
    workload = over_accounts(1)
    moto = Moto.start(workload)
    tool.prepare(tmp_path, workload)
    said = []
    for command, drifts in ((tool.apply(tmp_path), False), (tool.plan(tmp_path), True), (tool.plan(tmp_path), False)):
        said.append(measure(replace(command, environment={**command.environment, **moto.environment()})).output)
        if drifts:
            moto.drift()
    moto.end()
    assert nothing in said[1]
    assert one in said[2]
