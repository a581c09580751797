"""Whatever AWS and the network do on the way, an apply brings AWS to the plan, or says where it stands."""

from __future__ import annotations

from pathlib import Path

import pytest

from reconciler.sandbox.scenario import Scenario
from reconciler.sandbox.server import Sandbox
from tests.aws import fault_matrix
from tests.conftest import Clock

DOCUMENTED = fault_matrix.documented((Path(__file__).parents[2] / "docs" / "faults.md").read_text(encoding="utf-8"))


@pytest.mark.parametrize("fault", [*fault_matrix.FAULTS, *fault_matrix.BEYOND])
def test_every_transition_ends_as_documented_under(
    scenario: Scenario,
    sandbox: Sandbox,
    clock: Clock,
    tmp_path: Path,
    fault: str,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    # One at a time, since whoever waits moves the clock for all.
    monkeypatch.setattr("reconciler.applier.schedule.MAX_THREADS", 1)
    assert fault_matrix.run(fault, sandbox, tmp_path, clock) == DOCUMENTED[fault]


@pytest.mark.parametrize("fault", fault_matrix.FAULTS)
def test_every_transition_is_done_in_spite_of(fault: str) -> None:
    assert DOCUMENTED[fault] == dict.fromkeys(fault_matrix.TRANSITIONS, "done")
