"""Accounts from an organization, asked over HTTP: by unit and tag, suspended ones, kept lists, those that have left."""

from __future__ import annotations

import json
import os
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from reconciler.aws import organizations
from reconciler.sandbox.scenario import SOURCE, Scenario, add_reconciler, root_client
from reconciler.sandbox.server import Sandbox
from reconciler.sandbox.strict.accounts import backend
from tests.conftest import EXAMPLE, Run


@dataclass(frozen=True)
class Org:
    """An organization of which the source account is the management account."""

    client: Any
    sandbox: Sandbox
    root: str
    units: dict[str, str]

    def account(self, name: str, unit: str, **tags: str) -> str:
        """Make an account in a unit; return its id."""
        made = self.client.create_account(
            Email=f"{name}@example.com", AccountName=name, Tags=[{"Key": k, "Value": v} for k, v in tags.items()]
        )
        account_id: str = made["CreateAccountStatus"]["AccountId"]
        self.move(account_id, self.root, self.units[unit])
        add_reconciler(self.sandbox, account_id)
        return account_id

    def move(self, account_id: str, source: str, target: str) -> None:
        self.client.move_account(AccountId=account_id, SourceParentId=source, DestinationParentId=target)


@pytest.fixture
def org(scenario: Scenario, sandbox: Sandbox) -> Org:
    client = root_client(sandbox, "organizations", SOURCE)
    client.create_organization(FeatureSet="ALL")
    root = client.list_roots()["Roots"][0]["Id"]
    units: dict[str, str] = {}
    for path in ("work", "work/prod", "lab"):
        parent = units.get(path.rpartition("/")[0], root)
        made = client.create_organizational_unit(ParentId=parent, Name=path.rpartition("/")[2])
        units[path] = made["OrganizationalUnit"]["Id"]
    policy = {"Version": "2012-10-17", "Statement": {"Effect": "Allow", "Action": "sts:AssumeRole", "Resource": "*"}}
    iam = root_client(sandbox, "iam", SOURCE)
    iam.put_user_policy(UserName="operator", PolicyName="operate", PolicyDocument=json.dumps(policy))
    iam.create_group(GroupName="auditors")
    return Org(client, sandbox, root, units)


Write = Callable[..., Path]


@pytest.fixture
def manifest(tmp_path: Path) -> Write:
    def write(to: Any, **organization: Any) -> Path:
        data = {
            "version": 1,
            "stack": "platform",
            "accounts": {"organization": organization, "dev": {"id": SOURCE}},
            "defaults": {"access": {"assume_role": {"name": "xgrant-reconciler"}}},
            "limits": {"delete": 1000, "delete_percent": 100},
            "grants": {
                "audit": {
                    "from": {"account": "dev", "groups": ["auditors"]},
                    "to": {"account": to, "role": "Audit"},
                    "caller_policy": "managed",
                    "permissions": [{"actions": ["s3:ListBucket"], "resources": ["arn:aws:s3:::logs-${account.id}"]}],
                }
            }
            if to
            else {},
        }
        path = tmp_path / "m.yaml"
        path.write_text(json.dumps(data), encoding="utf-8")
        return path

    return write


def with_role(ids: list[str]) -> list[str]:
    return [i for i in ids if any(role.name == "Audit" for role in backend(i).roles.values())]


def test_a_grant_by_unit_follows_the_accounts_that_come_and_go(org: Org, manifest: Write, xgrant: Run) -> None:
    ids = [org.account(f"team-{index}", "work/prod" if index % 2 else "work") for index in range(6)]
    elsewhere = org.account("bench", "lab")
    path = manifest({"ou": org.units["work"]})
    planned = xgrant("plan", path)
    assert (planned.code, "+ role/Audit in 6 accounts  (grant audit)" in planned.out) == (0, True), planned.err
    assert "the organization has 8 accounts" in planned.err
    assert xgrant("apply", path, "--auto-approve").code == 0
    assert with_role([*ids, elsewhere]) == ids
    assert xgrant("plan", path, "--detailed-exitcode").code == 0
    new = org.account("team-new", "work/prod")
    shown = xgrant("plan", path).out
    assert "+ team-new/role/Audit  (grant audit)" in shown
    assert shown.endswith("Plan: 1 to create, 1 to update, 0 to delete.\n")
    org.move(ids[0], org.units["work"], org.units["lab"])
    shown = xgrant("plan", path).out
    assert "- team-0/role/Audit  (grant audit)" in shown
    assert shown.endswith("Plan: 1 to create, 1 to update, 1 to delete.\n")
    assert xgrant("apply", path, "--auto-approve").code == 0
    assert with_role([*ids, elsewhere, new]) == [*ids[1:], new]


def test_tags_are_asked_for_only_where_a_grant_needs_them(
    org: Org, manifest: Write, xgrant: Run, sandbox: Sandbox
) -> None:
    prod = org.account("a", "work", tier="prod")
    org.account("b", "work", tier="test")
    sandbox.recorder.take()
    planned = xgrant("plan", manifest({"tags": {"tier": "prod"}}))
    assert "+ a/role/Audit" in planned.out
    # It was listed twice, once without tags.
    assert planned.err.count("the organization has") == 1
    calls = Counter(call.operation for call in sandbox.recorder.take())
    assert calls["ListTagsForResource"] == 3
    xgrant("plan", manifest({"ou": org.root, "exclude": ["dev"]}))
    calls = Counter(call.operation for call in sandbox.recorder.take())
    # The root and three units, each with its accounts and its units.
    assert calls["ListTagsForResource"] == 0
    assert (calls["ListAccountsForParent"], calls["ListOrganizationalUnitsForParent"], calls["ListRoots"]) == (4, 4, 1)
    shown = xgrant("accounts", manifest(None))
    row = next(line for line in shown.out.splitlines() if line.startswith("a "))
    assert row.split() == ["a", prod, "ACTIVE", "/work", "-", "role", "xgrant-reconciler"]


def test_a_suspended_account_is_said_and_left_out_and_its_resources_are_never_planned_for_deletion(
    org: Org, manifest: Write, xgrant: Run
) -> None:
    ids = [org.account(name, "work") for name in ("a", "b")]
    path = manifest({"ou": org.units["work"]})
    assert xgrant("apply", path, "--auto-approve").code == 0
    org.client.close_account(AccountId=ids[1])
    planned = xgrant("plan", path)
    assert "left out, since they cannot be used: b (SUSPENDED)" in planned.err
    # Only the door to it goes.
    assert planned.out.endswith("Plan: 0 to create, 1 to update, 0 to delete.\n")
    told = f"account {ids[1]} (b, SUSPENDED) was applied to and is not ACTIVE in the organization; what is left there"
    assert told in planned.err
    orphans = xgrant("accounts", path, "--orphans")
    assert orphans.code == 6
    assert orphans.out == (
        f"{ids[1]} (b, SUSPENDED): it is not known what is left there: it is SUSPENDED: nothing can be done there "
        "until the organization has it as ACTIVE again\n"
    )
    assert xgrant("apply", path, "--auto-approve").code == 0
    assert with_role(ids) == ids
    shown = xgrant("accounts", path).out
    assert shown.splitlines()[-1].split() == ["b", ids[1], "SUSPENDED", "/work", "-", "not", "at", "all"]


def test_an_account_that_has_left_is_not_forgotten(org: Org, manifest: Write, xgrant: Run, tmp_path: Path) -> None:
    ids = [org.account(name, "work") for name in ("a", "b")]
    path = manifest({"ou": org.units["work"]})
    assert (
        xgrant("accounts", path, "--orphans").out
        == "No account that was applied to has left, as far as the store knows.\n"
    )
    assert xgrant("apply", path, "--auto-approve").code == 0
    # The whole organization is taken out of the manifest, but for one account.
    data = json.loads(path.read_text())
    data["accounts"] = {"dev": {"id": SOURCE}, "a": {"id": ids[0]}}
    data["grants"]["audit"]["to"]["account"] = "a"
    path.write_text(json.dumps(data))
    told = f"xgrant: account {ids[1]} was applied to and is no longer in the manifests"
    file = path.with_name("plan.json")
    assert told in xgrant("plan", path, "-o", file).err
    # A pipeline that only applies hears of it, too.
    for command in (("apply", file, path), ("apply", path, "--auto-approve")):
        applied = xgrant(*command)
        assert (applied.code, applied.err.count(told)) == (0, 1), applied.err
    orphans = xgrant("accounts", path, "--orphans")
    assert (orphans.code, orphans.out.splitlines()[:2]) == (2, [f"{ids[1]} (b): 1 left:", f"  {ids[1]}/role/Audit"])
    as_data = json.loads(xgrant("accounts", path, "--orphans", "--format", "json").out)
    assert as_data["departed"][0]["resources"] == [f"{ids[1]}/role/Audit"]
    # As it says: stated again, without grants, and applied.
    data["accounts"]["again"] = {"id": ids[1]}
    path.write_text(json.dumps(data))
    assert xgrant("apply", path, "--auto-approve").code == 0
    assert with_role(ids) == [ids[0]]
    del data["accounts"]["again"]
    path.write_text(json.dumps(data))
    assert told in xgrant("plan", path).err
    orphans = xgrant("accounts", path, "--orphans")
    assert (orphans.code, orphans.out) == (0, f"{ids[1]} (again): nothing is left there\n")
    assert told not in xgrant("plan", path).err


def test_a_hundred_accounts_that_have_left_are_told_in_one_line(
    scenario: Scenario, xgrant: Run, tmp_path: Path
) -> None:
    assert xgrant("apply", EXAMPLE, "--auto-approve", "--no-verify").code == 0
    locks = tmp_path / ".xgrant" / "locks" / "platform"
    released = (locks / f"{SOURCE}.json").read_bytes()
    for number in range(100):
        (locks / f"7000000000{number:02}.json").write_bytes(released)
    told = "100 accounts (700000000000, 700000000001, 700000000002, 700000000003, 700000000004 and 95 more) were applied to"
    for command in (("plan",), ("drift",), ("apply", "--auto-approve")):
        said = [line for line in xgrant(*command, EXAMPLE).err.splitlines() if "no longer in the manifests" in line]
        assert len(said) == 1
        assert said[0].startswith(
            f"xgrant: {told} and are no longer in the manifests; `xgrant accounts --orphans` shows"
        )


def test_a_list_that_is_new_enough_is_taken_as_it_is(
    org: Org, manifest: Write, xgrant: Run, sandbox: Sandbox, tmp_path: Path
) -> None:
    org.account("a", "work", tier="prod")
    path = manifest({"ou": org.units["work"]}, refresh="1h")

    def asked() -> bool:
        return any(call.operation == "ListRoots" for call in sandbox.recorder.take())

    sandbox.recorder.take()
    assert "+ a/role/Audit" in xgrant("plan", path).out
    assert asked()
    org.account("b", "work")
    sandbox.recorder.take()
    again = xgrant("plan", path)
    assert not asked()
    assert "b/role/Audit" not in again.out
    assert "as listed 0 min ago" in again.err
    # Tags are not in that list.
    assert "+ a/role/Audit" in xgrant("plan", manifest({"tags": {"tier": "prod"}}, refresh="1h")).out
    assert asked()
    (kept,) = (tmp_path / ".xgrant" / "accounts").iterdir()
    os.utime(kept, (0, 0))
    path = manifest({"ou": org.units["work"]}, refresh="1h")
    assert "+ role/Audit in 2 accounts" in xgrant("plan", path).out
    kept.write_text("rubbish")
    assert "+ role/Audit in 2 accounts" in xgrant("plan", path).out
    xgrant("accounts", path)
    assert asked()


def test_an_account_that_lists_none_is_an_error_that_says_whose_it_is(
    scenario: Scenario, manifest: Write, xgrant: Run
) -> None:
    result = xgrant("plan", manifest({"ou": "r-ab12"}))
    assert result.code == 1
    assert "xgrant: the organization: ListRoots: AWSOrganizationsNotInUseException" in result.err


def test_the_accounts_of_another_organization_are_not_taken(org: Org, manifest: Write, xgrant: Run) -> None:
    found = org.client.describe_organization()["Organization"]["Id"]
    org.account("a", "work")
    assert "+ a/role/Audit" in xgrant("plan", manifest({"ou": org.units["work"]}, id=found)).out
    result = xgrant("plan", manifest({"ou": org.root}, id="o-0000000000"))
    assert result.code == 1
    assert f"the manifest says that it is o-0000000000, but the credentials are of {found}" in result.err


def test_a_list_that_lacks_an_account_is_not_believed(
    org: Org, manifest: Write, xgrant: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("a", "b"):
        org.account(name, "work")
    walked: list[int] = []
    walk = organizations._walk

    def short(client: Any) -> Any:
        found = list(walk(client))
        walked.append(len(found))
        return found if len(walked) > times else found[1:]

    monkeypatch.setattr(organizations, "_walk", short)
    path = manifest({"ou": org.units["work"]})
    times = 1
    assert xgrant("plan", path).code == 0
    assert len(walked) == 2
    walked.clear()
    times = 9
    result = xgrant("plan", path)
    assert (result.code, "somebody moves accounts at this moment" in result.err) == (1, True)


@pytest.mark.parametrize(
    "forged",
    [
        {"format": 99},
        {"id": "999999999999/../*"},
        {"id": 5},
        {"name": 5},
        {"ou": [5]},
        {"tags": "abc"},
        {"units": None},
    ],
)
def test_a_kept_list_is_believed_by_no_apply_and_by_no_plan_if_it_is_none(
    org: Org, manifest: Write, xgrant: Run, sandbox: Sandbox, tmp_path: Path, forged: dict[str, Any]
) -> None:
    org.account("a", "work")
    path = manifest({"ou": org.units["work"]}, refresh="1h")
    assert xgrant("plan", path).code == 0
    (kept,) = (tmp_path / ".xgrant" / "accounts").iterdir()
    data = json.loads(kept.read_text())
    whole = {key: value for key, value in forged.items() if key == "format"}
    data = {**data, **whole, "accounts": [{**row, **({} if whole else forged)} for row in data["accounts"]]}
    kept.write_text(json.dumps(data))
    sandbox.recorder.take()
    planned = xgrant("plan", path)
    assert (planned.code, "+ a/role/Audit" in planned.out) == (0, True)
    assert any(call.operation == "ListRoots" for call in sandbox.recorder.take())
    # One that is in order, from the future or not.
    for at in (None, (4e9, 4e9)):
        if at:
            os.utime(kept, at)
        applied = xgrant("apply", path, "--auto-approve")
        assert applied.code == 0
        assert any(call.operation == "ListRoots" for call in sandbox.recorder.take())


def test_an_account_in_which_a_run_is_at_work_is_not_settled(
    org: Org, manifest: Write, xgrant: Run, tmp_path: Path
) -> None:
    left = org.account("a", "work")
    path = manifest({"ou": org.units["work"]})
    assert xgrant("apply", path, "--auto-approve").code == 0
    assert xgrant("destroy", path, "--auto-approve").code == 0
    data = json.loads(path.read_text())
    data["accounts"] = {"dev": {"id": SOURCE}}
    data["grants"] = {}
    path.write_text(json.dumps(data))
    lock = tmp_path / ".xgrant" / "locks" / "platform" / f"{left}.json"
    released = lock.read_text()
    lock.write_text(released.replace('"released": true', '"released": false'))
    told = f"account {left} was applied to and is no longer in the manifests"
    assert xgrant("accounts", path, "--orphans").code == 0
    assert told in xgrant("plan", path).err
    lock.write_text(released)
    assert xgrant("accounts", path, "--orphans").code == 0
    assert told not in xgrant("plan", path).err
