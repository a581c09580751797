"""Who works elsewhere writes only under its run's lock, and only as long as nobody else executes the same step."""

from __future__ import annotations

import os
import threading
import time
from dataclasses import replace
from pathlib import Path

import pytest

from reconciler.aws import managed, roles
from reconciler.errors import StoreError
from reconciler.locking import key_of
from reconciler.locking.locks import Lock
from reconciler.manifest import load
from reconciler.model import Account, Kind, Manifest, Scope, Status, Step, Verb
from reconciler.pipeline import shards
from reconciler.pipeline.fence import Fence
from reconciler.pipeline.main_job import Request, aws_ports, make_plan
from reconciler.pipeline.shards import reconcile
from reconciler.sandbox.scenario import SOURCE, TARGET, Scenario, root_client
from reconciler.sandbox.server import Sandbox, writes
from reconciler.sandbox.strict.accounts import backend
from reconciler.sandbox.strict.wire import Request as Sent
from reconciler.shards import HeldLock, ShardRequest, ShardResult
from reconciler.store import FileStore
from tests.aws.census import doors_to_nowhere
from tests.aws.fault_matrix import grant
from tests.aws.test_kill import write
from tests.conftest import EXAMPLE, Run
from tests.support import NOW

LOCK = Lock("mine", "platform", "storage", "u", "h", 1, "c", since="x", until="y", lease=60.0, nonce="n")


@pytest.fixture(autouse=True)
def another_process(monkeypatch: pytest.MonkeyPatch) -> None:
    """A process that keeps no connections to the sandbox of another test."""
    monkeypatch.setattr(shards, "_KEPT", type(shards._KEPT)())


class Locked:
    """A folder with the locks of a run, and the requests that go with them."""

    def __init__(self, folder: Path, manifest: Manifest) -> None:
        self.store, self.folder, self.manifest = FileStore(folder), folder, manifest
        for account in manifest.accounts.values():
            self.store.create(key_of(manifest.stack, account), LOCK.content())
        self.key = key_of(manifest.stack, manifest.accounts["storage"])

    def request(self, step: Step) -> ShardRequest:
        account = self.manifest.accounts[step.change.address.account]
        lock = HeldLock(str(self.folder), key_of(self.manifest.stack, account), LOCK.id)
        return ShardRequest("run", self.manifest.stack, account, step=step, lock=lock)

    def done(self, step: Step) -> tuple[Status, str]:
        return result_of(reconcile(self.request(step)))


def result_of(found: ShardResult) -> tuple[Status, str]:
    assert found.result is not None
    return found.result.status, found.result.error


@pytest.fixture
def example(scenario: Scenario, tmp_path: Path) -> tuple[Locked, Step]:
    """The example, and the step that makes its role."""
    locked = Locked(tmp_path / "store", load([str(EXAMPLE)]))
    steps = make_plan(Request(locked.manifest), aws_ports(locked.manifest)[0], now=NOW).steps
    return locked, next(step for step in steps if step.change.address.kind is Kind.ROLE)


@pytest.mark.parametrize(("age", "status"), [(40, Status.DONE), (46, Status.FAILED), (100_000, Status.FAILED)])
def test_a_lock_that_was_not_renewed_in_time_lets_nothing_be_written(
    example: tuple[Locked, Step], age: int, status: Status
) -> None:
    locked, step = example
    written = time.time() - age
    os.utime(locked.folder / locked.key, (written, written))
    found, error = locked.done(step)
    assert (found, "not renewed in time" in error) == (status, status is Status.FAILED)


def test_the_first_write_of_a_step_looks_anew_whether_the_lock_holds(
    example: tuple[Locked, Step], sandbox: Sandbox
) -> None:
    locked, step = example

    def take_over(sent: Sent) -> None:
        entry = locked.store.read(locked.key)
        if sent.operation == "GetRole" and entry is not None:
            locked.store.replace(locked.key, replace(LOCK, id="another").content(), entry.etag)

    sandbox.strict.faults.observer = take_over
    sandbox.recorder.take()
    status, error = locked.done(step)
    sandbox.strict.faults.observer = lambda _: None
    assert (status, "no longer this run's" in error) == (Status.FAILED, True)
    assert list(writes(sandbox.recorder.take())) == []


def test_a_lock_that_is_given_up_in_the_middle_of_a_step_lets_no_further_call_be_made(
    example: tuple[Locked, Step], sandbox: Sandbox
) -> None:
    locked, step = example

    def release(sent: Sent) -> None:
        entry = locked.store.read(locked.key)
        if sent.operation == "CreateRole" and entry is not None:
            locked.store.replace(locked.key, replace(LOCK, released=True).content(), entry.etag)

    sandbox.strict.faults.observer = release
    sandbox.recorder.take()
    status, error = locked.done(step)
    sandbox.strict.faults.observer = lambda _: None
    assert (status, "no longer this run's" in error) == (Status.FAILED, True)
    assert [call.operation for call in writes(sandbox.recorder.take())] == ["CreateRole"]


def test_a_step_that_is_done_is_done_though_the_store_takes_no_note_of_it(
    example: tuple[Locked, Step], monkeypatch: pytest.MonkeyPatch
) -> None:
    def fails(_: object) -> None:
        raise StoreError("the store is gone")

    locked, step = example
    monkeypatch.setattr(Fence, "end", fails)
    result = reconcile(locked.request(step)).result
    assert result is not None
    assert (result.status, bool(result.calls)) == (Status.DONE, True)


def test_a_worker_that_wakes_up_in_a_step_that_another_one_has_done_deletes_nothing(
    scenario: Scenario, xgrant: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert xgrant("apply", write(tmp_path, "first", {"path": grant()}), "--auto-approve").code == 0
    moved = write(tmp_path, "second", {"path": grant(to={"account": "storage", "path": "/elsewhere/"})})
    locked = Locked(tmp_path / "store", load([str(moved)]))
    steps = make_plan(Request(locked.manifest), aws_ports(locked.manifest)[0], now=NOW).steps
    deletion = next(s for s in steps if s.verb is Verb.REMOVE and s.change.address.kind is Kind.ROLE)
    before, after = steps[: steps.index(deletion)], steps[steps.index(deletion) + 1 :]
    assert [locked.done(step)[0] for step in before] == [Status.DONE] * len(before)
    asleep, wake = threading.Event(), threading.Event()
    really = managed.unless_gone

    def sleepy(call: object) -> None:
        if threading.current_thread().name == "zombie" and not asleep.is_set():
            asleep.set()
            wake.wait(60)
        really(call)  # type: ignore[arg-type]

    monkeypatch.setattr(roles, "unless_gone", sleepy)
    ended: list[ShardResult] = []
    zombie = threading.Thread(name="zombie", target=lambda: ended.append(reconcile(locked.request(deletion))))
    zombie.start()
    assert asleep.wait(30)
    assert [locked.done(step) for step in (deletion, *after)] == [(Status.DONE, "")] * (1 + len(after))
    wake.set()
    zombie.join(60)
    status, error = result_of(ended[0])
    assert (status, "another worker has begun the same step since" in error) == (Status.FAILED, True)
    assert "path" in {role.name for role in backend(TARGET).roles.values()}
    assert doors_to_nowhere("platform") == []


def test_a_step_that_was_done_in_this_run_is_not_begun_again(
    example: tuple[Locked, Step], sandbox: Sandbox, monkeypatch: pytest.MonkeyPatch
) -> None:
    locked, step = example
    first = reconcile(locked.request(step))
    monkeypatch.setattr(shards, "_KEPT", type(shards._KEPT)())  # Another process.
    sandbox.recorder.take()
    second = reconcile(locked.request(step))
    assert result_of(second) == (Status.DONE, "")
    assert sandbox.recorder.take() == []
    assert first.made
    assert second.made == first.made


def test_who_goes_on_with_a_role_that_was_made_tells_that_the_run_has_made_it(
    example: tuple[Locked, Step], monkeypatch: pytest.MonkeyPatch
) -> None:
    locked, step = example
    request = replace(locked.request(step), lock=None)
    first = reconcile(request)
    monkeypatch.setattr(shards, "_KEPT", type(shards._KEPT)())  # Another process.
    assert reconcile(request).made == first.made != frozenset()


def test_what_was_taken_away_by_one_worker_is_known_to_the_next(
    example: tuple[Locked, Step], xgrant: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    locked, _ = example
    assert xgrant("apply", EXAMPLE, "--auto-approve").code == 0
    plan = make_plan(Request(locked.manifest, destroy=True), aws_ports(locked.manifest)[0], now=NOW)
    step = next(step for step in plan.steps if step.change.address.kind is Kind.ROLE)
    taken = reconcile(locked.request(step)).taken
    assert ("storage", step.change.address.name) in taken
    monkeypatch.setattr(shards, "_KEPT", type(shards._KEPT)())  # Another process.
    request = replace(locked.request(step), taken=taken, lock=None)
    assert reconcile(request).taken == taken


def test_a_name_that_means_two_accounts_in_a_run_reaches_each_of_them(scenario: Scenario, sandbox: Sandbox) -> None:
    manifest = load([str(EXAMPLE)])
    storage = manifest.accounts["storage"]
    root_client(sandbox, "iam", SOURCE)
    for account, owner in ((storage, TARGET), (replace(manifest.accounts["dev"], name="storage"), SOURCE)):
        scope = Scope(manifest.stack, (account,), frozenset())
        result = reconcile(ShardRequest("two", manifest.stack, account, read=scope))
        assert result.facts is not None, result.error
        assert f":{owner}:" in " ".join(str(found) for found in result.facts.principals.values())


def test_a_worker_of_another_version_does_nothing_and_says_so() -> None:
    result = reconcile(ShardRequest("run", "platform", Account("dev", SOURCE), version="0.0.1"))
    assert "this is xgrant 0.0.1, and the worker has " in result.error
