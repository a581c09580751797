"""Access begins and ends by itself, sessions that are under way included, while nobody runs anything."""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import boto3
import pytest
from botocore.exceptions import ClientError

from reconciler.sandbox.scenario import REGION, SOURCE, TARGET, Scenario, root_client
from reconciler.sandbox.server import Sandbox
from tests.conftest import Run
from tests.snapshots import once

BEGINS, ENDS = datetime(2030, 1, 1, tzinfo=UTC), datetime(2030, 1, 2, tzinfo=UTC)
GRANT = f"""\
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
    permissions: [{{actions: ["s3:GetObject", "s3:ListBucket"], resources: "*"}}]
    starts: 2030-01-01
    expires: 2030-01-02
"""


class Time:
    """What time it is, to xgrant and to the sandbox."""

    def __init__(self, patch: pytest.MonkeyPatch) -> None:
        self._patch = patch

    def becomes(self, moment: datetime, seconds: int = 0) -> None:
        self._patch.setattr("reconciler.sandbox.moment.now", lambda: moment.timestamp() + seconds)
        self._patch.setattr(
            "reconciler.commands.clock.now", lambda: datetime.fromtimestamp(moment.timestamp() + seconds, UTC)
        )


@pytest.fixture
def time(monkeypatch: pytest.MonkeyPatch) -> Time:
    return Time(monkeypatch)


@pytest.fixture
def manifest(tmp_path: Path) -> Path:
    path = tmp_path / "grants.yaml"
    path.write_text(GRANT)
    return path


@once
def made(sandbox: Sandbox, xgrant: Run, manifest: Path) -> None:
    assert xgrant("apply", manifest, "--auto-approve", "--no-verify").code == 0


@pytest.fixture
def applied(scenario: Scenario, sandbox: Sandbox, manifest: Path, time: Time, xgrant: Run) -> Iterator[Scenario]:
    """The grant, applied an hour before it begins; from then on permissions are checked."""
    time.becomes(BEGINS, -3600)
    made(sandbox, xgrant, manifest)
    sandbox.enforce(on=True)
    yield scenario
    sandbox.enforce(on=False)


def session(scenario: Scenario) -> dict[str, str]:
    """Return a session of the role for alice."""
    keys = scenario.users["alice"]
    sts = boto3.client(
        "sts", endpoint_url=scenario.url, region_name=REGION, aws_access_key_id=keys.access_key,
        aws_secret_access_key=keys.secret_key,
    )  # fmt: skip
    found = sts.assume_role(RoleArn=f"arn:aws:iam::{TARGET}:role/Reader", RoleSessionName="alice")["Credentials"]
    return {
        "aws_access_key_id": found["AccessKeyId"], "aws_secret_access_key": found["SecretAccessKey"],
        "aws_session_token": found["SessionToken"],
    }  # fmt: skip


def listed(scenario: Scenario, used: dict[str, str]) -> str:
    """Return the code of the error with which a session lists the bucket; empty where it may."""
    s3: Any = boto3.client("s3", endpoint_url=scenario.url, region_name=REGION, **used)  # type: ignore[call-overload]
    try:
        s3.list_objects_v2(Bucket="my-shared-bucket")
    except ClientError as error:
        return str(error.response["Error"]["Code"])
    return ""


def assumed(scenario: Scenario) -> str:
    """Return the code of the error with which alice assumes the role; empty where she may."""
    try:
        session(scenario)
    except ClientError as error:
        return str(error.response["Error"]["Code"])
    return ""


@pytest.mark.parametrize(
    ("moment", "seconds", "code"),
    [(BEGINS, -1, "AccessDenied"), (BEGINS, 0, ""), (ENDS, -1, ""), (ENDS, 0, "AccessDenied")],
    ids=["a second before it begins", "as it begins", "a second before it ends", "as it ends"],
)
def test_the_role_lets_in_from_its_beginning_to_its_end(
    applied: Scenario, time: Time, moment: datetime, seconds: int, code: str
) -> None:
    time.becomes(moment, seconds)
    assert assumed(applied) == code


def test_a_session_that_is_under_way_ends_with_the_grant(applied: Scenario, time: Time) -> None:
    time.becomes(ENDS, -1)
    used = session(applied)
    assert listed(applied, used) == ""
    time.becomes(ENDS)
    assert listed(applied, used) == "AccessDenied"


def test_after_the_end_apply_takes_all_away_and_the_plan_is_empty(
    applied: Scenario, sandbox: Sandbox, manifest: Path, time: Time, xgrant: Run
) -> None:
    sandbox.enforce(on=False)
    assert "note XG242" in xgrant("plan", manifest).out
    time.becomes(ENDS, -1)
    assert xgrant("plan", manifest, "--detailed-exitcode").code == 0
    time.becomes(ENDS)
    drift = xgrant("drift", manifest)
    assert (drift.code, "expired 2030-01-02T00:00:00Z" in drift.out) == (2, True)
    assert "because expired 2030-01-02T00:00:00Z" in xgrant("apply", manifest, "--auto-approve").out
    after = xgrant("plan", manifest, "--detailed-exitcode")
    assert (after.code, "note XG241" in after.out) == (0, True)
    iam = root_client(sandbox, "iam", TARGET)
    assert "Reader" not in [role["RoleName"] for role in iam.list_roles()["Roles"]]


def test_a_plan_file_that_was_reviewed_before_the_end_is_stale_after_it(
    applied: Scenario, sandbox: Sandbox, manifest: Path, time: Time, xgrant: Run
) -> None:
    sandbox.enforce(on=False)
    time.becomes(ENDS, -1)
    manifest.write_text(GRANT + "    description: New\n")
    assert xgrant("plan", manifest, "-o", "plan.json").code == 0
    time.becomes(ENDS)
    stale = xgrant("apply", "plan.json", manifest)
    assert (stale.code, "the plan is stale" in stale.err) == (4, True)
    assert json.loads(xgrant("plan", manifest, "--format", "json").out)["summary"]["delete"] == 2


def test_whoever_uses_a_grant_that_has_ended_is_told_so(
    applied: Scenario, manifest: Path, time: Time, xgrant: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    keys = applied.users["alice"]
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", keys.access_key)
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", keys.secret_key)
    time.becomes(ENDS)
    monkeypatch.setattr("reconciler.clock.now", ENDS.timestamp)
    result = xgrant("assume", "reader", "--manifest", manifest)
    assert result.code == 1
    assert (
        "reader: the grant has expired at 2030-01-02T00:00:00Z; ask for access with `xgrant request reader"
        in result.err
    )
