"""Executors that lose their workers, or cannot be reached: an error of what was under way, and no internal one."""

from __future__ import annotations

import multiprocessing
import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest
from distributed import LocalCluster

from reconciler.manifest import load
from reconciler.model import Kind
from reconciler.pipeline import executors
from reconciler.pipeline.main_job import Request, aws_ports, make_plan
from reconciler.pipeline.processes import processes
from reconciler.sandbox.scenario import Scenario
from reconciler.sandbox.server import Sandbox
from reconciler.sandbox.strict.wire import Request as Sent
from tests.aws.fault_matrix import grant
from tests.aws.test_kill import write
from tests.conftest import EXAMPLE, Run
from tests.support import NOW


def test_a_process_that_is_killed_fails_what_was_under_way_and_interrupts_nothing(
    scenario: Scenario, sandbox: Sandbox, xgrant: Run, tmp_path: Path
) -> None:
    path = write(tmp_path, "m", {f"g{index}": grant() for index in range(3)})
    seen: list[str] = []

    def kill(sent: Sent) -> None:
        if sent.operation == "CreateRole":
            seen.append(sent.operation)
            workers = multiprocessing.active_children()
            for worker in workers:
                os.kill(worker.pid or 0, signal.SIGINT)
                os.kill(worker.pid or 0, signal.SIGTERM)
            if len(seen) == 1:
                os.kill(workers[0].pid or 0, signal.SIGKILL)

    sandbox.strict.faults.observer = kill
    result = xgrant("apply", path, "--auto-approve", "--executor", "processes")
    sandbox.strict.faults.observer = lambda _: None
    assert result.code == 6, result.err
    assert "internal error" not in result.out + result.err
    assert "BrokenProcessPool" in result.out
    assert xgrant("apply", path, "--auto-approve").code == 0


@pytest.mark.parametrize(
    ("address", "said"),
    [
        ("", "--executor dask needs --scheduler"),
        ("nonsense", "an address is like tls://host:8786"),
        ("foo://127.0.0.1:2", "an address is like tls://host:8786"),
        ("tls://127.0.0.1:1", "Dask has no certificates for TLS"),
    ],
)
def test_an_address_that_is_none_is_a_usage_error(scenario: Scenario, xgrant: Run, address: str, said: str) -> None:
    result = xgrant("plan", EXAMPLE, "--executor", "dask", "--scheduler", address)
    assert (result.code, said in result.err) == (64, True), result.err


def _heard(_: int) -> tuple[int, frozenset[int]]:
    time.sleep(0.3)  # So that one process does not do all of it.
    return os.getpid(), frozenset(map(int, signal.pthread_sigmask(signal.SIG_BLOCK, ())))


def test_every_process_is_born_without_the_signals_of_the_terminal() -> None:
    with processes() as pool:
        found = dict(pool.map(_heard, range(2 * (os.cpu_count() or 1))))
    assert len(found) == os.cpu_count()
    assert all({signal.SIGINT, signal.SIGTERM, signal.SIGHUP} <= mask for mask in found.values())


def test_a_scheduler_without_workers_is_said_before_anything_is_done(
    scenario: Scenario, xgrant: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(executors, "_WORKERS_COME", 0.2)
    made: Any = LocalCluster
    with made(
        n_workers=0, processes=True, host="127.0.0.1", dashboard_address="127.0.0.1:0", silence_logs=60
    ) as cluster:
        dask = ["--executor", "dask", "--scheduler", cluster.scheduler_address]
        result = xgrant("apply", EXAMPLE, "--auto-approve", *dask)
    assert (result.code, "has no workers" in result.err) == (1, True), result.err
    assert not (tmp_path / ".xgrant").exists()


def test_a_step_does_not_show_external_ids(scenario: Scenario, tmp_path: Path) -> None:
    manifest = load([str(write(tmp_path, "m", {"a": grant(require={"external_id": "not-for-logs"})}))])
    steps = make_plan(Request(manifest), aws_ports(manifest)[0], now=NOW).steps
    assert "not-for-logs" not in repr(next(step for step in steps if step.change.address.kind is Kind.ROLE))


def test_ctrl_c_in_an_apply_by_processes_ends_what_is_under_way(
    scenario: Scenario, sandbox: Sandbox, tmp_path: Path
) -> None:
    path = write(tmp_path, "m", {f"g{index}": grant() for index in range(3)})
    words = [sys.executable, "-m", "reconciler", "apply", str(path), "--auto-approve", "--parallelism", "1"]
    run = subprocess.Popen(
        [*words, "--executor", "processes"], cwd=tmp_path, start_new_session=True, text=True,
        stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
    )  # fmt: skip
    sent: list[str] = []

    def interrupt(request: Sent) -> None:
        if request.operation == "CreateRole" and not sent:
            sent.append(request.operation)
            os.killpg(run.pid, signal.SIGINT)

    sandbox.strict.faults.observer = interrupt
    try:
        out, err = run.communicate(timeout=60)
    finally:
        run.kill()
        sandbox.strict.faults.observer = lambda _: None
    assert run.returncode == 6, out + err
    assert "storage/role/g0: created" in out + err
    assert "Traceback" not in err
