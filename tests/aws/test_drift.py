"""Whatever is changed by hand on a role or a caller policy: plan shows exactly it, apply restores it."""

from __future__ import annotations

import json
from collections.abc import Callable
from hashlib import sha256
from pathlib import Path
from typing import Any

import pytest
import yaml

from reconciler.sandbox.scenario import SOURCE, TARGET, Scenario, root_client
from reconciler.sandbox.server import Sandbox, counted, writes
from tests.conftest import Run
from tests.snapshots import once

READ_ONLY = f"arn:aws:iam::{TARGET}:policy/read-only"
OTHER = f"arn:aws:iam::{TARGET}:policy/team/audit"
BOUNDARY = f"arn:aws:iam::{TARGET}:policy/boundary"
CALLER_POLICY = "xgrant.platform.reader"

MANIFEST = f"""\
version: 1
stack: platform
accounts:
  dev: {{id: "{SOURCE}"}}
  storage: {{id: "{TARGET}"}}
defaults:
  access: {{assume_role: {{name: xgrant-reconciler}}}}
grants:
  reader:
    description: Reads
    from: {{account: dev, users: [alice], groups: [developers], roles: [xgrant-reconciler]}}
    to: {{account: storage, role: Reader}}
    permissions: [{{actions: ["s3:GetObject", "s3:ListBucket"], resources: "*"}}]
    managed_policies: [{READ_ONLY}]
    permissions_boundary: {BOUNDARY}
    require: {{external_id: canary}}
    session: {{max_duration: 4h}}
    tags: {{team: data}}
"""

Hand = Callable[[Any], object]


def policy(**statement: Any) -> str:
    return json.dumps({"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Resource": "*", **statement}]})


def trust(arn: str) -> str:
    statement = {"Effect": "Allow", "Principal": {"AWS": arn}, "Action": "sts:AssumeRole"}
    return json.dumps({"Version": "2012-10-17", "Statement": [statement]})


def instance_profile(iam: Any) -> None:
    iam.create_instance_profile(InstanceProfileName="machine")
    iam.add_role_to_instance_profile(InstanceProfileName="machine", RoleName="Reader")


ROLE_DRIFT: list[tuple[str, Hand, str, set[str]]] = [
    (
        "trust policy",
        lambda iam: iam.update_assume_role_policy(
            RoleName="Reader", PolicyDocument=trust(f"arn:aws:iam::{SOURCE}:root")
        ),
        "trust_policy",
        {"UpdateAssumeRolePolicy"},
    ),
    (
        "description",
        lambda iam: iam.update_role(RoleName="Reader", Description="x", MaxSessionDuration=14400),
        "description",
        {"UpdateRole"},
    ),
    (
        "duration",
        lambda iam: iam.update_role(RoleName="Reader", Description="Reads", MaxSessionDuration=3600),
        "max_session_duration",
        {"UpdateRole"},
    ),
    (
        "boundary removed",
        lambda iam: iam.delete_role_permissions_boundary(RoleName="Reader"),
        "permissions_boundary",
        {"PutRolePermissionsBoundary"},
    ),
    (
        "boundary changed",
        lambda iam: iam.put_role_permissions_boundary(RoleName="Reader", PermissionsBoundary=OTHER),
        "permissions_boundary",
        {"PutRolePermissionsBoundary"},
    ),
    (
        "inline policy changed",
        lambda iam: iam.put_role_policy(
            RoleName="Reader", PolicyName="xgrant-permissions", PolicyDocument=policy(Action="s3:*")
        ),
        "inline_policies",
        {"PutRolePolicy"},
    ),
    (
        "inline policy removed",
        lambda iam: iam.delete_role_policy(RoleName="Reader", PolicyName="xgrant-permissions"),
        "inline_policies",
        {"PutRolePolicy"},
    ),
    (
        "inline policy added",
        lambda iam: iam.put_role_policy(
            RoleName="Reader", PolicyName="extra", PolicyDocument=policy(Action="s3:PutObject")
        ),
        "inline_policies",
        {"DeleteRolePolicy"},
    ),
    (
        "attachment removed",
        lambda iam: iam.detach_role_policy(RoleName="Reader", PolicyArn=READ_ONLY),
        "managed_policies",
        {"AttachRolePolicy"},
    ),
    (
        "attachment added",
        lambda iam: iam.attach_role_policy(RoleName="Reader", PolicyArn=OTHER),
        "managed_policies",
        {"DetachRolePolicy"},
    ),
    (
        "tag changed",
        lambda iam: iam.tag_role(RoleName="Reader", Tags=[{"Key": "team", "Value": "x"}]),
        "tags",
        {"TagRole"},
    ),
    (
        "tag changed under its key in another case",
        lambda iam: iam.tag_role(RoleName="Reader", Tags=[{"Key": "TEAM", "Value": "x"}]),
        "tags",
        {"TagRole"},
    ),
    ("tag removed", lambda iam: iam.untag_role(RoleName="Reader", TagKeys=["team"]), "tags", {"TagRole"}),
    (
        "tag added",
        lambda iam: iam.tag_role(RoleName="Reader", Tags=[{"Key": "a", "Value": "b"}]),
        "tags",
        {"UntagRole"},
    ),
    (
        "tag of the grant",
        lambda iam: iam.tag_role(RoleName="Reader", Tags=[{"Key": "xgrant:grant", "Value": "x"}]),
        "tags",
        {"TagRole"},
    ),
    ("instance profile", instance_profile, "instance_profiles", {"RemoveRoleFromInstanceProfile"}),
]

CALLER_DRIFT: list[tuple[str, str, Hand, str, set[str]]] = [
    (
        "group policy changed",
        "dev/group/developers",
        lambda iam: iam.put_group_policy(
            GroupName="developers", PolicyName=CALLER_POLICY, PolicyDocument=policy(Action="sts:*")
        ),
        "update",
        {"PutGroupPolicy"},
    ),
    (
        "group policy removed",
        "dev/group/developers",
        lambda iam: iam.delete_group_policy(GroupName="developers", PolicyName=CALLER_POLICY),
        "create",
        {"PutGroupPolicy"},
    ),
    (
        "user policy changed",
        "dev/user/alice",
        lambda iam: iam.put_user_policy(
            UserName="alice", PolicyName=CALLER_POLICY, PolicyDocument=policy(Action="sts:*")
        ),
        "update",
        {"PutUserPolicy"},
    ),
    (
        "user policy removed",
        "dev/user/alice",
        lambda iam: iam.delete_user_policy(UserName="alice", PolicyName=CALLER_POLICY),
        "create",
        {"PutUserPolicy"},
    ),
    (
        "role policy changed",
        "dev/role/xgrant-reconciler",
        lambda iam: iam.put_role_policy(
            RoleName="xgrant-reconciler", PolicyName=CALLER_POLICY, PolicyDocument=policy(Action="sts:*")
        ),
        "update",
        {"PutRolePolicy"},
    ),
    (
        "role policy removed",
        "dev/role/xgrant-reconciler",
        lambda iam: iam.delete_role_policy(RoleName="xgrant-reconciler", PolicyName=CALLER_POLICY),
        "create",
        {"PutRolePolicy"},
    ),
    (
        "policy on somebody else",
        "dev/user/bob",
        lambda iam: iam.put_user_policy(
            UserName="bob", PolicyName=CALLER_POLICY, PolicyDocument=policy(Action="sts:*")
        ),
        "delete",
        {"DeleteUserPolicy"},
    ),
]


@once
def applied(sandbox: Sandbox, xgrant: Run, path: Path) -> None:
    iam = root_client(sandbox, "iam", TARGET)
    for name, folder in (("boundary", "/"), ("read-only", "/"), ("audit", "/team/")):
        iam.create_policy(PolicyName=name, Path=folder, PolicyDocument=policy(Action="s3:GetObject"))
    assert xgrant("apply", path, "--auto-approve").code == 0
    assert xgrant("plan", path, "--detailed-exitcode").code == 0


@pytest.fixture
def manifest(scenario: Scenario, sandbox: Sandbox, xgrant: Run, tmp_path: Path) -> Path:
    """A manifest with every attribute, applied."""
    path = tmp_path / "m.yaml"
    path.write_text(MANIFEST)
    applied(sandbox, xgrant, path)
    return path


def repaired(xgrant: Run, sandbox: Sandbox, manifest: Path) -> set[str]:
    """Apply; return the operations that wrote."""
    sandbox.recorder.take()
    assert xgrant("apply", manifest, "--auto-approve").code == 0
    used = counted(writes(sandbox.recorder.take()))
    assert set(used.values()) == {1}
    assert xgrant("plan", manifest, "--detailed-exitcode").code == 0
    return set(used)


@pytest.mark.parametrize(
    ("by_hand", "attribute", "operations"), [row[1:] for row in ROLE_DRIFT], ids=[r[0] for r in ROLE_DRIFT]
)
def test_a_change_by_hand_of_a_role_is_shown_exactly_and_undone(
    manifest: Path, sandbox: Sandbox, xgrant: Run, by_hand: Hand, attribute: str, operations: set[str]
) -> None:
    by_hand(root_client(sandbox, "iam", TARGET))
    shown = json.loads(xgrant("plan", manifest, "--format", "json").out)["resource_changes"]
    assert [(c["address"], c["change"]["actions"], c["change"]["attributes"]) for c in shown] == [
        ("storage/role/Reader", ["update"], [attribute])
    ]
    assert repaired(xgrant, sandbox, manifest) == operations


@pytest.mark.parametrize(
    ("holder", "by_hand", "action", "operations"), [row[1:] for row in CALLER_DRIFT], ids=[r[0] for r in CALLER_DRIFT]
)
def test_a_change_by_hand_of_a_caller_policy_is_shown_exactly_and_undone(
    manifest: Path, sandbox: Sandbox, xgrant: Run, holder: str, by_hand: Hand, action: str, operations: set[str]
) -> None:
    by_hand(root_client(sandbox, "iam", SOURCE))
    shown = json.loads(xgrant("plan", manifest, "--format", "json").out)["resource_changes"]
    assert [(c["address"], c["change"]["actions"]) for c in shown] == [(f"{holder}/caller-policy/reader", [action])]
    assert repaired(xgrant, sandbox, manifest) == operations


EVERYTHING: list[Hand] = [row[1] for row in ROLE_DRIFT if row[0] in (
    "boundary removed", "inline policy changed", "inline policy added", "attachment removed", "attachment added",
    "duration", "tag changed", "tag added",
)]  # fmt: skip


def test_an_update_takes_away_then_says_who_may_come_then_gives(manifest: Path, sandbox: Sandbox, xgrant: Run) -> None:
    iam = root_client(sandbox, "iam", TARGET)
    for by_hand in EVERYTHING:
        by_hand(iam)
    iam.update_assume_role_policy(RoleName="Reader", PolicyDocument=trust("*"))
    sandbox.recorder.take()
    assert "- Principal AWS: *" in xgrant("plan", manifest).out
    assert xgrant("apply", manifest, "--auto-approve").code == 0
    used = [call.operation for call in writes(sandbox.recorder.take())]
    assert used == [
        "PutRolePermissionsBoundary", "DetachRolePolicy", "DeleteRolePolicy", "DeleteRolePolicy",
        "UpdateAssumeRolePolicy", "UpdateRole", "PutRolePolicy", "AttachRolePolicy", "UntagRole", "TagRole",
    ]  # fmt: skip
    assert xgrant("plan", manifest, "--detailed-exitcode").code == 0


def test_policies_that_change_their_sizes_fit_at_every_moment(manifest: Path, sandbox: Sandbox, xgrant: Run) -> None:
    large = [f"arn:aws:s3:::{'x' * 60}{number:03}/*" for number in range(110)]
    sizes = {"large": large, "small": large[:1]}
    for a, b in (("small", "large"), ("large", "small"), ("small", "large")):
        data = yaml.safe_load(MANIFEST)
        grant = data["grants"]["reader"]
        del grant["permissions"]
        grant["inline_policies"] = {
            name: json.loads(policy(Action="s3:GetObject", Resource=sizes[size])) for name, size in (("a", a), ("b", b))
        }
        manifest.write_text(json.dumps(data))
        assert xgrant("apply", manifest, "--auto-approve").code == 0
    assert xgrant("plan", manifest, "--detailed-exitcode").code == 0


def test_a_role_that_was_opened_to_the_world_is_shown_and_closed(manifest: Path, sandbox: Sandbox, xgrant: Run) -> None:
    statement = {"Effect": "Allow", "Principal": "*", "Action": "sts:AssumeRole"}
    root_client(sandbox, "iam", TARGET).update_assume_role_policy(
        RoleName="Reader", PolicyDocument=json.dumps({"Version": "2012-10-17", "Statement": [statement]})
    )
    assert "- Principal: *" in xgrant("plan", manifest).out
    assert repaired(xgrant, sandbox, manifest) == {"UpdateAssumeRolePolicy"}


REVOKED = policy(Effect="Deny", Action="*", Condition={"DateLessThan": {"aws:TokenIssueTime": "2026-01-01T00:00:00Z"}})


def test_sessions_that_somebody_revoked_are_no_drift_and_noted(manifest: Path, sandbox: Sandbox, xgrant: Run) -> None:
    iam = root_client(sandbox, "iam", TARGET)
    iam.put_role_policy(RoleName="Reader", PolicyName="AWSRevokeOlderSessions", PolicyDocument=REVOKED)
    planned = xgrant("plan", manifest, "--detailed-exitcode")
    assert (planned.code, "note XG229 storage/role/Reader:" in planned.out) == (0, True)
    assert xgrant("drift", manifest).code == 0
    assert xgrant("destroy", manifest, "--auto-approve").code == 0


OPENS = policy(Action="sts:AssumeRole", Resource=f"arn:aws:iam::{SOURCE}:role/x")
PACK = "xgrant.other." + sha256(b"role/reader").hexdigest()[:12] + ".1"
"""A managed caller policy of another stack for the role Reader."""


@pytest.mark.parametrize("name", ["xgrant.other.backdoor", "AWSRevokeOlderSessions"])
@pytest.mark.parametrize(
    "hidden",
    [
        policy(Action="*"),
        policy(Effect="Deny", Action="*"),
        policy(Action="*", Condition={"DateLessThan": {"aws:TokenIssueTime": "2026-01-01T00:00:00Z"}}),
        policy(Action=["sts:AssumeRole", "iam:PassRole"], Resource=f"arn:aws:iam::{SOURCE}:role/x"),
        policy(Action="sts:AssumeRole", Resource=f"arn:aws:iam::{SOURCE}:role/*"),
    ],
    ids=["all", "denies all", "all of old sessions", "more", "any role"],
)
def test_an_inline_policy_that_only_has_the_name_of_one_that_is_left_alone_is_drift(
    manifest: Path, sandbox: Sandbox, xgrant: Run, name: str, hidden: str
) -> None:
    iam = root_client(sandbox, "iam", TARGET)
    iam.put_role_policy(RoleName="Reader", PolicyName=name, PolicyDocument=hidden)
    assert f"- inline policy {name}" in xgrant("plan", manifest).out
    assert xgrant("drift", manifest).code == 2
    assert repaired(xgrant, sandbox, manifest) == {"DeleteRolePolicy"}


@pytest.mark.parametrize(
    ("path", "name", "document"),
    [
        ("/xgrant/zzz/callers/", "b", policy(Action="*")),
        ("/xgrant/platform/callers/", "b", OPENS),
        ("/xgrant/other/callers/role/reader/", PACK, policy(Action="*")),
        ("/xgrant/other/callers/role/reader/", PACK.replace("other", "platform"), OPENS),
        ("/xgrant/other/callers/role/writer/", "xgrant.other." + sha256(b"role/writer").hexdigest()[:12] + ".1", OPENS),
    ],
    ids=["no stack's", "at our own path", "says more", "of no such name", "for another role"],
)
def test_a_managed_policy_that_only_lies_where_caller_policies_do_is_drift(
    manifest: Path, sandbox: Sandbox, xgrant: Run, path: str, name: str, document: str
) -> None:
    iam = root_client(sandbox, "iam", TARGET)
    arn = iam.create_policy(PolicyName=name, Path=path, PolicyDocument=document)["Policy"]["Arn"]
    iam.attach_role_policy(RoleName="Reader", PolicyArn=arn)
    assert f"- managed policy {arn}" in xgrant("plan", manifest).out
    assert xgrant("drift", manifest).code == 2
    assert repaired(xgrant, sandbox, manifest) == {"DetachRolePolicy"}


def test_caller_policies_of_other_stacks_on_a_role_are_no_drift(manifest: Path, sandbox: Sandbox, xgrant: Run) -> None:
    iam = root_client(sandbox, "iam", TARGET)
    arn = iam.create_policy(
        PolicyName=PACK, Path="/xgrant/other/callers/role/reader/", PolicyDocument=OPENS
    )["Policy"]["Arn"]  # fmt: skip
    iam.attach_role_policy(RoleName="Reader", PolicyArn=arn)
    iam.put_role_policy(RoleName="Reader", PolicyName="xgrant.other.x", PolicyDocument=OPENS)
    assert xgrant("plan", manifest, "--detailed-exitcode").code == 0
    refused = xgrant("plan", manifest, "--destroy")
    assert (refused.code, f"the role Reader carries xgrant.other.x, {PACK}" in refused.out) == (3, True)


def test_a_role_that_was_deleted_by_hand_is_created_again(manifest: Path, sandbox: Sandbox, xgrant: Run) -> None:
    iam = root_client(sandbox, "iam", TARGET)
    iam.delete_role_policy(RoleName="Reader", PolicyName="xgrant-permissions")
    iam.detach_role_policy(RoleName="Reader", PolicyArn=READ_ONLY)
    iam.delete_role(RoleName="Reader")
    assert repaired(xgrant, sandbox, manifest) == {"CreateRole", "AttachRolePolicy", "PutRolePolicy"}


@pytest.mark.parametrize(
    ("old", "new", "line"),
    [
        ("role: Reader", "role: Writer", "-/+ storage/role/Writer"),
        ("role: Reader", "role: Reader, path: /team/", "-/+ storage/role/Reader"),
        ("role: Reader", "role: reader", "-/+ storage/role/reader"),
    ],
    ids=["name", "path", "case of the name"],
)
def test_a_new_name_or_path_replaces_the_role(
    manifest: Path, sandbox: Sandbox, xgrant: Run, old: str, new: str, line: str
) -> None:
    manifest.write_text(MANIFEST.replace(old, new))
    planned = xgrant("plan", manifest)
    assert line in planned.out
    assert "1 to replace" in planned.out or "4 to replace" in planned.out
    assert xgrant("apply", manifest, "--auto-approve").code == 0
    assert xgrant("plan", manifest, "--detailed-exitcode").code == 0
    roles = {r["RoleName"] for r in root_client(sandbox, "iam", TARGET).list_roles()["Roles"]}
    assert len(roles) == 2


def test_whatever_hangs_on_a_role_goes_with_it(manifest: Path, sandbox: Sandbox, xgrant: Run) -> None:
    iam = root_client(sandbox, "iam", TARGET)
    iam.attach_role_policy(RoleName="Reader", PolicyArn=OTHER)
    iam.put_role_policy(RoleName="Reader", PolicyName="extra", PolicyDocument=policy(Action="s3:PutObject"))
    instance_profile(iam)
    assert xgrant("destroy", manifest, "--auto-approve").code == 0
    assert xgrant("plan", manifest).out.endswith("Plan: 4 to create, 0 to update, 0 to delete.\n")


def test_the_external_id_is_in_no_output(manifest: Path, sandbox: Sandbox, xgrant: Run) -> None:
    outputs = [xgrant("destroy", manifest, "--auto-approve"), xgrant("plan", manifest)]
    outputs.append(xgrant("plan", manifest, "--format", "json"))
    assert all("sts:ExternalId" in result.out for result in outputs)
    assert "canary" not in "".join(result.out + result.err for result in outputs)


def test_a_tag_whose_key_is_written_in_another_case_by_now_is_replaced(
    manifest: Path, sandbox: Sandbox, xgrant: Run
) -> None:
    manifest.write_text(MANIFEST.replace("tags: {team: data}", "tags: {Team: data}"))
    assert repaired(xgrant, sandbox, manifest) == {"UntagRole", "TagRole"}
    tags = root_client(sandbox, "iam", TARGET).list_role_tags(RoleName="Reader")["Tags"]
    assert {"Key": "Team", "Value": "data"} in tags


def test_a_deny_that_a_letter_of_another_alphabet_has_broken_is_drift(
    scenario: Scenario, sandbox: Sandbox, xgrant: Run, tmp_path: Path
) -> None:
    path = tmp_path / "m.yaml"
    deny = '[{actions: "iam:CreateAccess*", resources: "*"}, {effect: Deny, actions: "iam:CreateAccessKey", resources: "*"}]'
    path.write_text(
        f"""\
version: 1
stack: platform
accounts: {{dev: {{id: "{SOURCE}"}}, storage: {{id: "{TARGET}"}}}}
defaults: {{access: {{assume_role: {{name: xgrant-reconciler}}}}}}
grants:
  reader:
    from: {{account: dev, groups: [developers]}}
    to: {{account: storage}}
    permissions: {deny}
"""
    )
    assert xgrant("apply", path, "--auto-approve").code == 0
    iam = root_client(sandbox, "iam", TARGET)
    call = {"RoleName": "reader", "PolicyName": "xgrant-permissions"}
    document = json.dumps(iam.get_role_policy(**call)["PolicyDocument"])
    iam.put_role_policy(**call, PolicyDocument=document.replace("CreateAccessKey", "CreateAccess\\u212aey"))
    drift = xgrant("drift", path)
    assert (drift.code, "CreateAccess\\u212aey" in drift.out) == (2, True)
