"""Accounts by the hundred, put into the sandbox without a call: over HTTP each would take longer than it is tested."""

from __future__ import annotations

import json
from collections.abc import Iterable

from reconciler.sandbox.scenario import PERMISSIONS, RECONCILER, SOURCE, root_client
from reconciler.sandbox.server import Sandbox
from reconciler.sandbox.strict.accounts import backend, holders


def seed_targets(accounts: Iterable[str]) -> None:
    """Make the role that xgrant works with in each account; operator of dev may assume it."""
    operator = holders(SOURCE, "User")["operator"]
    statement = {"Effect": "Allow", "Principal": {"AWS": operator.id}, "Action": "sts:AssumeRole"}
    trust = json.dumps({"Version": "2012-10-17", "Statement": [statement]})
    for account in accounts:
        iam = backend(account)
        iam.create_role(RECONCILER, trust, "/", None, "", [], "3600")
        iam.put_role_policy(RECONCILER, "reconcile", json.dumps(PERMISSIONS))


def seed_auditors(sandbox: Sandbox) -> None:
    """Make the group auditors in dev, and let operator of dev assume any role."""
    statement = {"Effect": "Allow", "Action": "sts:AssumeRole", "Resource": "*"}
    policy = json.dumps({"Version": "2012-10-17", "Statement": [statement]})
    iam = root_client(sandbox, "iam", SOURCE)
    iam.put_user_policy(UserName="operator", PolicyName="operate", PolicyDocument=policy)
    iam.create_group(GroupName="auditors")
    sandbox.recorder.take()


def with_role(accounts: Iterable[str], role: str) -> set[str]:
    """Return those of the accounts that have the role."""
    return {account for account in accounts if role in holders(account, "Role")}


def opened(accounts: Iterable[str]) -> set[str]:
    """Return those of the accounts in which the group auditors of dev may assume a role, whichever policies say so."""
    group = backend(SOURCE).get_group("auditors")
    managed = [v.document for p in group.managed_policies.values() for v in p.versions if v.is_default]
    texts = [*group.policies.values(), *managed]
    return {account for account in accounts if any(f"::{account}:" in text for text in texts)}
