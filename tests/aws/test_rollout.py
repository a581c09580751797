"""An apply over many accounts goes in waves, and stops between two of them where too much has failed."""

from __future__ import annotations

import json
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import jsonschema
import pytest

from reconciler.data import data_path
from reconciler.sandbox.scenario import SOURCE
from reconciler.sandbox.server import Call, Sandbox, writes
from reconciler.sandbox.strict.accounts import backend
from reconciler.sandbox.strict.faults import Fault, Kind
from reconciler.sandbox.strict.wire import Request
from tests.aws.test_many_accounts import ACCOUNTS, manifest, opened, roles, workloads
from tests.aws.test_unreadable_account import shut
from tests.conftest import Run

__all__ = ["workloads"]

pytestmark = pytest.mark.usefixtures("workloads")

WORKLOADS = sorted(ACCOUNTS)[:7]
"""Eight accounts with dev, which has the callers."""

NAMES = {account: name for name, account in {**ACCOUNTS, "dev": SOURCE}.items()}
ROLLOUT: dict[str, Any] = {"canary": ["w3"], "then": "50%"}
TO = {"account": WORKLOADS, "role": "Audit", "path": "/audit/"}


def rolling(folder: Path, rollout: dict[str, Any] | None = None, **grant: Any) -> Path:
    path = manifest(folder, **{"to": TO, **grant})
    data = json.loads(path.read_text())
    data["rollout"] = {**ROLLOUT, **(rollout or {})}
    path.write_text(json.dumps(data), encoding="utf-8")
    return path


def waves(xgrant: Run, path: Path, *words: str) -> list[list[str]]:
    """Return the accounts of each wave, as the plan says them."""
    data = json.loads(xgrant("plan", path, "--format", "json", *words).out)
    jsonschema.Draft202012Validator(json.loads(data_path("schemas/plan.schema.json").read_text())).validate(data)
    return [wave["accounts"] for wave in data["rollout"]["waves"]]


def written(calls: Iterable[Call]) -> list[str]:
    """Return the accounts that were written, each once, in order."""
    return list(dict.fromkeys(NAMES[call.account] for call in writes(calls)))


def broken(account: str) -> Fault:
    return Fault(Kind.DELETE_CONFLICT, times=99, operation="CreateRole", account=ACCOUNTS[account])


def test_the_canary_comes_first_and_each_wave_is_read_back_before_the_next(
    sandbox: Sandbox, xgrant: Run, tmp_path: Path
) -> None:
    path = rolling(tmp_path)
    canary, half, rest = waves(xgrant, path)
    assert (canary, len(half), rest[0]) == (["w3"], 3, "dev")
    assert sorted([*canary, *half, *rest]) == sorted(["dev", *WORKLOADS])
    shown = xgrant("plan", path).out
    assert (
        "Rollout in 3 waves, each read back before the next; none begins after 1 failure:\n"
        f"    canary: w3\n    50%: {', '.join(half)}\n    100%: {', '.join(rest)}\nPlan: 8 to create" in shown
    )
    sandbox.recorder.take()
    result = xgrant("apply", path, "--auto-approve", "--parallelism", "1")
    calls = sandbox.recorder.take()
    assert (result.code, roles(), opened()) == (0, set(WORKLOADS), set(WORKLOADS)), result.out
    order = written(calls)
    assert (order[:1], sorted(order[1:4]), order[-1]) == (canary, half, "dev")
    bulk = [
        NAMES[call.account]
        for call in calls
        if call.operation == "GetAccountAuthorizationDetails" and call.account in NAMES
    ]
    # The plan reads all of them; then each wave its own.
    reads = bulk[-8:]
    assert (reads[:1], sorted(reads[1:4]), sorted(reads[4:])) == (canary, half, rest)
    assert [line for line in result.err.splitlines() if line.startswith("wave ")] == [
        "wave 1 of 3, canary: 1 account", "wave 2 of 3, 50%: 3 accounts", "wave 3 of 3, 100%: 4 accounts",
    ]  # fmt: skip
    assert xgrant("plan", path, "--detailed-exitcode").code == 0


def test_a_failure_stops_the_rollout_and_the_next_apply_begins_with_the_canary(
    sandbox: Sandbox, xgrant: Run, tmp_path: Path
) -> None:
    path = rolling(tmp_path, {"canary": {"accounts": ["w3", "w5"]}})
    sandbox.strict.faults.add(broken("w5"))
    result = xgrant("apply", path, "--auto-approve")
    assert (result.code, roles()) == (6, {"w3"})
    assert "failed: w5/role/Audit" in result.out
    assert (
        "skipped: dev/group/auditors/caller-policy/audit, w1/role/Audit, w2/role/Audit, w4/role/Audit, w6/role/Audit, "
        "w7/role/Audit: the rollout stopped before the wave 50%: 1 step failed" in result.out
    )
    assert result.out.endswith("Apply: 1 created, 0 updated, 0 deleted, 1 failed, 6 skipped.\n")
    record = xgrant("history", path).out.split()[0]
    told = xgrant("history", record, path).out
    assert "wave 1 of 3, canary:\n" in told
    assert "wave 2 of 3, 50%: not begun\n" in told
    sandbox.strict.faults.calm()
    left = waves(xgrant, path)
    assert left[0] == ["w5"]
    sandbox.recorder.take()
    assert xgrant("apply", path, "--auto-approve").code == 0
    assert written(sandbox.recorder.take())[0] == "w5"
    assert roles() == opened() == set(WORKLOADS)


@pytest.mark.usefixtures("clock")
def test_what_aws_does_not_show_as_written_is_a_failure(sandbox: Sandbox, xgrant: Run, tmp_path: Path) -> None:
    def change(request: Request) -> None:
        if request.operation == "PutRolePolicy" and request.account == ACCOUNTS["w3"]:
            next(role for role in backend(ACCOUNTS["w3"]).roles.values() if role.name == "Audit").description = "mine"

    sandbox.strict.faults.observer = change
    result = xgrant("apply", rolling(tmp_path), "--auto-approve")
    sandbox.strict.faults.observer = lambda _: None
    assert (result.code, roles()) == (6, {"w3"})
    assert "before the wave 50%: 1 change not shown by AWS as written (stop_on: 1)" in result.out


def test_nothing_is_begun_where_the_canary_could_not_be_read(sandbox: Sandbox, xgrant: Run, tmp_path: Path) -> None:
    shut(sandbox, ACCOUNTS["w3"])
    result = xgrant("apply", rolling(tmp_path), "--auto-approve")
    assert "    nothing beyond the canary will begin: w3 of it could not be read\n" in result.out
    assert (result.code, roles()) == (6, set())
    assert "7 changes of dev, w1, w2, w4, w5 and 2 more: the rollout stopped before the wave 50%: w3 of the canary" in (
        result.out
    )


def test_a_plan_file_that_leaves_out_the_canary_says_that_it_is_good_for_nothing_and_what_to_do(
    sandbox: Sandbox, xgrant: Run, tmp_path: Path
) -> None:
    path, file = rolling(tmp_path), tmp_path / "plan.json"
    shut(sandbox, ACCOUNTS["w3"])
    planned = xgrant("plan", path, "-o", file)
    assert "; w3 of the canary could not be read, so nothing can be applied: plan again then." in planned.err
    assert "so nothing can be applied: plan again then." in xgrant("show", file).err
    sandbox.enforce(on=False)
    result = xgrant("apply", file, path)
    assert (result.code, roles()) == (6, set())
    anew = f"once it can be read, plan it and review that: xgrant plan -o {file} {path}"
    assert f"w3 of the canary could not be read (stop_on: 1); {anew}\n" in result.out
    assert f"What was not done stays in the plan: {anew}.\n" in result.out
    assert "again" not in result.out


def test_a_reviewed_plan_goes_in_the_waves_that_were_reviewed_or_is_stale(
    sandbox: Sandbox, xgrant: Run, tmp_path: Path
) -> None:
    file = tmp_path / "plan.json"
    path = rolling(tmp_path)
    planned = xgrant("plan", path, "-o", file)
    assert xgrant("show", file).out == planned.out
    stale = xgrant("apply", file, rolling(tmp_path, {"canary": ["w4"]}))
    assert (stale.code, roles()) == (4, set())
    assert 'rollout: {"canary": ["w3"], "stop_on": 1, "then": [50, 100]} when reviewed, {"canary": ["w4"]' in stale.out
    sandbox.strict.faults.add(broken("w1"))
    rolling(tmp_path)
    assert xgrant("apply", file, path).code == 6
    sandbox.strict.faults.calm()
    assert roles() >= {"w3"}
    finished = xgrant("apply", file, path)
    assert (finished.code, roles(), opened()) == (0, set(WORKLOADS), set(WORKLOADS)), finished.out
    # Where nothing is left to do, no wave matters.
    assert xgrant("apply", file, rolling(tmp_path, {"canary": ["w4"]})).code == 0
