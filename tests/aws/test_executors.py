"""The same work by other hands: processes of this machine, and Dask, whose workers may die."""

from __future__ import annotations

import json
import os
import pickle
import signal
import socket
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from distributed import LocalCluster

from reconciler.aws.retry import PROPAGATION
from reconciler.manifest import load
from reconciler.model import Account, Scope, Status
from reconciler.pipeline.main_job import Request, aws_ports, make_plan
from reconciler.pipeline.shards import Elsewhere, reconcile
from reconciler.sandbox.scenario import SOURCE, TARGET, Scenario, root_client
from reconciler.sandbox.server import Sandbox, writes
from reconciler.sandbox.strict.wire import Request as Sent
from reconciler.shards import HeldLock, ShardRequest
from tests.aws.census import doors_to_nowhere, everything, not_of
from tests.aws.test_kill import FIRST, SECOND, write
from tests.conftest import EXAMPLE, Clock, Run
from tests.support import NOW


@pytest.fixture
def cluster(scenario: Scenario) -> Iterator[LocalCluster]:
    """Dask with two workers, each a process of its own that speaks to the sandbox."""
    made: Any = LocalCluster
    with made(
        n_workers=2, threads_per_worker=4, processes=True, host="127.0.0.1", dashboard_address="127.0.0.1:0",
        worker_dashboard_address=None, silence_logs=60,
    ) as cluster:  # fmt: skip
        yield cluster


@pytest.fixture
def two(scenario: Scenario, sandbox: Sandbox, tmp_path: Path) -> tuple[Path, Path]:
    """Two manifests, of which the second changes twenty things of the first."""
    root_client(sandbox, "iam", SOURCE).create_group(GroupName="ops")
    allow = '{"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Action": "s3:*", "Resource": "*"}]}'
    for name in ("own", "boundary"):
        root_client(sandbox, "iam", TARGET).create_policy(PolicyName=name, PolicyDocument=allow)
    return write(tmp_path, "first", FIRST), write(tmp_path, "second", SECOND)


def fingerprint(shown: str) -> str:
    found: str = json.loads(shown)["fingerprint"]
    return found


def test_processes_and_dask_make_the_same_plan_as_threads(
    two: tuple[Path, Path], xgrant: Run, cluster: LocalCluster
) -> None:
    first, second = two
    assert xgrant("apply", first, "--auto-approve").code == 0
    ways: list[list[str]] = [[], ["--executor", "processes"]]
    ways.append(["--executor", "dask", "--scheduler", cluster.scheduler_address])
    found = [xgrant("plan", second, "--format", "json", *way) for way in ways]
    assert [result.code for result in found] == [0, 0, 0], found
    assert found[0].out == found[1].out == found[2].out


@pytest.mark.parametrize("first_kill", [2, 5])
def test_a_dask_worker_that_is_killed_again_and_again_leaves_the_apply_right(
    two: tuple[Path, Path], sandbox: Sandbox, xgrant: Run, cluster: LocalCluster, first_kill: int
) -> None:
    first, second = two
    assert xgrant("apply", first, "--auto-approve").code == 0
    others = not_of("platform")
    dask = ["--executor", "dask", "--scheduler", cluster.scheduler_address]
    writes_seen, killed = [0], list[int]()
    nowhere = list[Any]()

    def kill_now_and_then(sent: Sent) -> None:
        if sent.operation.startswith(("Get", "List", "Assume")):
            return
        writes_seen[0] += 1
        if writes_seen[0] in (first_kill, first_kill + 9):
            nanny = cluster.workers[len(killed) % 2]
            killed.append(nanny.pid)
            os.kill(nanny.pid, signal.SIGKILL)
        nowhere.extend(doors_to_nowhere("platform"))

    sandbox.strict.faults.observer = kill_now_and_then
    result = xgrant("apply", second, "--auto-approve", *dask)
    sandbox.strict.faults.observer = lambda _: None
    assert result.code == 0, result.out + result.err
    assert len(killed) == 2
    assert nowhere == []
    assert not_of("platform") == others
    found = everything()
    assert xgrant("plan", second, "--detailed-exitcode").code == 0
    assert xgrant("destroy", second, "--auto-approve", *dask).code == 0
    assert xgrant("apply", second, "--auto-approve").code == 0
    assert everything() == found


def test_a_request_and_its_result_are_plain_data_and_an_error_is_a_part_of_it(scenario: Scenario) -> None:
    manifest = load([str(EXAMPLE)])
    known, unknown = manifest.accounts["storage"], Account("nowhere", "999999999999")
    for account, error in ((known, ""), (unknown, "account nowhere: GetCallerIdentity: WrongAccount: ")):
        request = ShardRequest("run", manifest.stack, account, read=Scope(manifest.stack, (account,), frozenset()))
        result = reconcile(pickle.loads(pickle.dumps(request)))
        again = pickle.loads(pickle.dumps(result))
        assert again == result
        assert result.error.startswith(error)
        assert bool(result.facts) is not bool(error)


def test_a_step_that_is_done_twice_writes_once(scenario: Scenario, sandbox: Sandbox) -> None:
    manifest = load([str(EXAMPLE)])
    plan = make_plan(Request(manifest), aws_ports(manifest)[0], now=NOW)
    for step in plan.steps:
        account = manifest.accounts[step.change.address.account]
        request = ShardRequest("run", manifest.stack, account, step=step)
        sandbox.recorder.take()
        first, second = reconcile(request), reconcile(request)
        assert first.result is not None
        assert second.result is not None
        assert (first.result.status, second.result.status) == (Status.DONE, Status.DONE), second.result.error
        operations = [call.operation for call in writes(sandbox.recorder.take())]
        assert operations == [*dict.fromkeys(operations)]


def test_a_worker_that_meets_the_account_first_waits_for_the_network_as_the_run_does(
    scenario: Scenario, clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    manifest = load([str(EXAMPLE)])
    step = make_plan(Request(manifest), aws_ports(manifest)[0], now=NOW).steps[0]
    with socket.create_server(("127.0.0.1", 0)) as gone:
        port = gone.getsockname()[1]
    monkeypatch.setenv("AWS_ENDPOINT_URL", f"http://127.0.0.1:{port}")
    begun = clock.monotonic()
    result = reconcile(ShardRequest("new", manifest.stack, manifest.accounts["storage"], step=step)).result
    assert result is not None
    assert (result.status, clock.monotonic() - begun) == (Status.FAILED, PROPAGATION)


@pytest.mark.parametrize("what", ["id", "key"])
def test_who_works_elsewhere_writes_nothing_once_the_lock_is_another_ones(
    scenario: Scenario, sandbox: Sandbox, xgrant: Run, tmp_path: Path, what: str
) -> None:
    assert xgrant("apply", EXAMPLE, "--auto-approve").code == 0
    assert xgrant("destroy", EXAMPLE, "--auto-approve").code == 0
    manifest = load([str(EXAMPLE)])
    plan = make_plan(Request(manifest), aws_ports(manifest)[0], now=NOW)
    account = manifest.accounts["storage"]
    key = f"locks/{manifest.stack}/{account.id if what == 'id' else '000000000000'}.json"
    lock = HeldLock(str(tmp_path / ".xgrant"), key, "another")
    sandbox.recorder.take()
    result = reconcile(ShardRequest("run", manifest.stack, account, step=plan.steps[0], lock=lock)).result
    assert result is not None
    assert result.status is Status.FAILED
    assert ("no longer this run's" if what == "id" else "needs a store that it can reach") in result.error
    assert list(writes(sandbox.recorder.take())) == []


def test_a_worker_that_is_lost_is_an_error_of_its_account_and_no_internal_one(scenario: Scenario) -> None:
    manifest = load([str(EXAMPLE)])

    class Losing:
        def submit(self, _work: object, request: ShardRequest) -> Any:
            from concurrent.futures import Future

            future: Future[Any] = Future()
            if request.account.name == "storage":
                future.set_exception(RuntimeError("worker died"))
            else:
                future.set_result(reconcile(request))
            return future

    lost: Any = Losing()
    plan = make_plan(Request(manifest), aws_ports(manifest, elsewhere=Elsewhere(lost, lambda _: None))[0], now=NOW)
    assert plan.unread() == ("storage",)
    assert "did not end it: RuntimeError: worker died; run it again" in plan.live.facts["storage"].error


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["--executor", "dask"], "--executor dask needs --scheduler"),
        (["--scheduler", "tcp://127.0.0.1:1"], "--executor dask needs --scheduler"),
    ],
)
def test_dask_and_its_scheduler_go_together(scenario: Scenario, xgrant: Run, words: list[str], said: str) -> None:
    result = xgrant("plan", EXAMPLE, *words)
    assert (result.code, said in result.err) == (64, True)
