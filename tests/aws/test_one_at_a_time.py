"""Two runs never write the same accounts at once: the second one is told, waits, or takes over from the dead."""

from __future__ import annotations

import io
import os
import queue
import re
import signal
import subprocess
import sys
import threading
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Any

import pytest

from reconciler.commands import clock
from reconciler.locking import Held
from reconciler.sandbox.scenario import SOURCE, TARGET, Scenario, root_client
from reconciler.sandbox.server import Call, Sandbox
from reconciler.sandbox.strict.wire import Request
from tests.aws.test_apply import Terminal, answered
from tests.aws.test_drift import policy
from tests.conftest import EXAMPLE, Result, Run
from tests.pages import blocks, page
from tests.stores import BUCKET, DEV, DEV_KEY, Kept, held_by

__all__ = ["answered"]

KEYS = [DEV_KEY, f"locks/platform/{TARGET}.json"]
APPLY = [sys.executable, "-m", "reconciler", "apply", "m.yaml", "--auto-approve"]


class Gate:
    """Makes CreateRole wait until it is opened, or fail once it is broken. S3 acts on one request after the other."""

    def __init__(self, application: Any) -> None:
        self._application = application
        self._one = threading.Lock()
        self.reached, self.open, self.failed = threading.Event(), threading.Event(), threading.Event()
        self.broken = False

    def __call__(self, environ: dict[str, Any], start_response: Any) -> Iterable[bytes]:
        body = environ["wsgi.input"].read(int(environ.get("CONTENT_LENGTH") or 0))
        environ["wsgi.input"] = io.BytesIO(body)
        if b"Action=CreateRole&" in body:
            self.reached.set()
            self.open.wait(120)
            if self.broken:
                self.failed.set()
                start_response("400 Bad Request", [("Content-Length", "0")])
                return []
        if "/s3/" in environ.get("HTTP_AUTHORIZATION", ""):
            with self._one:
                return list(self._application(environ, start_response))
        found: Iterable[bytes] = self._application(environ, start_response)
        return found


@pytest.fixture
def gate(sandbox: Sandbox, monkeypatch: pytest.MonkeyPatch) -> Iterator[Gate]:
    found = Gate(sandbox.recorder._application)
    monkeypatch.setattr(sandbox.recorder, "_application", found)
    yield found
    found.open.set()


@pytest.fixture
def manifest(kept: Kept, tmp_path: Path) -> Path:
    """The example, which keeps its locks and history in each of the stores."""
    file = tmp_path / "m.yaml"
    file.write_text(EXAMPLE.read_text() + "\n" + kept.line)
    return file


def started() -> subprocess.Popen[str]:
    return subprocess.Popen(APPLY, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)


def iam_writes(sandbox: Sandbox) -> list[str]:
    calls: list[Call] = sandbox.recorder.take()
    return [call.operation for call in calls if call.service == "iam" and call.writes()]


def held_now(kept: Kept) -> list[str]:
    """Return the keys of the locks that are not released."""
    entries = {key: kept.store.read(key) for key in kept.store.keys("locks/")}
    return [key for key, entry in entries.items() if entry is not None and b'"released": false' in entry.content]


def test_of_two_applies_at_once_one_runs_and_the_other_has_written_nothing(
    manifest: Path, kept: Kept, gate: Gate, sandbox: Sandbox
) -> None:
    processes = [started(), started()]
    ended: queue.Queue[subprocess.Popen[str]] = queue.Queue()

    def watch(process: subprocess.Popen[str]) -> None:
        process.wait()
        ended.put(process)

    for process in processes:
        threading.Thread(target=watch, args=(process,), daemon=True).start()
    # The one that writes waits at the gate, so the first to end is the one that was refused.
    refused = ended.get(timeout=120)
    assert gate.reached.wait(60)
    (running,) = [process for process in processes if process is not refused]
    out, err = refused.communicate()
    assert (refused.returncode, out) == (5, "")
    assert err.startswith("xgrant: account dev is locked by ")
    assert f"(process {running.pid}): `xgrant apply m.yaml --auto-approve`, since " in err
    gate.open.set()
    out, err = running.communicate()
    assert running.returncode == 0, err
    assert "Apply: 2 created, 0 updated, 0 deleted." in out
    assert sorted(iam_writes(sandbox)) == ["CreateRole", "PutGroupPolicy", "PutRolePolicy"]
    assert held_now(kept) == []


def test_a_run_that_was_killed_makes_way_when_its_lease_is_over_and_leaves_its_part(
    manifest: Path, kept: Kept, gate: Gate, sandbox: Sandbox, xgrant: Run
) -> None:
    process = started()
    assert gate.reached.wait(60)
    os.kill(process.pid, signal.SIGKILL)
    process.communicate()
    gate.broken = True
    gate.open.set()
    assert gate.failed.wait(60)
    assert held_now(kept) == KEYS
    refused = xgrant("apply", manifest, "--auto-approve")
    assert (refused.code, f"(process {process.pid})" in refused.err) == (5, True)
    gate.broken = False
    for key in KEYS:
        kept.age(key, 62)
    applied = xgrant("apply", manifest, "--auto-approve")
    assert applied.code == 0
    assert applied.err.count(" is taken over: ") == 2
    second, first = xgrant("history", manifest).out.splitlines()
    assert "apply   done (2 done of 2 steps)" in second
    assert "apply   not ended (of 2 steps)" in first
    shown = xgrant("history", first.split()[0], manifest)
    assert shown.code == 0
    assert "outcome:  not ended (of 2 steps)\n" in shown.out
    assert "[1/2] storage/role/CrossAccountS3ReadRole: create: its end is not known\n" in shown.out


@pytest.mark.parametrize("command", ["plan", "drift"])
def test_plan_and_drift_take_no_lock_and_say_that_a_run_is_at_work(
    manifest: Path, kept: Kept, xgrant: Run, command: str
) -> None:
    assert xgrant(command, manifest).err == ""
    assert kept.store.keys("locks/") == ()
    held_by(kept.store, clock, "alice").take(DEV)
    result = xgrant(command, manifest)
    assert result.code in (0, 2)
    assert result.err.startswith("xgrant: a run is at work: account dev is locked by alice on host-1")


def test_a_run_that_is_done_or_has_nothing_to_do_leaves_no_lock(manifest: Path, kept: Kept, xgrant: Run) -> None:
    for command in ("apply", "apply", "destroy"):
        assert xgrant(command, manifest, "--auto-approve").code == 0
        assert held_now(kept) == []
    assert len(xgrant("history", manifest).out.splitlines()) == 2


def test_yes_takes_the_locks_before_the_second_read(
    manifest: Path, kept: Kept, sandbox: Sandbox, answered: Callable[..., Result]
) -> None:
    alice = held_by(kept.store, clock, "alice")
    result = answered(Terminal("yes\n", lambda: alice.take(DEV)), "apply", manifest)
    assert (result.code, "account dev is locked by alice" in result.err) == (5, True)
    # One read: GetAccountAuthorizationDetails once in each of the two accounts.
    operations = [call.operation for call in sandbox.recorder.take()]
    assert operations.count("GetAccountSummary") <= 2
    assert "CreateRole" not in operations
    alice.release()
    assert answered(Terminal("yes\n"), "apply", manifest).code == 0
    assert held_now(kept) == []


def test_nobody_is_kept_out_while_a_person_reads_the_plan(
    manifest: Path, kept: Kept, answered: Callable[..., Result]
) -> None:
    def look() -> None:
        assert held_now(kept) == []

    assert answered(Terminal("no\n", look), "destroy", manifest).code == 0
    assert answered(Terminal("no\n", look), "apply", manifest).code == 1


def test_a_plan_file_is_applied_under_the_locks_and_not_read_without(
    manifest: Path, kept: Kept, sandbox: Sandbox, xgrant: Run
) -> None:
    assert xgrant("plan", manifest, "-o", "plan.json").code == 0
    alice = held_by(kept.store, clock, "alice")
    alice.take(DEV)
    sandbox.recorder.take()
    assert xgrant("apply", "plan.json", manifest).code == 5
    assert not [call for call in sandbox.recorder.take() if call.service == "iam"]
    alice.release()
    assert xgrant("apply", "plan.json", manifest).code == 0
    assert held_now(kept) == []


def test_a_stale_plan_leaves_no_lock_and_no_record(
    manifest: Path, kept: Kept, sandbox: Sandbox, xgrant: Run, answered: Callable[..., Result]
) -> None:
    def meanwhile() -> None:
        root_client(sandbox, "iam", SOURCE).put_group_policy(
            GroupName="developers", PolicyName="xgrant.platform.shared-bucket-read",
            PolicyDocument=policy(Action="sts:AssumeRole"),
        )  # fmt: skip

    assert answered(Terminal("yes\n", meanwhile), "apply", manifest).code == 4
    assert held_now(kept) == []
    shown = xgrant("history", manifest).out
    assert shown == f"Nothing has been applied yet, as far as {kept.store.place} knows.\n"


def test_who_is_told_to_wait_waits(manifest: Path, kept: Kept, xgrant: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    alice = held_by(kept.store, clock, "alice")
    alice.take(DEV)
    monkeypatch.setattr(clock, "sleep", lambda _: alice.release())
    result = xgrant("apply", manifest, "--auto-approve", "--lock-timeout", "5m")
    assert result.code == 0
    assert result.err.startswith("xgrant: waiting up to ")


def test_an_interrupted_run_leaves_no_lock(
    manifest: Path, kept: Kept, sandbox: Sandbox, xgrant: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    def interrupted(*_: object, **__: object) -> None:
        raise KeyboardInterrupt

    def observe(request: Request) -> None:
        if request.operation == "CreateRole":
            os.kill(os.getpid(), signal.SIGINT)

    sandbox.strict.faults.observer = observe
    assert xgrant("apply", manifest, "--auto-approve").code == 6
    assert held_now(kept) == []
    assert "apply   interrupted (1 done, 1 skipped of 2 steps)" in xgrant("history", manifest).out
    monkeypatch.setattr("reconciler.commands.apply.make_plan", interrupted)
    assert xgrant("apply", manifest, "--auto-approve").code == 130
    assert held_now(kept) == []


def test_a_run_that_loses_its_locks_writes_nothing_more(
    manifest: Path, kept: Kept, sandbox: Sandbox, xgrant: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    from reconciler.aws.writer import AwsWriter

    write, elapsed = AwsWriter.write, clock.elapsed

    def slowly(self: AwsWriter, *what: Any) -> None:
        write(self, *what)
        for key in KEYS:
            kept.age(key, 62)
        assert held_by(kept.store, clock, "alice").take(DEV) is None
        monkeypatch.setattr(clock, "elapsed", lambda: elapsed() + 50)

    monkeypatch.setattr(AwsWriter, "write", slowly)
    result = xgrant("apply", manifest, "--auto-approve")
    assert result.code == 6
    assert "skipped: dev/group/developers/caller-policy/shared-bucket-read: the lock of account dev could" in result.out
    assert sorted(iam_writes(sandbox)) == ["CreateRole", "PutRolePolicy"]
    assert held_now(kept) == [DEV_KEY]
    assert "apply   lock lost (1 done, 1 skipped of 2 steps)" in xgrant("history", manifest).out


def test_unlock_releases_the_locks_of_a_run_by_their_id(manifest: Path, kept: Kept, xgrant: Run) -> None:
    alice = held_by(kept.store, clock, "alice")
    alice.take(DEV)
    refused = xgrant("apply", manifest, "--auto-approve")
    (lock_id,) = re.findall(r"xgrant unlock --id (\w+)", refused.err)
    assert lock_id == alice.id
    assert xgrant("unlock", "--id", "other", manifest).code == 1
    unlocked = xgrant("unlock", "--id", lock_id, manifest)
    assert (unlocked.code, unlocked.out) == (0, "released: dev\n")
    again = xgrant("unlock", "--id", lock_id, manifest)
    assert (again.code, "no lock with the id" in again.err) == (1, True)
    assert xgrant("apply", manifest, "--auto-approve").code == 0


def test_a_store_that_cannot_be_reached_stops_apply_and_warns_plan(
    scenario: Scenario, sandbox: Sandbox, xgrant: Run, tmp_path: Path
) -> None:
    manifest = tmp_path / "m.yaml"
    manifest.write_text(EXAMPLE.read_text() + "\nstore: s3://not-there/xgrant\n")
    for command in ("apply", "destroy"):
        result = xgrant(command, manifest, "--auto-approve")
        assert (result.code, result.out) == (5, "")
        assert "xgrant: the store s3://not-there/xgrant: GetObject: NoSuchBucket" in result.err
    assert iam_writes(sandbox) == []
    for command in ("history", "unlock"):
        assert xgrant(command, manifest, *(["--id", "x"] if command == "unlock" else [])).code == 5
    planned = xgrant("plan", manifest)
    assert (planned.code, "Plan: 2 to create" in planned.out) == (0, True)
    assert planned.err.startswith("xgrant: it is not known whether a run is at work: the store s3://not-there/xgrant:")


def test_the_permissions_of_the_docs_are_those_that_the_store_needs(
    scenario: Scenario, sandbox: Sandbox, xgrant: Run, tmp_path: Path
) -> None:
    (document,) = [block for block in blocks(page("applying"), "json") if "s3:PutObject" in block]
    root_client(sandbox, "s3", SOURCE).create_bucket(Bucket=BUCKET)
    root_client(sandbox, "iam", SOURCE).put_user_policy(
        UserName="operator", PolicyName="store", PolicyDocument=document.replace("my-bucket", BUCKET)
    )
    manifest = tmp_path / "m.yaml"
    manifest.write_text(EXAMPLE.read_text() + f"\nstore: s3://{BUCKET}/xgrant\n")
    sandbox.enforce(on=True)
    assert xgrant("apply", manifest, "--auto-approve").code == 0
    (line,) = xgrant("history", manifest).out.splitlines()
    assert xgrant("history", line.split()[0], manifest).code == 0
    assert xgrant("unlock", "--id", "none", manifest).code == 1


def test_a_release_that_fails_is_said_and_changes_no_exit_code(
    scenario: Scenario, xgrant: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    from reconciler.errors import StoreError

    def failing(*_: object) -> None:
        raise StoreError("gone")

    release = Held.release

    def released(held: Held) -> None:
        monkeypatch.setattr("reconciler.store.FileStore.replace", failing)
        release(held)

    monkeypatch.setattr(Held, "release", released)
    result = xgrant("apply", EXAMPLE, "--auto-approve")
    assert result.code == 0
    assert "the others end by themselves within 60 s: gone" in result.err
