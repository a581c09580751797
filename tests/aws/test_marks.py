"""Tags of roles as IAM takes them: the case of a key does not count, and those of AWS's own are nobody's to write."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from reconciler.sandbox.scenario import SOURCE, TARGET, Scenario, root_client
from reconciler.sandbox.server import Sandbox, writes
from reconciler.sandbox.strict import accounts
from tests.conftest import EXAMPLE, Run

ROLE = "CrossAccountS3ReadRole"


@pytest.fixture
def adopting(tmp_path: Path) -> Path:
    file = tmp_path / "m.yaml"
    file.write_text(EXAMPLE.read_text(encoding="utf-8") + "    adopt: true\n")
    return file


def make_role(sandbox: Sandbox, **tags: str) -> None:
    """Make the role of the example by hand, with tags that nobody but AWS can give it."""
    statement = {"Effect": "Allow", "Principal": {"AWS": SOURCE}, "Action": "sts:AssumeRole"}
    root_client(sandbox, "iam", TARGET).create_role(
        Path="/xgrant/", RoleName=ROLE,
        AssumeRolePolicyDocument=json.dumps({"Version": "2012-10-17", "Statement": [statement]}),
    )  # fmt: skip
    accounts.holders(TARGET, "Role")[ROLE].tags.extend({"Key": key, "Value": value} for key, value in tags.items())


@pytest.mark.parametrize(
    ("tags", "says"),
    [
        ({"XGRANT:STACK": "other"}, "belongs to the stack other"),
        ({"xgrant:stack": ""}, "has an empty tag xgrant:stack, so nobody knows whose it is"),
        ({"Xgrant:Stack": ""}, "has an empty tag xgrant:stack, so nobody knows whose it is"),
    ],
)
def test_a_role_with_the_mark_of_a_stack_is_not_adopted_however_the_mark_is_spelt(
    scenario: Scenario, sandbox: Sandbox, xgrant: Run, adopting: Path, tags: dict[str, str], says: str
) -> None:
    make_role(sandbox, **tags)
    sandbox.recorder.take()
    result = xgrant("apply", adopting, "--auto-approve")
    assert (result.code, says in result.out) == (3, True)
    assert "adopt: true" not in result.out
    assert list(writes(sandbox.recorder.take())) == []


def test_a_mark_of_our_own_in_another_case_is_ours(scenario: Scenario, sandbox: Sandbox, xgrant: Run) -> None:
    assert xgrant("apply", EXAMPLE, "--auto-approve").code == 0
    for tag in accounts.holders(TARGET, "Role")[ROLE].tags:
        tag["Key"] = tag["Key"].upper() if tag["Key"].startswith("xgrant:") else tag["Key"]
    assert xgrant("plan", EXAMPLE, "--detailed-exitcode").code == 0
    assert xgrant("destroy", EXAMPLE, "--auto-approve").code == 0


def test_tags_of_awss_own_are_neither_compared_nor_written(
    scenario: Scenario, sandbox: Sandbox, xgrant: Run, adopting: Path
) -> None:
    make_role(sandbox, **{"aws:cloudformation:stack-name": "net", "by-hand": "yes"})
    planned = xgrant("plan", adopting)
    assert ("- tag by-hand" in planned.out, "aws:" in planned.out.replace("arn:aws:", "")) == (True, False)
    assert xgrant("apply", adopting, "--auto-approve").code == 0
    assert xgrant("plan", adopting, "--detailed-exitcode").code == 0
    kept = root_client(sandbox, "iam", TARGET).list_role_tags(RoleName=ROLE)["Tags"]
    assert {"Key": "aws:cloudformation:stack-name", "Value": "net"} in kept


@pytest.mark.parametrize(("stack", "action"), [("other", "create"), (None, "adopt")])
def test_a_policy_on_a_role_of_another_stack_is_not_taken_over(
    scenario: Scenario, sandbox: Sandbox, xgrant: Run, tmp_path: Path, stack: str | None, action: str
) -> None:
    """That role is owned whole: what is taken from it would come back with the other stack's next apply."""
    iam = root_client(sandbox, "iam", SOURCE)
    service = {"Effect": "Allow", "Principal": {"Service": "ec2.amazonaws.com"}, "Action": "sts:AssumeRole"}
    opens = {"Effect": "Allow", "Action": "sts:AssumeRole", "Resource": f"arn:aws:iam::{TARGET}:role/xgrant/{ROLE}"}
    documents = [json.dumps({"Version": "2012-10-17", "Statement": [statement]}) for statement in (service, opens)]
    tags = [{"Key": "xgrant:stack", "Value": stack}] if stack else []
    iam.create_role(RoleName="hop", AssumeRolePolicyDocument=documents[0], Tags=tags)
    iam.put_role_policy(RoleName="hop", PolicyName="assume", PolicyDocument=documents[1])
    manifest = tmp_path / "m.yaml"
    text = EXAMPLE.read_text(encoding="utf-8").replace("groups: [developers]", "roles: [hop]")
    manifest.write_text(text + "    adopt: true\n")
    changes = json.loads(xgrant("plan", manifest, "--format", "json").out)["resource_changes"]
    assert [c["change"]["action"] for c in changes if c["type"] == "caller-policy"] == [action]
