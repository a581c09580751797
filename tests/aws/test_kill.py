"""An apply that is killed at any moment leaves nothing that the next one does not finish."""

from __future__ import annotations

import json
import multiprocessing
import os
import re
import signal
from pathlib import Path
from typing import Any

import pytest

from reconciler.sandbox.scenario import SOURCE, TARGET, Scenario, root_client
from reconciler.sandbox.server import Sandbox
from reconciler.sandbox.strict.wire import Request
from tests.aws import kill_child
from tests.aws.census import doors_to_nowhere, everything, not_of
from tests.aws.fault_matrix import BOUNDARY, OWN, Grants, grant
from tests.conftest import Run
from tests.snapshots import restore, save

PARTS = 8
"""The calls are divided among so many tests, which run beside each other."""

_MANAGED = {"caller_policy": "managed", "from": {"account": "dev", "groups": ["ops"]}}
_BOTH: Grants = {"path": grant(), "name": grant(), "trust": grant(), "kept": grant(), "old": grant()}
FIRST: Grants = {**_BOTH, "gone-a": grant(managed_policies=[OWN]), "gone-b": grant(), "pack-a": grant(**_MANAGED)}
SECOND: Grants = {
    **_BOTH,
    "path": grant(to={"account": "storage", "path": "/elsewhere/"}),
    "name": grant(to={"account": "storage", "role": "Renamed"}),
    "trust": grant(require={"external_id": "agreed"}, permissions_boundary=BOUNDARY),
    "kept": grant(description="now described", tags={"a": "b"}),
    "new-a": grant(managed_policies=[OWN]),
    "new-b": grant(**{"from": {"account": "dev", "users": ["alice", "bob"]}}),
    "pack-b": grant(**_MANAGED),
}
del SECOND["old"]
SECOND["moved"] = grant(moved=[{"from": "old"}])


def write(folder: Path, name: str, grants: Grants) -> Path:
    path = folder / f"{name}.yaml"
    data = {
        "version": 1,
        "stack": "platform",
        "accounts": {"dev": {"id": SOURCE}, "storage": {"id": TARGET}},
        "defaults": {"access": {"assume_role": {"name": "xgrant-reconciler"}}},
        "limits": {"delete": 100, "delete_percent": 100},
        "grants": grants,
    }
    path.write_text(json.dumps(data), encoding="utf-8")
    return path


def apply_until(sandbox: Sandbox, path: Path, call: int) -> bool:
    """Apply in another process, which is killed when its `call`th call has had its effect; return whether it was."""
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload([kill_child.__name__])
    process = context.Process(target=kill_child.apply, args=(str(path), dict(os.environ), str(path.parent)))
    left = [call]

    def observe(_: Request) -> None:
        left[0] -= 1
        if left[0] == 0:
            assert process.pid is not None
            os.kill(process.pid, signal.SIGKILL)

    sandbox.strict.faults.observer = observe
    process.start()
    process.join(120)
    sandbox.strict.faults.observer = lambda _: None
    assert process.exitcode in (0, -9)
    return process.exitcode == -9


def addresses(changes: list[dict[str, Any]]) -> set[str]:
    return {address for c in changes for address in (c["address"], c["change"]["replaces"]) if address}


def planned(shown: str) -> set[str]:
    """Return the addresses that a plan shows as text, as apply prints it first."""
    return set(re.findall(r"^(?:[+~>-]|-/\+| {6}in place of) (\S+)", shown, re.MULTILINE))


@pytest.mark.parametrize("part", range(PARTS))
def test_an_apply_killed_after_any_of_its_calls_is_finished_by_the_next(
    scenario: Scenario, sandbox: Sandbox, xgrant: Run, tmp_path: Path, part: int
) -> None:
    root_client(sandbox, "iam", SOURCE).create_group(GroupName="ops")
    allow = '{"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Action": "s3:*", "Resource": "*"}]}'
    for name in ("own", "boundary"):
        root_client(sandbox, "iam", TARGET).create_policy(PolicyName=name, PolicyDocument=allow)
    first, second = write(tmp_path, "first", FIRST), write(tmp_path, "second", SECOND)
    assert xgrant("apply", first, "--auto-approve").code == 0
    before, others = save(sandbox), not_of("platform")
    changed = json.loads(xgrant("plan", second, "--format", "json").out)["resource_changes"]
    assert len(changed) >= 20
    assert planned(xgrant("plan", second).out) == addresses(changed)
    assert xgrant("apply", second, "--auto-approve").code == 0
    after = everything()
    call, killed = 1 + part, True
    while killed:
        restore(sandbox, before)
        killed = apply_until(sandbox, second, call)
        for lock in (tmp_path / ".xgrant" / "locks").rglob("*.json"):
            # The lease of the dead is over.
            os.utime(lock, (0, 0))
        # A call of the dead may still be served: between two calls nothing is half-done.
        with sandbox.strict._lock:
            assert doors_to_nowhere("platform") == [], call
            assert not_of("platform") == others, call
        # Nothing is read back: what both accounts hold is compared right after.
        finished = xgrant("apply", second, "--auto-approve", "--no-verify")
        assert finished.code == 0, (call, finished.out)
        # What gets another name is made there, and deleted here.
        assert planned(finished.out) <= addresses(changed), call
        assert everything() == after, call
        call += PARTS
    assert call > 60 + part
