"""An account that cannot be read: the plan of the others stands, and nothing can be applied."""

from __future__ import annotations

from pathlib import Path

import pytest

from reconciler.sandbox.scenario import RECONCILER, SOURCE, TARGET, Scenario, root_client
from reconciler.sandbox.server import Sandbox, writes
from tests.conftest import EXAMPLE, Run


@pytest.fixture
def half_read(scenario: Scenario, sandbox: Sandbox) -> Scenario:
    """The target account denies every read."""
    root_client(sandbox, "iam", TARGET).delete_role_policy(RoleName=RECONCILER, PolicyName="reconcile")
    sandbox.enforce(on=True)
    sandbox.recorder.take()
    return scenario


def test_the_plan_of_the_others_is_shown_with_who_failed_and_why(half_read: Scenario, xgrant: Run) -> None:
    result = xgrant("plan", EXAMPLE, "--detailed-exitcode")
    assert result.code == 1
    assert "+ dev/group/developers/caller-policy/shared-bucket-read" in result.out
    assert (
        "error XG209 nothing is planned for account storage, since it could not be read: account storage: "
        in result.out
    )
    assert "storage/role/" not in result.out
    assert result.out.endswith("Plan: 1 to create, 0 to update, 0 to delete.\n")


def test_nothing_of_an_unreadable_account_is_planned_for_deletion(
    half_read: Scenario, sandbox: Sandbox, xgrant: Run
) -> None:
    sandbox.enforce(on=False)
    assert "0 to delete" in xgrant("plan", EXAMPLE, "--destroy").out
    sandbox.enforce(on=True)
    assert "storage/" not in xgrant("plan", EXAMPLE, "--destroy").out


@pytest.mark.parametrize("command", ["apply", "destroy"])
def test_a_plan_that_is_not_complete_is_not_applied(
    half_read: Scenario, sandbox: Sandbox, xgrant: Run, command: str
) -> None:
    assert xgrant(command, EXAMPLE, "--auto-approve").code == 1
    assert list(writes(sandbox.recorder.take())) == []


def test_the_file_of_a_plan_that_is_not_complete_is_shown_and_refused(
    half_read: Scenario, sandbox: Sandbox, xgrant: Run, tmp_path: Path
) -> None:
    file = tmp_path / "plan.json"
    planned = xgrant("plan", EXAMPLE, "-o", file)
    assert xgrant("show", file).out == planned.out
    sandbox.enforce(on=False)
    sandbox.recorder.take()
    result = xgrant("apply", file, EXAMPLE)
    assert (result.code, "the plan is not complete" in result.err) == (3, True)
    assert sandbox.recorder.take() == []


def test_an_account_that_fails_after_the_review_stops_the_apply(
    scenario: Scenario, sandbox: Sandbox, xgrant: Run, tmp_path: Path
) -> None:
    file = tmp_path / "plan.json"
    xgrant("plan", EXAMPLE, "-o", file)
    root_client(sandbox, "iam", SOURCE).delete_role_policy(RoleName=RECONCILER, PolicyName="reconcile")
    sandbox.enforce(on=True)
    sandbox.recorder.take()
    assert xgrant("apply", file, EXAMPLE).code == 1
    assert list(writes(sandbox.recorder.take())) == []


def test_a_grant_that_may_live_in_an_unreadable_account_is_not_called_unknown(half_read: Scenario, xgrant: Run) -> None:
    result = xgrant("plan", EXAMPLE, "--only", "taken-out-of-the-manifest")
    assert (result.code, "AccessDenied" in result.err) == (1, True)


def test_nobody_of_an_unreadable_account_is_said_not_to_exist(
    scenario: Scenario, sandbox: Sandbox, xgrant: Run, tmp_path: Path
) -> None:
    manifest = tmp_path / "m.yaml"
    manifest.write_text(EXAMPLE.read_text(encoding="utf-8").replace("groups: [developers]", "users: [alice]"))
    assert xgrant("apply", manifest, "--auto-approve").code == 0
    root_client(sandbox, "iam", SOURCE).delete_role_policy(RoleName=RECONCILER, PolicyName="reconcile")
    sandbox.enforce(on=True)
    result = xgrant("plan", manifest)
    assert (result.code, "error XG209" in result.out) == (1, True)
    assert "XG202" not in result.out
