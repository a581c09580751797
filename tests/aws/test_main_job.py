"""The main job against an emulated AWS over HTTP: plan, apply, plan again, destroy."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import jsonschema
import pytest

from reconciler.data import data_path
from reconciler.sandbox.scenario import SOURCE, TARGET, Scenario, root_client
from reconciler.sandbox.server import Sandbox, counted, writes
from tests.conftest import EXAMPLE, Run
from tests.pages import blocks, page

ROLE = "CrossAccountS3ReadRole"


def test_apply_on_empty_accounts_makes_the_plan_empty(scenario: Scenario, xgrant: Run) -> None:
    applied = xgrant("apply", EXAMPLE, "--auto-approve")
    assert applied.code == 0
    assert applied.out.endswith("Apply: 2 created, 0 updated, 0 deleted.\n")
    again = xgrant("plan", EXAMPLE, "--detailed-exitcode")
    assert (again.code, again.err) == (0, "")
    assert again.out.endswith("Plan: 0 to create, 0 to update, 0 to delete.\n")


def test_a_second_apply_writes_nothing(scenario: Scenario, sandbox: Sandbox, xgrant: Run) -> None:
    xgrant("apply", EXAMPLE, "--auto-approve")
    sandbox.recorder.take()
    assert xgrant("apply", EXAMPLE, "--auto-approve").code == 0
    calls = sandbox.recorder.take()
    assert calls
    assert list(writes(calls)) == []


def test_a_grant_to_one_group_costs_three_writes(
    scenario: Scenario, sandbox: Sandbox, xgrant: Run, tmp_path: Path
) -> None:
    root_client(sandbox, "iam", TARGET).create_policy(
        PolicyName="boundary",
        PolicyDocument='{"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Action": "*", "Resource": "*"}]}',
    )
    sandbox.recorder.take()
    text = EXAMPLE.read_text(encoding="utf-8") + (
        f"    permissions_boundary: arn:aws:iam::{TARGET}:policy/boundary\n    session: {{max_duration: 4h}}\n"
        '    tags: {cost-center: "42"}\n'
    )
    manifest = tmp_path / "m.yaml"
    manifest.write_text(text)
    sandbox.recorder.take()
    assert xgrant("apply", manifest, "--auto-approve").code == 0
    assert counted(writes(sandbox.recorder.take())) == {"CreateRole": 1, "PutRolePolicy": 1, "PutGroupPolicy": 1}


def test_destroy_leaves_nothing_of_the_stack(scenario: Scenario, sandbox: Sandbox, xgrant: Run) -> None:
    xgrant("apply", EXAMPLE, "--auto-approve")
    destroyed = xgrant("destroy", EXAMPLE, "--auto-approve")
    assert destroyed.code == 0
    assert destroyed.out.endswith("Destroy: 0 created, 0 updated, 2 deleted.\n")
    roles = root_client(sandbox, "iam", TARGET).list_roles()["Roles"]
    assert [role["RoleName"] for role in roles] == ["xgrant-reconciler"]
    assert xgrant("destroy", EXAMPLE, "--auto-approve").out.startswith("No changes")


@pytest.mark.parametrize("only", [(), ("--only", "shared-bucket-read")], ids=["all", "only it"])
def test_destroy_leaves_the_role_that_the_manifest_says_must_be_kept_though_its_tag_is_not_there(
    scenario: Scenario, sandbox: Sandbox, xgrant: Run, tmp_path: Path, only: tuple[str, ...]
) -> None:
    xgrant("apply", EXAMPLE, "--auto-approve")
    manifest = tmp_path / "m.yaml"
    manifest.write_text(EXAMPLE.read_text(encoding="utf-8") + "    prevent_destroy: true\n")
    sandbox.recorder.take()
    refused = xgrant("destroy", manifest, "--auto-approve", *only)
    assert (refused.code, "error XG210" in refused.out) == (3, True)
    assert list(writes(sandbox.recorder.take())) == []


def test_a_grant_that_is_taken_out_of_the_manifest_is_deleted(scenario: Scenario, xgrant: Run, tmp_path: Path) -> None:
    xgrant("apply", EXAMPLE, "--auto-approve")
    emptied = tmp_path / "m.yaml"
    emptied.write_text(EXAMPLE.read_text(encoding="utf-8").split("grants:")[0] + "grants: {}\n")
    planned = xgrant("plan", emptied, "--detailed-exitcode")
    assert planned.code == 2
    assert planned.out.endswith("Plan: 0 to create, 0 to update, 2 to delete.\n")
    assert xgrant("apply", emptied, "--auto-approve").code == 0
    assert xgrant("plan", emptied, "--detailed-exitcode").code == 0


def test_only_leaves_other_grants_alone(scenario: Scenario, xgrant: Run, tmp_path: Path) -> None:
    text = EXAMPLE.read_text(encoding="utf-8")
    second = text.split("grants:")[1].replace("shared-bucket-read", "second").replace(ROLE, "Second")
    manifest = tmp_path / "m.yaml"
    manifest.write_text(text + second)
    assert xgrant("apply", manifest, "--only", "second", "--auto-approve").out.endswith(
        "2 created, 0 updated, 0 deleted.\n"
    )
    assert "2 to create" in xgrant("plan", manifest).out
    assert xgrant("destroy", manifest, "--only", "second", "--auto-approve").code == 0
    unknown = xgrant("plan", manifest, "--only", "third")
    assert unknown.code == 64
    assert "no grant third" in unknown.err


@pytest.mark.parametrize("command", ["plan", "apply"])
def test_a_role_of_the_same_name_that_is_not_ours_stops_the_plan(
    scenario: Scenario, sandbox: Sandbox, xgrant: Run, command: str
) -> None:
    iam = root_client(sandbox, "iam", TARGET)
    trust = json.dumps({"Statement": [{"Effect": "Allow", "Principal": {"AWS": SOURCE}, "Action": "sts:AssumeRole"}]})
    iam.create_role(RoleName=ROLE.upper(), AssumeRolePolicyDocument=trust)
    sandbox.recorder.take()
    result = xgrant(command, EXAMPLE, *(["--auto-approve"] if command == "apply" else []))
    assert result.code == 3
    assert f"error XG201 storage/role/{ROLE}: the role {ROLE.upper()} exists in account storage" in result.out
    assert (
        f"what to do: to take the role over as it stands, write `adopt: true` and `to.role: {ROLE.upper()}`"
        in result.out
    )
    assert list(writes(sandbox.recorder.take())) == []


def test_a_group_that_does_not_exist_stops_the_plan(scenario: Scenario, xgrant: Run, tmp_path: Path) -> None:
    manifest = tmp_path / "m.yaml"
    manifest.write_text(EXAMPLE.read_text(encoding="utf-8").replace("[developers]", "[develpers]"))
    result = xgrant("plan", manifest)
    assert result.code == 3
    assert "the group develpers of account dev does not exist" in result.out


def test_the_plan_as_json_fits_its_schema_and_says_what_the_text_says(scenario: Scenario, xgrant: Run) -> None:
    result = xgrant("plan", EXAMPLE, "--format", "json", "--detailed-exitcode")
    assert result.code == 2
    data: dict[str, Any] = json.loads(result.out)
    schema = json.loads(data_path("schemas/plan.schema.json").read_text(encoding="utf-8"))
    jsonschema.Draft202012Validator(schema).validate(data)
    assert [(c["address"], c["change"]["actions"]) for c in data["resource_changes"]] == [
        ("dev/group/developers/caller-policy/shared-bucket-read", ["create"]),
        (f"storage/role/{ROLE}", ["create"]),
    ]
    assert data["summary"] == {
        "create": 2, "update": 0, "replace": 0, "delete": 0, "adopt": 0, "wanted": 2, "owned": 0, "refused": False,
    }  # fmt: skip


def test_many_grants_cost_as_many_reads_as_one(
    scenario: Scenario, sandbox: Sandbox, xgrant: Run, tmp_path: Path
) -> None:
    head, grant = EXAMPLE.read_text(encoding="utf-8").split("grants:")
    source = root_client(sandbox, "iam", SOURCE)
    for i in range(10):
        source.create_group(GroupName=f"team-{i}")
    many = tmp_path / "many.yaml"
    many.write_text(
        head + "grants:"
        + "".join(
            grant.replace("shared-bucket-read", f"grant-{i}").replace(ROLE, f"Role{i}")
            # Twenty inline policies are what a group holds.
            .replace("[developers]", f"[team-{i % 10}]")
            for i in range(200)
        )
    )  # fmt: skip
    assert xgrant("apply", many, "--auto-approve").out.endswith("Apply: 400 created, 0 updated, 0 deleted.\n")
    calls = []
    for manifest in (many, EXAMPLE):
        sandbox.recorder.take()
        xgrant("plan", manifest)
        calls.append(sandbox.recorder.take())
    assert counted(calls[0]) == counted(calls[1])
    assert counted(calls[0]) == {
        "AssumeRole": 2,
        "GetAccountAuthorizationDetails": 2,
        "GetAccountSummary": 2,
        "ListRoles": 2,
    }
    assert {call.account for call in calls[0]} == {"123456789012", "987654321098"}


def test_the_permissions_in_the_docs_are_those_that_the_sandbox_enforces(
    scenario: Scenario, sandbox: Sandbox, xgrant: Run
) -> None:
    from reconciler.sandbox.scenario import PERMISSIONS

    assert PERMISSIONS in [json.loads(block) for block in blocks(page("accounts"), "json")]
    sandbox.enforce(on=True)
    assert xgrant("apply", EXAMPLE, "--auto-approve").code == 0
    assert xgrant("destroy", EXAMPLE, "--auto-approve").code == 0


def test_without_the_permissions_the_account_the_operation_and_the_way_out_are_named(
    scenario: Scenario, sandbox: Sandbox, xgrant: Run
) -> None:
    root_client(sandbox, "iam", TARGET).delete_role_policy(RoleName="xgrant-reconciler", PolicyName="reconcile")
    sandbox.enforce(on=True)
    result = xgrant("plan", EXAMPLE)
    assert result.code == 6
    assert "account storage: GetAccountAuthorizationDetails: AccessDenied" in result.err
    assert "allow iam:GetAccountAuthorizationDetails" in result.err


def test_apply_asks_for_approval_where_somebody_can_give_it(scenario: Scenario, xgrant: Run) -> None:
    result = xgrant("apply", EXAMPLE)
    assert result.code == 64
    assert "--auto-approve" in result.err
