"""Apply asks, binds to what was approved, goes on past a failure, and gets through a passing weather."""

from __future__ import annotations

import json
import os
import pty
import re
import signal
import socketserver
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

import reconciler.commands.clock
from reconciler.locking import Held
from reconciler.sandbox.scenario import PERMISSIONS, RECONCILER, SOURCE, TARGET, Scenario, root_client
from reconciler.sandbox.server import Sandbox, writes
from tests.aws.test_drift import policy
from tests.conftest import EXAMPLE, Clock, Result, Run

OWN = f"arn:aws:iam::{TARGET}:policy/own"

TWO_GRANTS = f"""\
version: 1
stack: platform
accounts:
  dev: {{id: "{SOURCE}"}}
  storage: {{id: "{TARGET}"}}
defaults:
  access: {{assume_role: {{name: xgrant-reconciler}}}}
grants:
  bad:
    from: {{account: dev, users: [alice]}}
    to: {{account: storage}}
    managed_policies: [{OWN}]
  good:
    from: {{account: dev, users: [bob]}}
    to: {{account: storage}}
    permissions: [{{actions: "s3:GetObject", resources: "*"}}]
"""


class Terminal:
    """A person at a terminal: does something, then answers."""

    def __init__(self, answer: str, first: Callable[[], object] = lambda: None) -> None:
        self._answer = answer
        self._first = first

    def isatty(self) -> bool:
        return True

    def readline(self) -> str:
        self._first()
        return self._answer


@pytest.fixture
def answered(xgrant: Run, monkeypatch: pytest.MonkeyPatch) -> Callable[..., Result]:
    def run(terminal: Terminal, *arguments: str | Path) -> Result:
        monkeypatch.setattr("sys.stdin", terminal)
        monkeypatch.setattr("sys.stdout.isatty", lambda: True, raising=False)
        return xgrant(*arguments, "--color", "never")

    return run


def test_a_person_at_a_real_terminal_is_asked_and_yes_applies(scenario: Scenario) -> None:
    controller, terminal = pty.openpty()
    environment = {**os.environ, "TERM": "xterm"}
    environment.pop("NO_COLOR", None)
    process = subprocess.Popen(
        [sys.executable, "-m", "reconciler", "apply", str(EXAMPLE)],
        stdin=terminal, stdout=terminal, stderr=subprocess.STDOUT, env=environment, close_fds=True,
    )  # fmt: skip
    os.close(terminal)
    shown = b""
    while b"Do you want to apply this plan? " not in shown:
        shown += os.read(controller, 65536)
    os.write(controller, b"yes\n")
    while True:
        try:
            shown += os.read(controller, 65536)
        except OSError:
            break
    os.close(controller)
    assert process.wait(timeout=60) == 0
    assert b"\x1b[32m+ storage/role/CrossAccountS3ReadRole\x1b[0m" in shown
    assert b"Apply: 2 created, 0 updated, 0 deleted." in shown


@pytest.mark.parametrize("answer", ["no\n", "y\n", "YES\n", "\n", ""])
def test_only_yes_approves(scenario: Scenario, sandbox: Sandbox, answered: Callable[..., Result], answer: str) -> None:
    result = answered(Terminal(answer), "apply", EXAMPLE)
    assert result.code == 1
    assert result.out.endswith("Not approved; nothing was changed.\n")
    assert list(writes(sandbox.recorder.take())) == []


def test_what_changes_while_the_plan_is_read_stops_the_apply(
    scenario: Scenario, sandbox: Sandbox, answered: Callable[..., Result]
) -> None:
    def meanwhile() -> None:
        document = policy(Action="sts:AssumeRole")
        name = "xgrant.platform.shared-bucket-read"
        root_client(sandbox, "iam", SOURCE).put_group_policy(
            GroupName="developers", PolicyName=name, PolicyDocument=document
        )
        sandbox.recorder.take()

    result = answered(Terminal("yes\n", meanwhile), "apply", EXAMPLE)
    assert result.code == 4
    assert "this is not the plan that was approved; nothing was changed" in result.err
    assert "The plan has changed while it was read. It is now:" in result.out
    assert result.out.rstrip().endswith("Plan: 1 to create, 1 to update, 0 to delete.")
    assert list(writes(sandbox.recorder.take())) == []


def test_a_plan_that_is_refused_when_it_is_approved_is_shown_and_not_executed(
    scenario: Scenario, sandbox: Sandbox, answered: Callable[..., Result], tmp_path: Path
) -> None:
    manifest = tmp_path / "m.yaml"
    manifest.write_text(TWO_GRANTS)
    root_client(sandbox, "iam", TARGET).create_policy(PolicyName="own", PolicyDocument=policy(Action="s3:GetObject"))

    def meanwhile() -> None:
        iam = root_client(sandbox, "iam", SOURCE)
        for key in iam.list_access_keys(UserName="bob")["AccessKeyMetadata"]:
            iam.delete_access_key(UserName="bob", AccessKeyId=key["AccessKeyId"])
        iam.delete_user(UserName="bob")
        sandbox.recorder.take()

    result = answered(Terminal("yes\n", meanwhile), "apply", manifest)
    assert result.code == 3
    assert "the user bob of account dev does not exist" in result.out
    assert list(writes(sandbox.recorder.take())) == []


def test_an_apply_whose_output_nobody_reads_goes_on_to_its_end(scenario: Scenario, xgrant: Run) -> None:
    command = f"{sys.executable} -m reconciler apply {EXAMPLE} --auto-approve; echo $? >&2"
    done = subprocess.run(f"({command}) | true", shell=True, capture_output=True, text=True, check=False)
    assert done.stderr.splitlines()[-1] == "0"
    assert xgrant("plan", EXAMPLE, "--detailed-exitcode").code == 0


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="only Linux has a device that is always full")
def test_a_full_disk_is_no_mistake_of_xgrant_and_stops_no_apply(scenario: Scenario, xgrant: Run) -> None:
    def run(command: str) -> subprocess.CompletedProcess[str]:
        line = f"{sys.executable} -m reconciler {command} > /dev/full"
        return subprocess.run(line, shell=True, capture_output=True, text=True, check=False)

    planned = run(f"plan {EXAMPLE}")
    assert (planned.returncode, planned.stderr) == (1, "xgrant: No space left on device\n")
    applied = run(f"apply {EXAMPLE} --auto-approve")
    assert applied.returncode == 0
    assert "the output cannot be written" in applied.stderr
    assert xgrant("plan", EXAMPLE, "--detailed-exitcode").code == 0


def interrupt_at(sandbox: Sandbox, operation: str) -> None:
    def observe(request: Any) -> None:
        if request.operation == operation:
            os.kill(os.getpid(), signal.SIGINT)
            sandbox.strict.faults.observer = lambda _: None

    sandbox.strict.faults.observer = observe


def test_an_interrupted_apply_ends_what_is_under_way_and_says_what_is_left(
    scenario: Scenario, sandbox: Sandbox, xgrant: Run
) -> None:
    interrupt_at(sandbox, "CreateRole")
    result = xgrant("apply", EXAMPLE, "--auto-approve")
    assert result.code == 6
    assert "skipped: dev/group/developers/caller-policy/shared-bucket-read: interrupted" in result.out
    assert result.out.endswith("Apply: 1 created, 0 updated, 0 deleted, 1 skipped.\n")
    assert xgrant("plan", EXAMPLE).out.endswith("Plan: 1 to create, 0 to update, 0 to delete.\n")


def test_an_apply_that_is_interrupted_before_anything_began_ends_with_130_and_wrote_nothing(
    scenario: Scenario, sandbox: Sandbox, xgrant: Run
) -> None:
    interrupt_at(sandbox, "GetAccountSummary")
    result = xgrant("apply", EXAMPLE, "--auto-approve")
    assert (result.code, result.err) == (130, "interrupted: nothing in AWS was changed\n")
    assert list(writes(sandbox.recorder.take())) == []


def test_an_apply_that_is_interrupted_when_all_is_done_still_says_so_and_gives_the_locks_back(
    scenario: Scenario, xgrant: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    release = Held.release

    def interrupted(held: Held) -> None:
        os.kill(os.getpid(), signal.SIGINT)
        release(held)

    monkeypatch.setattr(Held, "release", interrupted)
    result = xgrant("apply", EXAMPLE, "--auto-approve")
    monkeypatch.setattr(Held, "release", release)
    assert result.code == 0
    assert result.out.endswith("Apply: 2 created, 0 updated, 0 deleted.\n")
    assert xgrant("destroy", EXAMPLE, "--auto-approve").code == 0


def test_ctrl_c_while_reading_back_waits_no_longer(
    scenario: Scenario, sandbox: Sandbox, xgrant: Run, clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    sandbox.strict.faults.clock = clock.monotonic
    sandbox.strict.faults.list_delay = 600
    waited: list[float] = []

    def interrupted_in_the_end(seconds: float) -> None:
        clock.sleep(seconds)
        waited.append(seconds)
        if sum(waited) > 20:
            os.kill(os.getpid(), signal.SIGINT)

    monkeypatch.setattr("reconciler.clock.sleep", interrupted_in_the_end)
    result = xgrant("apply", EXAMPLE, "--auto-approve")
    assert result.code == 6
    assert "it was written, but not read back: interrupted" in result.out
    assert sum(waited) < 22


def test_a_run_that_has_lost_its_locks_makes_no_further_call(
    scenario: Scenario, sandbox: Sandbox, xgrant: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    late = [0.0]
    elapsed = reconciler.commands.clock.elapsed
    monkeypatch.setattr("reconciler.commands.clock.elapsed", lambda: elapsed() + late[0])

    def observe(request: Any) -> None:
        if request.operation == "CreateRole":
            late[0] = 46.0

    sandbox.strict.faults.observer = observe
    sandbox.recorder.take()
    result = xgrant("apply", EXAMPLE, "--auto-approve", "--no-verify")
    assert result.code == 6
    assert "failed: storage/role/CrossAccountS3ReadRole: stopped before its end: the lock of account" in result.out
    assert [call.operation for call in writes(sandbox.recorder.take())] == ["CreateRole"]


def test_ctrl_c_while_accounts_are_read_leaves_at_once(scenario: Scenario, tmp_path: Path) -> None:
    told = tmp_path / "stderr"
    # What is cut off without an answer is tried again for two minutes.
    with socketserver.ThreadingTCPServer(("127.0.0.1", 0), socketserver.BaseRequestHandler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        environment = {**os.environ, "AWS_ENDPOINT_URL": f"http://127.0.0.1:{server.server_address[1]}"}
        with told.open("w") as stderr:
            command = [sys.executable, "-m", "reconciler", "plan", str(EXAMPLE)]
            process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=stderr, text=True, env=environment)
        while "try 3 in" not in told.read_text() and process.poll() is None:
            time.sleep(0.02)
        since = time.monotonic()
        process.send_signal(signal.SIGINT)
        process.communicate(timeout=60)
        server.shutdown()
    assert time.monotonic() - since < 5
    assert process.returncode == 130
    assert told.read_text().endswith("interrupted: nothing in AWS was changed\n")


def test_no_answer_to_the_question_is_no(scenario: Scenario, answered: Callable[..., Result]) -> None:
    result = answered(Terminal(""), "apply", EXAMPLE)
    assert result.code == 1
    assert result.out.endswith("Do you want to apply this plan? \nNot approved; nothing was changed.\n")


@pytest.mark.parametrize("first", [signal.SIGTERM, signal.SIGHUP])
def test_sigterm_stops_an_apply_as_ctrl_c_does_and_a_second_signal_leaves_at_once(
    scenario: Scenario, sandbox: Sandbox, tmp_path: Path, first: signal.Signals
) -> None:
    told = tmp_path / "stderr"
    command = [sys.executable, "-m", "reconciler", "apply", str(EXAMPLE), "--auto-approve"]
    with told.open("w") as stderr:
        process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=stderr, text=True)

    def observe(request: Any) -> None:
        if request.operation == "CreateRole":
            process.send_signal(first)
            while "once more leaves at once" not in told.read_text() and process.poll() is None:
                time.sleep(0.01)
            process.send_signal(signal.SIGTERM)

    sandbox.strict.faults.observer = observe
    out, _ = process.communicate(timeout=60)
    assert process.returncode == 130
    assert re.search(
        r"left at once: .* locks end by themselves within 60 s, or by xgrant unlock --id \w+", told.read_text()
    )
    assert "Apply:" not in out


def test_yes_to_destroy_destroys(scenario: Scenario, xgrant: Run, answered: Callable[..., Result]) -> None:
    xgrant("apply", EXAMPLE, "--auto-approve")
    result = answered(Terminal("yes\n"), "destroy", EXAMPLE)
    assert (result.code, "Do you want to destroy this plan?" in result.out) == (0, True)


def test_one_failed_change_leaves_the_others_done_and_the_rest_to_the_next_apply(
    scenario: Scenario, sandbox: Sandbox, xgrant: Run, tmp_path: Path
) -> None:
    manifest = tmp_path / "m.yaml"
    manifest.write_text(TWO_GRANTS)
    iam = root_client(sandbox, "iam", TARGET)
    iam.create_policy(PolicyName="own", PolicyDocument=policy(Action="s3:GetObject"))
    less = json.dumps(PERMISSIONS).replace('"iam:AttachRolePolicy", ', "")
    iam.put_role_policy(RoleName=RECONCILER, PolicyName="reconcile", PolicyDocument=less)
    sandbox.enforce(on=True)
    result = xgrant("apply", manifest, "--auto-approve")
    assert result.code == 6
    assert "failed: storage/role/bad: account storage: AttachRolePolicy: AccessDenied: " in result.out
    assert "skipped: dev/user/alice/caller-policy/bad: it needs storage/role/bad, which was not done" in result.out
    assert result.out.endswith("Apply: 2 created, 0 updated, 0 deleted, 1 failed, 1 skipped.\n")
    planned = xgrant("plan", manifest)
    assert planned.out.endswith("Plan: 1 to create, 1 to update, 0 to delete.\n")
    sandbox.enforce(on=False)
    assert xgrant("apply", manifest, "--auto-approve").code == 0
    assert xgrant("plan", manifest, "--detailed-exitcode").code == 0


def test_a_mistake_of_xgrant_itself_is_one_line_and_no_traceback(
    scenario: Scenario, xgrant: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    nothing: dict[str, str] = {}
    monkeypatch.setattr("reconciler.commands.plan.make_plan", lambda *_, **__: nothing["canary\x1b"])
    result = xgrant("plan", EXAMPLE)
    assert result.code == 1
    assert result.err.startswith("xgrant: internal error: KeyError: 'canary\\x1b' (test_apply.py:")
    assert result.err.count("\n") == 1
