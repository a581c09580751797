"""The grants that are measured: who may do what where, and how xgrant is told so."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from typing import Any

RECONCILER = "xgrant-reconciler"
STACK = "bench"
PER_GROUP = 20
"""Grants that share a source group: the inline policies of a group hold 5,120 characters (IAM quotas)."""

PER_ACCOUNT = 500
"""Grants whose role is in one account, where accounts are as many as needed: half of the roles that one may have."""


@dataclass(frozen=True, slots=True)
class Grant:
    """A group of one account may read a bucket by a role of another; accounts are numbers."""

    name: str
    source: int
    target: int
    group: str
    bucket: str


@dataclass(frozen=True, slots=True)
class Workload:
    """Grants over so many accounts."""

    accounts: int
    grants: tuple[Grant, ...]

    def to_json(self) -> str:
        """Return it as JSON, for another process."""
        return json.dumps(asdict(self))

    @classmethod
    def from_json(cls, text: str) -> Workload:
        """Return what `to_json` has written."""
        data = json.loads(text)
        return cls(data["accounts"], tuple(Grant(**grant) for grant in data["grants"]))

    def manifest(self) -> str:
        """Return it as a manifest, in the block style that people write."""
        lines = ["version: 1", f"stack: {STACK}", "accounts:"]
        lines += [f'  {account_name(number)}: {{id: "{account_id(number)}"}}' for number in range(self.accounts)]
        lines += ["defaults:", f"  access: {{assume_role: {{name: {RECONCILER}}}}}", "grants:"]
        for grant in self.grants:
            lines += [
                f"  {grant.name}:",
                f"    description: {grant.group} reads {grant.bucket}",
                "    from:",
                f"      account: {account_name(grant.source)}",
                f"      groups: [{grant.group}]",
                "    to:",
                f"      account: {account_name(grant.target)}",
                "    permissions:",
                "      - actions: [s3:GetObject, s3:ListBucket]",
                f"        resources: [arn:aws:s3:::{grant.bucket}, arn:aws:s3:::{grant.bucket}/*]",
            ]
        return "\n".join(lines) + "\n"


def account_id(number: int) -> str:
    """Return the id of an account."""
    return f"{100_000_000_000 + number}"


def account_name(number: int) -> str:
    """Return what a manifest calls an account."""
    return f"account-{number:05}"


def over_accounts(grants: int, accounts: int = 2) -> Workload:
    """Return grants in blocks of a group each; the accounts take turns in having the group, the next has the roles."""
    blocks = (index // PER_GROUP for index in range(grants))
    return Workload(
        accounts,
        tuple(
            Grant(f"grant-{index:06}", block % accounts, (block + 1) % accounts, f"team-{block}", f"bucket-{index}")
            for index, block in enumerate(blocks)
        ),
    )


def alone(grants: int) -> Workload:
    """Return grants over as many accounts as have room for them."""
    return over_accounts(grants, max(2, -(-grants // PER_ACCOUNT)))


def ring(accounts: int, each: int = 10) -> Workload:
    """Return grants in each account for a group of the account before it."""
    return Workload(
        accounts,
        tuple(
            Grant(f"grant-{target:05}-{index:02}", (target - 1) % accounts, target, "team", f"bucket-{index}")
            for target in range(accounts)
            for index in range(each)
        ),
    )


def role_arn(grant: Grant) -> str:
    """Return the ARN of the grant's role, which has the grant's name."""
    return f"arn:aws:iam::{account_id(grant.target)}:role/{grant.name}"


def trust_policy(grant: Grant) -> dict[str, Any]:
    """Return the trust policy of the grant's role."""
    return _policy({"Principal": {"AWS": f"arn:aws:iam::{account_id(grant.source)}:root"}, "Action": "sts:AssumeRole"})


def permissions(grant: Grant) -> dict[str, Any]:
    """Return the permissions policy of the grant's role."""
    bucket = f"arn:aws:s3:::{grant.bucket}"
    return _policy({"Action": ["s3:GetObject", "s3:ListBucket"], "Resource": [bucket, f"{bucket}/*"]})


def caller_policy(grant: Grant) -> dict[str, Any]:
    """Return the policy that lets the group assume the grant's role."""
    return _policy({"Action": "sts:AssumeRole", "Resource": role_arn(grant)})


def _policy(statement: dict[str, Any]) -> dict[str, Any]:
    return {"Version": "2012-10-17", "Statement": [{"Effect": "Allow", **statement}]}
