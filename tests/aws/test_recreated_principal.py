"""A role of the source account that is deleted and made anew: the trust policy has to be written again."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from reconciler.sandbox.scenario import SOURCE, TARGET, Scenario, root_client
from reconciler.sandbox.server import Sandbox
from tests.conftest import Run

TRUST = json.dumps(
    {
        "Version": "2012-10-17",
        "Statement": [{"Effect": "Allow", "Principal": {"Service": "ec2.amazonaws.com"}, "Action": "sts:AssumeRole"}],
    }
)


@pytest.fixture
def manifest(scenario: Scenario, sandbox: Sandbox, xgrant: Run, tmp_path: Path) -> Path:
    """An applied grant to the role deployer."""
    root_client(sandbox, "iam", SOURCE).create_role(RoleName="deployer", AssumeRolePolicyDocument=TRUST)
    file = tmp_path / "m.yaml"
    file.write_text(
        f"""\
version: 1
stack: platform
accounts: {{dev: {{id: "{SOURCE}"}}, storage: {{id: "{TARGET}"}}}}
defaults: {{access: {{assume_role: {{name: xgrant-reconciler}}}}}}
grants:
  reader:
    from: {{account: dev, roles: [deployer]}}
    to: {{account: storage}}
    permissions: [{{actions: "s3:GetObject", resources: "*"}}]
"""
    )
    assert xgrant("apply", file, "--auto-approve").code == 0
    assert xgrant("plan", file, "--detailed-exitcode").code == 0
    return file


def delete(sandbox: Sandbox) -> None:
    iam = root_client(sandbox, "iam", SOURCE)
    for name in iam.list_role_policies(RoleName="deployer")["PolicyNames"]:
        iam.delete_role_policy(RoleName="deployer", PolicyName=name)
    iam.delete_role(RoleName="deployer")


def test_a_recreated_principal_is_shown_repaired_and_gone_from_the_plan(
    manifest: Path, sandbox: Sandbox, xgrant: Run
) -> None:
    delete(sandbox)
    root_client(sandbox, "iam", SOURCE).create_role(RoleName="deployer", AssumeRolePolicyDocument=TRUST)
    planned = xgrant("plan", manifest, "--detailed-exitcode")
    assert planned.code == 2
    assert "because the trust policy names AROA" in planned.out
    assert "no user or role of the accounts that were read has that id" in planned.out
    assert f"+ Principal AWS: arn:aws:iam::{SOURCE}:role/deployer" in planned.out

    assert xgrant("apply", manifest, "--auto-approve").code == 0
    assert xgrant("plan", manifest, "--detailed-exitcode").code == 0
    trust = root_client(sandbox, "iam", TARGET).get_role(RoleName="reader")["Role"]["AssumeRolePolicyDocument"]
    assert trust["Statement"][0]["Principal"] == {"AWS": f"arn:aws:iam::{SOURCE}:role/deployer"}


def test_a_deleted_principal_stops_the_plan_before_aws_would(manifest: Path, sandbox: Sandbox, xgrant: Run) -> None:
    delete(sandbox)
    planned = xgrant("plan", manifest)
    assert planned.code == 3
    assert "the role deployer of account dev does not exist" in planned.out
    assert "because the trust policy names AROA" in planned.out
