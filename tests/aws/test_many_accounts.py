"""A grant over many accounts, against the strict AWS: planned, applied, changed and taken back."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from reconciler.sandbox.scenario import SOURCE, Scenario, root_client
from reconciler.sandbox.server import Sandbox, writes
from reconciler.sandbox.strict.accounts import backend
from reconciler.sandbox.strict.faults import Fault, Kind
from reconciler.sandbox.strict.wire import Request
from tests.aws.seeding import seed_auditors, seed_targets
from tests.conftest import Run

NUMBER = 9
ACCOUNTS = {f"w{index}": f"70000000000{index}" for index in range(1, NUMBER + 1)}


@pytest.fixture
def workloads(scenario: Scenario, sandbox: Sandbox) -> None:
    """Accounts that have nothing but the role that xgrant works with."""
    seed_targets(ACCOUNTS.values())
    seed_auditors(sandbox)


def manifest(folder: Path, **more: Any) -> Path:
    grant = {
        "from": {"account": "dev", "groups": ["auditors"]},
        "to": {"account": "workloads", "role": "Audit", "path": "/audit/"},
        "permissions": [{"actions": ["s3:ListBucket"], "resources": ["arn:aws:s3:::logs-${account.id}"]}],
        **more,
    }
    data = {
        "version": 1,
        "stack": "platform",
        "accounts": {
            "dev": {"id": SOURCE},
            **{name: {"id": account, "tags": {"tier": "workload"}} for name, account in ACCOUNTS.items()},
        },
        "account_groups": {"workloads": {"tags": {"tier": "workload"}}},
        "defaults": {"access": {"assume_role": {"name": "xgrant-reconciler"}}},
        "limits": {"delete": 100, "delete_percent": 100},
        "grants": {"audit": grant},
    }
    path = folder / "m.yaml"
    path.write_text(json.dumps(data), encoding="utf-8")
    return path


def roles() -> set[str]:
    return {
        name for name, account in ACCOUNTS.items() for role in backend(account).roles.values() if role.name == "Audit"
    }


def opened() -> set[str]:
    """Return the accounts whose role the group may assume."""
    text = backend(SOURCE).get_group("auditors").policies["xgrant.platform.audit"]
    (statement,) = json.loads(text)["Statement"]
    arns = statement["Resource"]
    ids = {arn.split(":")[4] for arn in ([arns] if isinstance(arns, str) else arns)}
    return {name for name, account in ACCOUNTS.items() if account in ids}


@pytest.mark.usefixtures("workloads")
def test_one_grant_makes_a_role_in_each_account_and_one_policy_for_all_and_nothing_more(
    sandbox: Sandbox, xgrant: Run, tmp_path: Path
) -> None:
    path = manifest(tmp_path)
    planned = xgrant("plan", path)
    assert planned.code == 0, planned.err
    assert f"+ role/Audit in {NUMBER} accounts" in planned.out
    assert "Resource: arn:aws:s3:::logs-<id>" in planned.out
    assert f"Resource: arn:aws:iam::({NUMBER} accounts):role/audit/Audit" in planned.out
    assert xgrant("plan", path, "--expand").out.count("/role/Audit  (grant audit)") == NUMBER
    sandbox.recorder.take()
    assert xgrant("apply", path, "--auto-approve").code == 0
    called = [call.operation for call in writes(sandbox.recorder.take())]
    assert sorted(called) == [*["CreateRole"] * NUMBER, "PutGroupPolicy", *["PutRolePolicy"] * NUMBER]
    assert called[-1] == "PutGroupPolicy"
    assert roles() == opened() == set(ACCOUNTS)
    assert xgrant("plan", path, "--detailed-exitcode").code == 0


@pytest.mark.usefixtures("workloads")
def test_an_account_that_is_left_out_loses_its_role_after_nobody_may_assume_it_any_more(
    sandbox: Sandbox, xgrant: Run, tmp_path: Path
) -> None:
    xgrant("apply", manifest(tmp_path), "--auto-approve")
    without = {"to": {"account": "workloads", "exclude": ["w1", "w2"], "role": "Audit", "path": "/audit/"}}
    path = manifest(tmp_path, **without)
    planned = xgrant("plan", path).out
    assert "- role/Audit in 2 accounts  (grant audit)\n      w1, w2; `<id>` is each one's own\n" in planned
    sandbox.recorder.take()
    assert xgrant("apply", path, "--auto-approve", "--parallelism", "1").code == 0
    called = [call.operation for call in writes(sandbox.recorder.take())]
    assert called[0] == "PutGroupPolicy"
    assert roles() == opened() == set(ACCOUNTS) - {"w1", "w2"}
    sandbox.recorder.take()
    # And back again: first the roles, then the policy that opens them.
    assert xgrant("apply", manifest(tmp_path), "--auto-approve").code == 0
    assert [call.operation for call in writes(sandbox.recorder.take())][-1] == "PutGroupPolicy"
    assert roles() == opened() == set(ACCOUNTS)
    assert xgrant("destroy", path, "--auto-approve").code == 0
    assert roles() == set()


@pytest.mark.usefixtures("workloads")
def test_a_failure_in_one_account_keeps_its_door_shut_and_opens_all_others(
    sandbox: Sandbox, xgrant: Run, tmp_path: Path
) -> None:
    xgrant(
        "apply", manifest(tmp_path, to={"account": ["w1", "w2"], "role": "Audit", "path": "/audit/"}), "--auto-approve"
    )
    for name in ("w5", "w6"):
        iam = root_client(sandbox, "iam", ACCOUNTS[name])
        iam.put_role_policy(
            RoleName="xgrant-reconciler", PolicyName="deny",
            PolicyDocument='{"Version": "2012-10-17", "Statement": {"Effect": "Deny", "Action": "iam:CreateRole", "Resource": "*"}}',
        )  # fmt: skip
    sandbox.enforce(on=True)
    result = xgrant("apply", manifest(tmp_path), "--auto-approve")
    sandbox.enforce(on=False)
    assert result.code == 6
    assert roles() == set(ACCOUNTS) - {"w5", "w6"}
    # No door leads to the roles that are not there.
    assert opened() == set(ACCOUNTS) - {"w5", "w6"}
    assert "failed: <name>/role/Audit: account <name>: CreateRole: AccessDenied" in result.out
    assert "    in 2 accounts: w5, w6; `<name>`" in result.out


PEERS = ["w1", "w2", "w3"]
MESH: dict[str, Any] = {
    "from": {"account": PEERS, "roles": ["mesh/Peer"]},
    "to": {"account": PEERS, "role": "Peer", "path": "/mesh/"},
}


def peers() -> dict[str, set[str]]:
    """Return by account whose roles the role there trusts; one that nobody may assume trusts none."""
    found: dict[str, set[str]] = {}
    for name in PEERS:
        for role in backend(ACCOUNTS[name]).roles.values():
            if role.name == "Peer":
                (statement,) = json.loads(role.assume_role_policy_document)["Statement"]
                trusted = statement["Principal"]["AWS"] if statement["Effect"] == "Allow" else []
                ids = {trusted} if isinstance(trusted, str) else set(trusted)
                found[name] = {peer for peer in PEERS for r in backend(ACCOUNTS[peer]).roles.values() if r.id in ids}
    return found


ALL_PEERS = {name: set(PEERS) - {name} for name in PEERS}


@pytest.mark.usefixtures("workloads")
def test_roles_that_trust_each_other_are_made_from_a_reviewed_plan(
    sandbox: Sandbox, xgrant: Run, tmp_path: Path
) -> None:
    path, file = manifest(tmp_path, **MESH), tmp_path / "plan.json"
    planned = xgrant("plan", path, "-o", file)
    assert planned.code == 0, planned.err
    assert "because it and other new roles trust each other" in planned.out
    sandbox.recorder.take()
    applied = xgrant("apply", file, path)
    assert applied.code == 0, applied.out
    called = [call.operation for call in writes(sandbox.recorder.take())]
    assert sorted(called) == [*["CreateRole"] * 3, *["PutRolePolicy"] * 6, *["UpdateAssumeRolePolicy"] * 3]
    assert max(i for i, name in enumerate(called) if name == "CreateRole") < called.index("UpdateAssumeRolePolicy")
    assert peers() == ALL_PEERS
    assert xgrant("plan", path, "--detailed-exitcode").code == 0
    record = xgrant("history", path).out.split()[0]
    assert xgrant("history", record, path).out.count("create, make: done") == 3
    # At another path all are other roles.
    moved = {"from": {**MESH["from"], "roles": ["peers/Peer"]}, "to": {**MESH["to"], "path": "/peers/"}}
    applied = xgrant("apply", manifest(tmp_path, **moved), "--auto-approve")
    assert (applied.code, peers()) == (0, ALL_PEERS), applied.out
    assert xgrant("destroy", path, "--auto-approve").code == 0
    assert peers() == {}


@pytest.mark.usefixtures("workloads")
@pytest.mark.parametrize(
    ("operation", "spare"),
    [("CreateRole", 2), ("UpdateAssumeRolePolicy", 1)],
)
def test_roles_that_trust_each_other_and_were_made_in_part_trust_nobody_wrong_and_are_finished_by_the_next_apply(
    sandbox: Sandbox, xgrant: Run, tmp_path: Path, operation: str, spare: int
) -> None:
    path = manifest(tmp_path, **MESH)
    sandbox.strict.faults.add(Fault(Kind.DELETE_CONFLICT, times=99, spare=spare, operation=operation))
    assert xgrant("apply", path, "--auto-approve").code == 6
    assert all(trusted <= ALL_PEERS[name] for name, trusted in peers().items())
    assert len(peers()) == (3 if operation == "UpdateAssumeRolePolicy" else spare)
    sandbox.strict.faults.calm()
    finished = xgrant("apply", path, "--auto-approve")
    assert (finished.code, peers()) == (0, ALL_PEERS), finished.out
    assert xgrant("plan", path, "--detailed-exitcode").code == 0


def opening(*accounts: str, **more: Any) -> str:
    arns = [f"arn:aws:iam::{ACCOUNTS[name]}:role/audit/Audit" for name in accounts]
    return json.dumps(
        {
            "Version": "2012-10-17",
            "Statement": [{"Effect": "Allow", "Action": "sts:AssumeRole", "Resource": arns, **more}],
        }
    )


@pytest.mark.usefixtures("workloads")
@pytest.mark.parametrize("struck", ["", "somebody changes one", "a role is not made"])
def test_policies_made_by_hand_for_some_of_the_roles_are_taken_over_and_only_when_all_they_open_is_open(
    sandbox: Sandbox, xgrant: Run, tmp_path: Path, struck: str
) -> None:
    iam = root_client(sandbox, "iam", SOURCE)
    by_hand = {
        "one": opening("w1"),
        "two": opening("w2", "w3"),
        "elsewhere": opening("w1", "w9"),
        "now-and-then": opening("w1", Condition={"Bool": {"aws:MultiFactorAuthPresent": "true"}}),
    }
    for name, text in by_hand.items():
        iam.put_group_policy(GroupName="auditors", PolicyName=name, PolicyDocument=text)
    path = manifest(tmp_path, adopt=True, to={"account": ["w1", "w2", "w3"], "role": "Audit", "path": "/audit/"})
    shown = xgrant("plan", path).out
    assert (
        "the grant takes over the inline policy one, under the name that marks it; made by hand and saying no more, two goes"
        in shown
    )

    def change(request: Request) -> None:
        if struck == "somebody changes one" and request.operation == "CreateRole":
            backend(SOURCE).get_group("auditors").policies["two"] = opening("w2", "w3", "w9")

    sandbox.strict.faults.observer = change
    if struck == "a role is not made":
        fault = Fault(Kind.DELETE_CONFLICT, times=9, operation="CreateRole", account=ACCOUNTS["w2"])
        sandbox.strict.faults.add(fault)
    applied = xgrant("apply", path, "--auto-approve")
    sandbox.strict.faults.observer = lambda _: None
    policies = set(iam.list_group_policies(GroupName="auditors")["PolicyNames"])
    if struck:
        assert (applied.code, policies) == (6, set(by_hand))
        assert ("other beside; it is left alone" if "changes" in struck else "it needs w2/role/Audit") in applied.out
    else:
        assert (applied.code, policies) == (0, {"xgrant.platform.audit", "elsewhere", "now-and-then"}), applied.out
        assert opened() == {"w1", "w2", "w3"}
        assert xgrant("plan", path, "--detailed-exitcode").code == 0
