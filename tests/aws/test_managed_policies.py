"""Grants too many or too large for inline policies become managed policies, over HTTP."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from reconciler.sandbox.scenario import SOURCE, TARGET, Scenario, root_client
from reconciler.sandbox.server import Sandbox, counted, writes
from tests.conftest import Run

HEAD = f"""\
version: 1
stack: platform
accounts:
  dev: {{id: "{SOURCE}"}}
  storage: {{id: "{TARGET}"}}
defaults:
  access: {{assume_role: {{name: xgrant-reconciler}}}}
  caller_policy: managed
"""


def manifest(folder: Path, numbers: Any, **more: str) -> Path:
    """Write a manifest with a numbered grant for the group developers for each number, and the grants of `more`."""
    grants = {
        f"reader-{number:03}": "\n    from: {account: dev, groups: [developers]}\n    to: {account: storage}\n"
        '    permissions: [{actions: "s3:GetObject", resources: "*"}]\n'
        for number in numbers
    } | more
    file = folder / "m.yaml"
    file.write_text(
        HEAD + ("grants:\n" if grants else "grants: {}\n") + "".join(f"  {n}:{t}" for n, t in grants.items())
    )
    return file


ROLE_2 = f"arn:aws:iam::{TARGET}:role/reader-002"


def opened(sandbox: Sandbox) -> list[list[str]]:
    """Return the roles that each managed policy on the group opens."""
    iam = root_client(sandbox, "iam", SOURCE)
    found = []
    for attached in iam.list_attached_group_policies(GroupName="developers")["AttachedPolicies"]:
        version = iam.get_policy(PolicyArn=attached["PolicyArn"])["Policy"]["DefaultVersionId"]
        document = iam.get_policy_version(PolicyArn=attached["PolicyArn"], VersionId=version)["PolicyVersion"][
            "Document"
        ]
        resources = document["Statement"][0]["Resource"]
        found.append([resources] if isinstance(resources, str) else sorted(resources))
    return sorted(found)


def test_three_hundred_grants_on_one_group_are_a_few_policies_and_one_more_changes_one(
    scenario: Scenario, sandbox: Sandbox, xgrant: Run, tmp_path: Path
) -> None:
    assert xgrant("apply", manifest(tmp_path, range(300)), "--auto-approve").code == 0
    before = opened(sandbox)
    assert sum(map(len, before)) == 300
    assert len(before) <= 4
    assert xgrant("plan", tmp_path, "--detailed-exitcode").code == 0

    sandbox.recorder.take()
    assert xgrant("apply", manifest(tmp_path, range(301)), "--auto-approve").code == 0
    assert counted(writes(sandbox.recorder.take())) == {
        "CreateRole": 1, "PutRolePolicy": 1, "CreatePolicyVersion": 1
    }  # fmt: skip
    after = opened(sandbox)
    assert sum(old != new for old, new in zip(sorted(before), sorted(after), strict=True)) == 1
    assert xgrant("plan", tmp_path, "--detailed-exitcode").code == 0


def test_managed_caller_policies_are_taken_back(
    scenario: Scenario, sandbox: Sandbox, xgrant: Run, tmp_path: Path
) -> None:
    iam = root_client(sandbox, "iam", SOURCE)
    # More changes than one policy has versions.
    for last in (1, 2, 3, 4, 5, 6, 7, 2):
        assert xgrant("apply", manifest(tmp_path, range(last)), "--auto-approve").code == 0
        assert [len(roles) for roles in opened(sandbox)] == [last]
    assert xgrant("destroy", tmp_path, "--auto-approve").code == 0
    assert iam.list_policies(Scope="Local")["Policies"] == []
    assert xgrant("plan", manifest(tmp_path, []), "--detailed-exitcode").code == 0


def test_only_changes_of_a_shared_policy_what_belongs_to_the_named_grants(
    scenario: Scenario, sandbox: Sandbox, xgrant: Run, tmp_path: Path
) -> None:
    xgrant("apply", manifest(tmp_path, [1, 2, 3]), "--auto-approve")
    manifest(tmp_path, [2, 4, 5])
    assert xgrant("apply", tmp_path, "--only", "reader-004", "--only", "reader-001", "--auto-approve").code == 0
    assert [arn[-3:] for arn in opened(sandbox)[0]] == ["002", "003", "004"]
    assert xgrant("destroy", tmp_path, "--only", "reader-004", "--auto-approve").code == 0
    assert [arn[-3:] for arn in opened(sandbox)[0]] == ["002", "003"]
    assert xgrant("apply", tmp_path, "--auto-approve").code == 0
    assert [arn[-3:] for arn in opened(sandbox)[0]] == ["002", "004", "005"]
    assert xgrant("plan", tmp_path, "--detailed-exitcode").code == 0


def test_a_policy_changed_or_attached_elsewhere_by_hand_is_drift(
    scenario: Scenario, sandbox: Sandbox, xgrant: Run, tmp_path: Path
) -> None:
    xgrant("apply", manifest(tmp_path, [1]), "--auto-approve")
    iam = root_client(sandbox, "iam", SOURCE)
    (policy,) = iam.list_policies(Scope="Local")["Policies"]
    wide = {"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Action": "*", "Resource": "*"}]}
    iam.create_policy_version(PolicyArn=policy["Arn"], PolicyDocument=json.dumps(wide), SetAsDefault=True)
    iam.attach_user_policy(UserName="bob", PolicyArn=policy["Arn"])
    planned = xgrant("plan", tmp_path, "--detailed-exitcode")
    assert planned.code == 2
    assert "- attached to user/bob" in planned.out
    assert "          Action: *\n" in planned.out
    assert xgrant("apply", tmp_path, "--auto-approve").code == 0
    assert iam.list_attached_user_policies(UserName="bob")["AttachedPolicies"] == []
    assert xgrant("plan", tmp_path, "--detailed-exitcode").code == 0


def test_inline_caller_policies_become_managed_and_back(
    scenario: Scenario, sandbox: Sandbox, xgrant: Run, tmp_path: Path
) -> None:
    file = manifest(tmp_path, [1, 2])
    managed = file.read_text()
    for text in (managed, managed.replace("caller_policy: managed", "caller_policy: inline"), managed):
        file.write_text(text)
        assert xgrant("apply", file, "--auto-approve").code == 0
        assert xgrant("plan", file, "--detailed-exitcode").code == 0


def test_permissions_too_large_for_a_role_become_managed_policies_of_it(
    scenario: Scenario, sandbox: Sandbox, xgrant: Run, tmp_path: Path
) -> None:
    iam = root_client(sandbox, "iam", TARGET)
    for numbers in (range(400), range(500)):
        resources = ", ".join(f'"arn:aws:s3:::bucket-{number:03}/*"' for number in numbers)
        large = (
            "\n    from: {account: dev, groups: [developers]}\n    to: {account: storage, role: Large}\n"
            f'    permissions: [{{sid: Buckets, actions: "s3:GetObject", resources: [{resources}]}}]\n'
        )
        assert xgrant("apply", manifest(tmp_path, [], large=large), "--auto-approve").code == 0
        attached = iam.list_attached_role_policies(RoleName="Large")["AttachedPolicies"]
        found = set()
        for policy in attached:
            text = iam.get_policy_version(PolicyArn=policy["PolicyArn"], VersionId="v1")["PolicyVersion"]["Document"]
            found |= {arn for statement in text["Statement"] for arn in statement["Resource"]}
        assert len(found) == len(numbers)
        assert len(iam.list_policies(Scope="Local")["Policies"]) == len(attached)
        assert xgrant("plan", tmp_path, "--detailed-exitcode").code == 0
    assert xgrant("destroy", tmp_path, "--auto-approve").code == 0
    assert iam.list_policies(Scope="Local")["Policies"] == []


def test_only_keeps_nothing_that_somebody_put_into_a_shared_policy(
    scenario: Scenario, sandbox: Sandbox, xgrant: Run, tmp_path: Path
) -> None:
    xgrant("apply", manifest(tmp_path, [1, 2]), "--auto-approve")
    iam = root_client(sandbox, "iam", SOURCE)
    (policy,) = iam.list_policies(Scope="Local")["Policies"]
    wide = {"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Action": "*", "Resource": ["*", ROLE_2]}]}
    iam.create_policy_version(PolicyArn=policy["Arn"], PolicyDocument=json.dumps(wide), SetAsDefault=True)
    assert xgrant("apply", tmp_path, "--only", "reader-001", "--auto-approve").code == 0
    assert [arn[-3:] for arn in opened(sandbox)[0]] == ["001", "002"]


@pytest.mark.parametrize("other", ["other", "platform"])
def test_a_managed_caller_policy_on_our_role_is_no_drift_and_goes_with_no_role_of_ours(
    scenario: Scenario, sandbox: Sandbox, xgrant: Run, tmp_path: Path, other: str
) -> None:
    """A role of this stack is a caller in another stack."""
    hop = "\n    from: {account: storage, users: [storage-admin]}\n    to: {account: dev}\n"
    hop += '    permissions: [{actions: "sts:AssumeRole", resources: "*"}]\n'
    xgrant("apply", manifest(tmp_path, [], hop=hop), "--auto-approve")
    (tmp_path / "theirs").mkdir()
    theirs = "\n    from: {account: dev, roles: [hop]}\n    to: {account: storage}\n"
    theirs += '    permissions: [{actions: "s3:GetObject", resources: "*"}]\n'
    file = manifest(tmp_path / "theirs", [], theirs=theirs)
    ours = tmp_path / "m.yaml"
    if other == "platform":
        text = ours.read_text() + f"  theirs:{theirs}"
        ours.write_text(text)
        assert xgrant("apply", ours, "--auto-approve").code == 0
        assert xgrant("plan", ours, "--detailed-exitcode").code == 0
        return
    file.write_text(file.read_text().replace("stack: platform", "stack: other"))
    assert xgrant("apply", file, "--auto-approve").code == 0
    assert xgrant("plan", ours, "--detailed-exitcode").code == 0
    refused = xgrant("destroy", ours, "--auto-approve")
    assert refused.code == 3
    assert "error XG204 dev/role/hop: the role hop carries xgrant.other." in refused.out


def test_a_role_without_its_tag_loses_the_managed_policies_of_the_stack(
    scenario: Scenario, sandbox: Sandbox, xgrant: Run, tmp_path: Path
) -> None:
    """As the README warns: they are the stack's by their path."""
    resources = ", ".join(f"'arn:aws:s3:::bucket-{number:04}/*'" for number in range(400))
    large = (
        "\n    from: {account: dev, groups: [developers]}\n    to: {account: storage}\n"
        f'    permissions: [{{actions: "s3:GetObject", resources: [{resources}]}}]\n'
    )
    assert xgrant("apply", manifest(tmp_path, [], large=large), "--auto-approve").code == 0
    root_client(sandbox, "iam", TARGET).untag_role(RoleName="large", TagKeys=["xgrant:stack"])
    planned = json.loads(xgrant("plan", manifest(tmp_path, []), "--format", "json").out)["resource_changes"]
    assert {(change["type"], change["change"]["action"]) for change in planned} == {("managed-policy", "delete")}
    assert any(change["change"]["before"]["attached_to"] == ["role/large"] for change in planned)
