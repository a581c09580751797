"""Other permissions to plan than to apply, a hub before the accounts, and credentials that end while a run goes on."""

from __future__ import annotations

import json
import shlex
import sys
from collections import Counter
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from moto.sts.models import sts_backends

from reconciler.aws.sessions import Connections
from reconciler.manifest import load
from reconciler.sandbox.scenario import PERMISSIONS, SOURCE, TARGET, Scenario, root_client
from reconciler.sandbox.server import Sandbox, counted
from reconciler.sandbox.strict.wire import Request
from tests.aws.fault_matrix import grant
from tests.aws.strict_support import policy
from tests.conftest import Clock, Run

OPS = "555555555555"
HUB = f"arn:aws:iam::{OPS}:role/ops/xgrant-hub"
OPERATOR = f"arn:aws:iam::{SOURCE}:user/operator"
SPLIT = {"plan": {"role": "xgrant-reader"}, "apply": {"role": "xgrant-writer", "external_id": "for-writers"}}
READ = {"Version": "2012-10-17", "Statement": PERMISSIONS["Statement"][0]}


def trusting(arn: str, external_id: str = "") -> str:
    statement: dict[str, Any] = {"Effect": "Allow", "Principal": {"AWS": arn}, "Action": "sts:AssumeRole"}
    if external_id:
        statement["Condition"] = {"StringEquals": {"sts:ExternalId": external_id}}
    return json.dumps({"Version": "2012-10-17", "Statement": [statement]})


def make_roles(sandbox: Sandbox, trusted: str) -> None:
    for account in (SOURCE, TARGET):
        iam = root_client(sandbox, "iam", account)
        for name, may, external_id in (("xgrant-reader", READ, ""), ("xgrant-writer", PERMISSIONS, "for-writers")):
            iam.create_role(RoleName=name, AssumeRolePolicyDocument=trusting(trusted, external_id))
            iam.put_role_policy(RoleName=name, PolicyName="work", PolicyDocument=json.dumps(may))


@pytest.fixture
def split(scenario: Scenario, sandbox: Sandbox) -> Sandbox:
    """Every account has a role that reads and one that writes, which operator may assume; permissions are checked."""
    make_roles(sandbox, OPERATOR)
    root_client(sandbox, "iam", SOURCE).put_user_policy(
        UserName="operator", PolicyName="operate", PolicyDocument=policy(Action="sts:AssumeRole")
    )
    sandbox.enforce(on=True)
    sandbox.recorder.take()
    return sandbox


@pytest.fixture
def hub(scenario: Scenario, sandbox: Sandbox) -> Sandbox:
    """Operator may assume the hub only, and the hub those roles."""
    iam = root_client(sandbox, "iam", OPS)
    iam.create_role(RoleName="xgrant-hub", Path="/ops/", AssumeRolePolicyDocument=trusting(OPERATOR, "for-the-hub"))
    iam.put_role_policy(RoleName="xgrant-hub", PolicyName="go", PolicyDocument=policy(Action="sts:AssumeRole"))
    root_client(sandbox, "iam", SOURCE).put_user_policy(
        UserName="operator", PolicyName="operate", PolicyDocument=policy(Action="sts:AssumeRole", Resource=HUB)
    )
    make_roles(sandbox, HUB)
    sandbox.enforce(on=True)
    sandbox.recorder.take()
    return sandbox


def stack(folder: Path, access: dict[str, Any], grants: int = 1) -> Path:
    data = {
        "version": 1,
        "stack": "platform",
        "accounts": {"dev": {"id": SOURCE}, "storage": {"id": TARGET}},
        "defaults": {"access": access},
        "grants": {f"g{number}": grant() for number in range(grants)},
    }
    path = folder / "m.yaml"
    path.write_text(json.dumps(data), encoding="utf-8")
    return path


THROUGH_THE_HUB = {**SPLIT, "hub": {"arn": HUB, "external_id": "for-the-hub"}}


def test_plan_goes_with_a_role_that_can_only_read_and_apply_with_the_one_that_writes(
    split: Sandbox, xgrant: Run, tmp_path: Path
) -> None:
    path = stack(tmp_path, SPLIT)
    assert xgrant("plan", path, "--detailed-exitcode").code == 2
    assert xgrant("apply", stack(tmp_path, {**SPLIT, "apply": SPLIT["plan"]}), "--auto-approve").code == 6
    assert xgrant("apply", stack(tmp_path, SPLIT), "--auto-approve").code == 0
    assert xgrant("drift", path).code == 0
    assert xgrant("destroy", path, "--auto-approve").code == 0


def test_a_plan_that_was_made_with_the_reading_role_is_applied_with_the_writing_one(
    split: Sandbox, xgrant: Run, tmp_path: Path
) -> None:
    path = stack(tmp_path, SPLIT)
    assert xgrant("plan", path, "-o", "plan.json").code == 0
    assert xgrant("apply", "plan.json", path).code == 0


def test_through_a_hub_which_is_assumed_once_each_account_costs_what_it_costs_without(
    hub: Sandbox, xgrant: Run, tmp_path: Path
) -> None:
    path = stack(tmp_path, THROUGH_THE_HUB)
    assert xgrant("apply", path, "--auto-approve").code == 0
    hub.recorder.take()
    assert xgrant("plan", path, "--detailed-exitcode").code == 0
    assert counted(hub.recorder.take()) == {
        "AssumeRole": 3,
        "GetAccountAuthorizationDetails": 2,
        "GetAccountSummary": 2,
        "ListRoles": 2,
    }


def test_a_hub_that_may_not_be_assumed_is_named_once_with_what_to_do(hub: Sandbox, xgrant: Run, tmp_path: Path) -> None:
    path = stack(tmp_path, {**SPLIT, "hub": {"arn": HUB, "external_id": "another"}})
    result = xgrant("plan", path)
    assert result.code == 1
    assert result.err.count("AccessDenied") == 1
    assert f"account {OPS} (hub): AssumeRole: AccessDenied" in result.err
    assert f"the role {HUB} has to exist, trust these credentials, and they need sts:AssumeRole on it" in result.err
    assert counted(hub.recorder.take()) == {"AssumeRole": 1}
    assert "another" not in result.err + result.out


def test_a_role_that_does_not_trust_the_hub_is_named_with_the_hub(hub: Sandbox, xgrant: Run, tmp_path: Path) -> None:
    hub.enforce(on=False)
    root_client(hub, "iam", TARGET).update_assume_role_policy(
        RoleName="xgrant-reader", PolicyDocument=trusting(OPERATOR)
    )
    hub.enforce(on=True)
    result = xgrant("plan", stack(tmp_path, THROUGH_THE_HUB))
    assert (
        f"the role arn:aws:iam::{TARGET}:role/xgrant-reader has to exist, trust the hub role {HUB}, and that needs "
        "sts:AssumeRole on it" in result.out
    )


def test_credentials_that_end_in_the_middle_of_an_apply_are_renewed_and_the_hubs_with_them(
    hub: Sandbox, xgrant: Run, tmp_path: Path, clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    # One at a time: no call is under way when the sessions end.
    monkeypatch.setattr("reconciler.applier.schedule.MAX_THREADS", 1)
    seen: Counter[str] = Counter()

    def observe(request: Request) -> None:
        seen[request.operation] += 1
        if request.operation == "PutRolePolicy" and seen["PutRolePolicy"] == 2:
            # 51 minutes on; and nothing of the sessions of before is worth anything any more.
            clock.now += 51 * 60
            for backends in sts_backends.values():
                backends["aws"].assumed_roles.clear()

    hub.strict.faults.observer = observe
    path = stack(tmp_path, THROUGH_THE_HUB, grants=5)
    result = xgrant("apply", path, "--auto-approve")
    assert result.code == 0, result.out + result.err
    assert result.out.endswith("Apply: 10 created, 0 updated, 0 deleted.\n")
    # The history asks once who runs it.
    assert (seen["AssumeRole"], seen["GetCallerIdentity"]) == (6, 1)


@pytest.mark.parametrize("operation", ["PutRolePolicy", "GetGroupPolicy", "GetAccountAuthorizationDetails"])
def test_sessions_that_end_before_their_time_are_taken_anew_and_the_hubs_with_them(
    hub: Sandbox, xgrant: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, operation: str
) -> None:
    monkeypatch.setattr("reconciler.applier.schedule.MAX_THREADS", 1)
    seen: Counter[str] = Counter()

    def observe(request: Request) -> None:
        seen[request.operation] += 1
        if request.operation == operation and seen[operation] == 2:
            for backends in sts_backends.values():
                backends["aws"].assumed_roles.clear()

    hub.strict.faults.observer = observe
    path = stack(tmp_path, THROUGH_THE_HUB, grants=2)
    result = xgrant("apply", path, "--auto-approve")
    assert result.code == 0, result.out + result.err
    assert xgrant("plan", path, "--detailed-exitcode").code == 0


def test_a_session_that_ends_again_and_again_is_given_up_and_said_so(
    hub: Sandbox, xgrant: Run, tmp_path: Path, clock: Clock
) -> None:
    seen: set[str] = set()

    def observe(request: Request) -> None:
        seen.add(request.operation)
        if "CreateRole" in seen:
            for backends in sts_backends.values():
                backends["aws"].assumed_roles.clear()

    hub.strict.faults.observer = observe
    result = xgrant("apply", stack(tmp_path, THROUGH_THE_HUB), "--auto-approve")
    assert result.code == 6
    assert f"the session of the hub {HUB} ended before its time, as when the role is made anew" in result.out
    assert "log in again" not in result.out


def test_the_credentials_of_a_profile_are_taken_anew_where_botocore_renews_them(
    scenario: Scenario, sandbox: Sandbox, tmp_path: Path
) -> None:
    answer = tmp_path / "answer.json"

    def say(user: str) -> None:
        keys = scenario.users[user]
        soon = (datetime.now(UTC) + timedelta(minutes=5)).isoformat()
        found = {"Version": 1, "AccessKeyId": keys.access_key, "SecretAccessKey": keys.secret_key, "Expiration": soon}
        answer.write_text(json.dumps(found))

    program = f"{shlex.quote(sys.executable)} -S -c 'print(open({json.dumps(str(answer))}).read())'"
    (tmp_path / "aws-config").write_text(f"[profile fresh]\ncredential_process = {program}\n")
    path = stack(tmp_path, {"profile": "fresh"}, grants=0)
    dev = load([str(path)]).accounts["dev"]
    connections = Connections("platform")
    signed = []
    for user in ("operator", "operator", "alice"):
        say(user)
        with connections.client(dev) as iam:
            iam.get_account_summary()
            signed.append(iam)
    assert signed[0] is signed[1]
    assert signed[2] is not signed[0]
    assert counted(sandbox.recorder.take()) == {"GetCallerIdentity": 1, "GetAccountSummary": 3}


def test_no_external_id_is_printed_or_kept(hub: Sandbox, xgrant: Run, tmp_path: Path) -> None:
    path = stack(tmp_path, THROUGH_THE_HUB)
    results = [
        xgrant("plan", path, "--debug"),
        xgrant("apply", path, "--auto-approve", "--debug"),
        xgrant("accounts", path),
        xgrant("accounts", path, "--format", "json"),
        xgrant("history", path, "--format", "json"),
    ]
    assert [result.code for result in results] == [0] * 5
    text = "".join(result.out + result.err for result in results)
    kept = "".join(file.read_text() for file in (tmp_path / ".xgrant").rglob("*") if file.is_file())
    assert "for-writers" not in text + kept
    assert "for-the-hub" not in text + kept
