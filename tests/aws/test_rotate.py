"""`xgrant rotate` gives a role a new id, and everybody who is meant still gets in."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import boto3
import pytest
from botocore.exceptions import ClientError

from reconciler.sandbox.scenario import REGION, SOURCE, TARGET, Scenario, root_client
from reconciler.sandbox.server import Sandbox, writes
from tests.aws.test_validity import Time, listed, session
from tests.conftest import Run
from tests.snapshots import once

GRANTS = f"""\
version: 1
stack: platform
accounts:
  dev: {{id: "{SOURCE}"}}
  storage: {{id: "{TARGET}"}}
defaults:
  access: {{assume_role: {{name: xgrant-reconciler}}}}
grants:
  reader:
    from: {{account: dev, users: [alice]}}
    to: {{account: storage, role: Reader}}
    permissions: [{{actions: "s3:*", resources: "*"}}]
    rotate: {{every: 90d}}
  onward:
    from: {{account: storage, roles: [Reader]}}
    to: {{account: dev, role: Onward}}
    permissions: [{{actions: "s3:*", resources: "*"}}]
  apart:
    from: {{account: dev, users: [alice]}}
    to: {{account: storage, role: Apart}}
    permissions: [{{actions: "s3:*", resources: "*"}}]
"""
ROTATED = "xgrant:rotated"


@pytest.fixture
def manifest(tmp_path: Path) -> Path:
    path = tmp_path / "grants.yaml"
    path.write_text(GRANTS)
    return path


@pytest.fixture
def time(monkeypatch: pytest.MonkeyPatch) -> Time:
    return Time(monkeypatch)


@once
def made(sandbox: Sandbox, xgrant: Run, manifest: Path) -> None:
    assert xgrant("apply", manifest, "--auto-approve", "--no-verify").code == 0


@pytest.fixture
def applied(scenario: Scenario, sandbox: Sandbox, manifest: Path, xgrant: Run) -> Scenario:
    made(sandbox, xgrant, manifest)
    return scenario


def role(sandbox: Sandbox, name: str = "Reader", account: str = TARGET) -> Any:
    return root_client(sandbox, "iam", account).get_role(RoleName=name)["Role"]


def tags(found: Any) -> dict[str, str]:
    return {tag["Key"]: tag["Value"] for tag in found.get("Tags", [])}


def test_a_rotated_role_has_a_new_id_and_the_plan_is_empty(
    applied: Scenario, sandbox: Sandbox, manifest: Path, xgrant: Run
) -> None:
    sandbox.enforce(on=True)
    used = session(applied)
    sandbox.enforce(on=False)
    before, other = role(sandbox), role(sandbox, "Apart")
    sandbox.recorder.take()
    done = xgrant("rotate", "reader", "--manifest", manifest, "--auto-approve")
    assert done.code == 0, done.out + done.err
    assert "because it is rotated: made anew under its name" in done.out
    order = [call.operation for call in writes(sandbox.recorder.take())]
    assert order.index("DeleteUserPolicy") < order.index("DeleteRole") < order.index("CreateRole")
    assert order.index("CreateRole") < order.index("PutUserPolicy")
    assert order.index("CreateRole") < order.index("UpdateAssumeRolePolicy")
    after = role(sandbox)
    assert (before["RoleId"] != after["RoleId"], role(sandbox, "Apart")["RoleId"]) == (True, other["RoleId"])
    assert abs(datetime.fromisoformat(tags(after)[ROTATED]) - datetime.now(UTC)) < timedelta(minutes=1)
    planned = xgrant("plan", manifest, "--detailed-exitcode")
    assert planned.code == 0, planned.out
    assert xgrant("drift", manifest).code == 0
    assert "rotate  done" in xgrant("history", manifest).out
    sandbox.enforce(on=True)
    assert listed(applied, used) == "AccessDenied"
    assert listed(applied, session(applied)) == ""


def test_a_role_that_trusts_the_rotated_one_trusts_the_new_one(
    applied: Scenario, sandbox: Sandbox, manifest: Path, xgrant: Run
) -> None:
    statement = {"Effect": "Allow", "Action": "sts:AssumeRole", "Principal": {"AWS": role(sandbox)["Arn"]}}
    theirs = json.dumps({"Version": "2012-10-17", "Statement": [statement]})
    root_client(sandbox, "iam", SOURCE).create_role(RoleName="by-hand", AssumeRolePolicyDocument=theirs)
    done = xgrant("rotate", "reader", "--manifest", manifest, "--auto-approve")
    assert "it trusts a role that is rotated" in done.out
    assert (done.code, "warning XG249" in done.out, ": dev/role/by-hand" in done.out) == (0, True, True)
    trusted = role(sandbox, "Onward", SOURCE)["AssumeRolePolicyDocument"]["Statement"][0]["Principal"]["AWS"]
    assert trusted == f"arn:aws:iam::{TARGET}:role/Reader"
    sandbox.strict.faults.clear()
    assert xgrant("plan", manifest, "--detailed-exitcode").code == 0


def test_the_date_of_a_rotation_outlives_other_changes(
    applied: Scenario, sandbox: Sandbox, manifest: Path, xgrant: Run
) -> None:
    assert ROTATED not in tags(role(sandbox))
    assert xgrant("rotate", "reader", "--manifest", manifest, "--auto-approve").code == 0
    marked = tags(role(sandbox))[ROTATED]
    manifest.write_text(
        GRANTS.replace("role: Reader}", "role: Reader}\n    tags: {team: data}\n    description: New", 1)
    )
    assert xgrant("apply", manifest, "--auto-approve").code == 0
    found = tags(role(sandbox))
    assert (found[ROTATED], found["team"]) == (marked, "data")
    manifest.write_text(GRANTS)
    assert xgrant("apply", manifest, "--auto-approve").code == 0
    assert tags(role(sandbox))[ROTATED] == marked
    assert xgrant("plan", manifest, "--detailed-exitcode").code == 0


def test_a_role_is_due_from_the_very_second_on(
    applied: Scenario, sandbox: Sandbox, manifest: Path, time: Time, xgrant: Run
) -> None:
    due = role(sandbox)["CreateDate"].replace(microsecond=0) + timedelta(days=90)
    time.becomes(due, -1)
    assert "XG243" not in xgrant("plan", manifest).out
    assert xgrant("rotate", "--due", "--manifest", manifest, "--auto-approve").out == "No role is due for rotation.\n"
    nobody_to_ask = xgrant("rotate", "--due", "--manifest", manifest)
    assert (nobody_to_ask.code, nobody_to_ask.out) == (0, "No role is due for rotation.\n")
    time.becomes(due)
    planned = xgrant("plan", manifest, "--detailed-exitcode")
    said = f"the role Reader is due for rotation since {due:%Y-%m-%dT%H:%M:%SZ}"
    assert (planned.code, said in planned.out) == (0, True)
    drift = xgrant("drift", manifest)
    assert (drift.code, said in drift.out) == (0, True)
    before = role(sandbox)["RoleId"]
    done = xgrant("rotate", "--due", "--manifest", manifest, "--auto-approve")
    assert done.code == 0, done.out + done.err
    assert (role(sandbox)["RoleId"] != before, tags(role(sandbox))[ROTATED]) == (True, f"{due:%Y-%m-%dT%H:%M:%SZ}")
    assert "XG243" not in xgrant("plan", manifest).out


REFUSED = {
    "nothing named": ([], 64, "or say --due"),
    "both": (["reader", "--due"], 64, "leave it out, or name no grants"),
    "no such grant": (["redaer"], 64, "did you mean reader?"),
}


@pytest.mark.parametrize(("arguments", "code", "words"), REFUSED.values(), ids=list(REFUSED))
def test_what_cannot_be_rotated_is_refused(
    applied: Scenario, manifest: Path, xgrant: Run, arguments: list[str], code: int, words: str
) -> None:
    result = xgrant("rotate", *arguments, "--manifest", manifest, "--auto-approve")
    assert (result.code, words in result.err) == (code, True)


def test_a_role_that_must_not_be_destroyed_is_not_rotated(applied: Scenario, manifest: Path, xgrant: Run) -> None:
    manifest.write_text(GRANTS.replace("rotate: {every: 90d}", "prevent_destroy: true"))
    result = xgrant("rotate", "reader", "--manifest", manifest, "--auto-approve")
    assert (result.code, "XG210" in result.out) == (3, True)


def test_while_an_external_id_is_rotated_both_are_accepted_and_then_the_new_one(
    scenario: Scenario, sandbox: Sandbox, manifest: Path, time: Time, xgrant: Run
) -> None:
    time.becomes(datetime(2030, 1, 1, tzinfo=UTC))
    keys = scenario.users["alice"]
    sts: Any = boto3.client(
        "sts", endpoint_url=scenario.url, region_name=REGION, aws_access_key_id=keys.access_key,
        aws_secret_access_key=keys.secret_key,
    )  # fmt: skip

    def accepts(*external_ids: str) -> list[bool]:
        sandbox.enforce(on=True)
        found = []
        for one in external_ids:
            try:
                sts.assume_role(RoleArn=f"arn:aws:iam::{TARGET}:role/Reader", RoleSessionName="alice", ExternalId=one)
            except ClientError:
                found.append(False)
            else:
                found.append(True)
        sandbox.enforce(on=False)
        return found

    rotations = []
    for stated, expected in (
        ("an-old-one", [False, True]),
        ("[a-new-one, an-old-one]", [True, True]),
        ("a-new-one", [True, False]),
    ):
        manifest.write_text(
            GRANTS.replace("rotate: {every: 90d}", f"rotate: {{every: 90d}}\n    require: {{external_id: {stated}}}")
        )
        applied = xgrant("apply", manifest, "--auto-approve", "--no-verify")
        assert (applied.code, "a-new-one" in applied.out, "an-old-one" in applied.out) == (0, False, False)
        assert accepts("a-new-one", "an-old-one") == expected
        assert xgrant("plan", manifest, "--detailed-exitcode").code == 0
        rotations.append(tags(role(sandbox)).get(ROTATED))
    assert rotations == [None, None, "2030-01-01T00:00:00Z"]
    named = xgrant("rotate", "reader", "--manifest", manifest)
    assert (named.code, "Nothing is changed yet" in named.err) == (0, True)
    time.becomes(datetime(2030, 4, 1, tzinfo=UTC))
    due = xgrant("rotate", "--due", "--manifest", manifest, "--auto-approve")
    assert (due.code, "the external id of the grant reader is due" in due.err) == (6, True)
    assert "No role is due" not in due.out
