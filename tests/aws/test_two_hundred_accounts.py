"""A grant over the two hundred accounts of a unit: planned, applied, and followed as accounts come and go."""

from __future__ import annotations

import json
from collections import Counter
from pathlib import Path
from typing import Any

import pytest
from moto.organizations.models import organizations_backends

from reconciler.sandbox.scenario import SOURCE, Scenario, root_client
from reconciler.sandbox.server import Sandbox, writes
from tests.aws.seeding import opened, seed_auditors, seed_targets, with_role
from tests.conftest import Run

NUMBER = 200


class Company:
    """An organization of two hundred accounts in the units below `work`, and the unit `lab` beside it."""

    def __init__(self) -> None:
        self._moto: Any = organizations_backends[SOURCE]["aws"]
        self._root: str = self._moto.list_roots()["Roots"][0]["Id"]
        self.work = self._unit(self._root, "work")
        self.lab = self._unit(self._root, "lab")
        self._teams = [self._unit(self.work, name) for name in ("shop", "pay")]
        self.ids = [self.account(number) for number in range(NUMBER)]

    def _unit(self, parent: str, name: str) -> str:
        made = self._moto.create_organizational_unit(ParentId=parent, Name=name)
        unit: str = made["OrganizationalUnit"]["Id"]
        return unit

    def account(self, number: int) -> str:
        """Make an account with a tag in one of the units of teams; return its id."""
        name, tags = f"team-{number:03}", [{"Key": "tier", "Value": "prod"}]
        made = self._moto.create_account(Email=f"{name}@example.com", AccountName=name, Tags=tags)
        account_id: str = made["CreateAccountStatus"]["AccountId"]
        self.move(account_id, self._root, self._teams[number % 2])
        return account_id

    def leave(self, number: int) -> None:
        """Move an account to the unit lab."""
        self.move(self.ids[number], self._teams[number % 2], self.lab)

    def move(self, account_id: str, source: str, target: str) -> None:
        self._moto.move_account(AccountId=account_id, SourceParentId=source, DestinationParentId=target)


@pytest.fixture
def company(scenario: Scenario, sandbox: Sandbox) -> Company:
    root_client(sandbox, "organizations", SOURCE).create_organization(FeatureSet="ALL")
    found = Company()
    seed_targets(found.ids)
    seed_auditors(sandbox)
    return found


def manifest(folder: Path, unit: str) -> Path:
    data = {
        "version": 1,
        "stack": "platform",
        "accounts": {"organization": {}, "dev": {"id": SOURCE}},
        "defaults": {"access": {"assume_role": {"name": "xgrant-reconciler"}}},
        "grants": {
            "audit": {
                "from": {"account": "dev", "groups": ["auditors"]},
                "to": {"account": {"ou": unit}, "role": "Audit"},
                "caller_policy": "managed",
                "permissions": [{"actions": "s3:ListBucket", "resources": "arn:aws:s3:::logs-${account.id}"}],
            }
        },
    }
    path = folder / "m.yaml"
    path.write_text(json.dumps(data), encoding="utf-8")
    return path


def test_a_grant_by_unit_over_two_hundred_accounts_follows_the_organization(
    company: Company, sandbox: Sandbox, xgrant: Run, tmp_path: Path
) -> None:
    path = manifest(tmp_path, company.work)
    # It shows its plan first, and what it writes is read by the next one.
    applied = xgrant("apply", path, "--auto-approve", "--no-verify")
    assert (applied.code, f"the organization has {NUMBER + 1} accounts" in applied.err) == (0, True), applied.err
    planned = applied.out[: applied.out.index("Apply: ")]
    assert f"+ role/Audit in {NUMBER} accounts  (grant audit)" in planned
    assert "Resource: arn:aws:s3:::logs-<id>" in planned
    assert f"Plan: {NUMBER + 2} to create, 0 to update, 0 to delete.\n" in planned
    assert planned.count("\n") < 50
    called = Counter(call.operation for call in writes(sandbox.recorder.take()))
    assert called == {"CreateRole": NUMBER, "PutRolePolicy": NUMBER, "CreatePolicy": 2, "AttachGroupPolicy": 2}
    assert with_role(company.ids, "Audit") == opened(company.ids) == {*company.ids}
    again = xgrant("plan", path, "--detailed-exitcode")
    assert (again.code, again.out.splitlines()[0]) == (0, "No changes. AWS is as the manifests say.")

    company.leave(7)
    new = company.account(NUMBER)
    seed_targets([new])
    shown = xgrant("plan", path).out
    assert f"+ team-{NUMBER}/role/Audit  (grant audit)" in shown
    assert "- team-007/role/Audit  (grant audit)" in shown
    assert shown.endswith("Plan: 1 to create, 1 to update, 1 to delete.\n")
