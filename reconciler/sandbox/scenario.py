"""The two accounts of the example, as they are before xgrant comes.

Account 123456789012 has the users operator, alice and bob, and the group developers, with alice in it. Account
987654321098 has the bucket my-shared-bucket with one object. Both have an administrator, and the role
xgrant-reconciler, which operator may assume and which has the permissions that docs/accounts.md asks for.
"""

from __future__ import annotations

import functools
import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import boto3

from reconciler.permissions import everything, store
from reconciler.sandbox.server import Sandbox

if TYPE_CHECKING:
    from types_boto3_iam import IAMClient

SOURCE, TARGET = "123456789012", "987654321098"
BUCKET, OBJECT = "my-shared-bucket", "report.csv"
RECONCILER = "xgrant-reconciler"
REGION = "us-east-1"

PERMISSIONS = everything()
"""What xgrant needs in an account; docs/accounts.md shows the same document."""


STORE = "xgrant-store"
"""A bucket of the source account for locks and history."""

STORE_PERMISSIONS = store(STORE)
"""What xgrant needs there, as docs/applying.md has it."""


@dataclass(frozen=True, slots=True)
class Credentials:
    """Somebody's access key; of a role's session with its token. The sandbox takes no real ones."""

    access_key: str
    secret_key: str
    token: str | None = None


@dataclass(frozen=True, slots=True)
class Scenario:
    """The seeded sandbox: its endpoint and the credentials of its users by name."""

    url: str
    users: Mapping[str, Credentials]

    def client(self, service: str, who: Credentials | str) -> Any:
        """Return a boto3 client for the credentials, or for the user of that name."""
        return _client(self.url, service, self.users[who] if isinstance(who, str) else who)

    def assume(self, who: str, role_arn: str) -> Credentials:
        """Return the credentials of a session of the role, as the user."""
        found = self.client("sts", who).assume_role(RoleArn=role_arn, RoleSessionName="DevAccess")["Credentials"]
        return Credentials(found["AccessKeyId"], found["SecretAccessKey"], found["SessionToken"])

    def environment(self, who: str = "operator") -> dict[str, str]:
        """Return what to set so that the AWS clients of a process speak to the sandbox as this user."""
        return {
            "AWS_ENDPOINT_URL": self.url,
            "AWS_ACCESS_KEY_ID": self.users[who].access_key,
            "AWS_SECRET_ACCESS_KEY": self.users[who].secret_key,
            "AWS_DEFAULT_REGION": REGION,
        }


def aws_files(scenario: Scenario, folder: Path) -> dict[str, str]:
    """Write AWS configuration files in which each user is a profile; return the variables that name them.

    Nothing of the files of whoever tries the sandbox is looked at then, or changed.
    """
    config, credentials = folder / "config", folder / "credentials"
    config.write_text("".join(
        f"[profile {name}]\nregion = {REGION}\nendpoint_url = {scenario.url}\n" for name in scenario.users
    ))  # fmt: skip
    credentials.touch(mode=0o600)
    credentials.write_text("".join(
        f"[{name}]\naws_access_key_id = {keys.access_key}\naws_secret_access_key = {keys.secret_key}\n"
        for name, keys in scenario.users.items()
    ))  # fmt: skip
    return {"AWS_CONFIG_FILE": str(config), "AWS_SHARED_CREDENTIALS_FILE": str(credentials)}


CLEARED = ("AWS_PROFILE", "AWS_DEFAULT_PROFILE", "AWS_SESSION_TOKEN", "AWS_SECURITY_TOKEN", "AWS_REGION")
"""What must not be set beside the environment: it would win over it, or not fit."""


def root_client(sandbox: Sandbox, service: str, account: str) -> Any:
    """Return a boto3 client that acts as the root of an account; only while nothing is enforced."""
    # moto takes any keys.
    return _client(sandbox.url, service, Credentials("sandbox", "sandbox"), account)


# To make a client takes longer than to call by it.
@functools.lru_cache(maxsize=64)
def _client(url: str, service: str, keys: Credentials, account: str | None = None) -> Any:
    """Return a client with these keys; with an account, one whose calls moto takes for calls of that account."""
    client = boto3.client(
        service,  # type: ignore[call-overload]
        endpoint_url=url,
        region_name=REGION,
        aws_access_key_id=keys.access_key,
        aws_secret_access_key=keys.secret_key,
        aws_session_token=keys.token,
    )

    def name_account(params: dict[str, Any], **_: object) -> None:
        params["headers"]["x-moto-account-id"] = account

    if account is not None:
        client.meta.events.register("before-call", name_account)
    return client


def seed(sandbox: Sandbox) -> Scenario:
    """Fill the sandbox with the scenario."""
    source: IAMClient = root_client(sandbox, "iam", SOURCE)
    target: IAMClient = root_client(sandbox, "iam", TARGET)
    users = {}
    for iam, name in (
        (source, "operator"), (source, "alice"), (source, "bob"), (source, "dev-admin"), (target, "storage-admin"),
    ):  # fmt: skip
        iam.create_user(UserName=name)
        key = iam.create_access_key(UserName=name)["AccessKey"]
        users[name] = Credentials(key["AccessKeyId"], key["SecretAccessKey"])
    for iam, name in ((source, "dev-admin"), (target, "storage-admin")):
        iam.put_user_policy(UserName=name, PolicyName="administer", PolicyDocument=_allow("*", ["*"]))
    source.create_group(GroupName="developers")
    source.add_user_to_group(GroupName="developers", UserName="alice")
    roles = [f"arn:aws:iam::{account}:role/{RECONCILER}" for account in (SOURCE, TARGET)]
    source.put_user_policy(UserName="operator", PolicyName="operate", PolicyDocument=_allow("sts:AssumeRole", roles))
    for account in (SOURCE, TARGET):
        add_reconciler(sandbox, account)
    storage = root_client(sandbox, "s3", TARGET)
    storage.create_bucket(Bucket=BUCKET)
    storage.put_object(Bucket=BUCKET, Key=OBJECT, Body=b"month,total\n2026-10,42\n")
    root_client(sandbox, "s3", SOURCE).create_bucket(Bucket=STORE)
    source.put_user_policy(UserName="operator", PolicyName="store", PolicyDocument=json.dumps(STORE_PERMISSIONS))
    sandbox.recorder.take()
    return Scenario(sandbox.url, users)


def add_reconciler(sandbox: Sandbox, account: str, name: str = RECONCILER) -> None:
    """Make the role that xgrant works with in an account."""
    iam: IAMClient = root_client(sandbox, "iam", account)
    trust = {
        "Version": "2012-10-17",
        "Statement": [
            {
                "Effect": "Allow",
                "Principal": {"AWS": f"arn:aws:iam::{SOURCE}:user/operator"},
                "Action": "sts:AssumeRole",
            }
        ],
    }
    iam.create_role(RoleName=name, AssumeRolePolicyDocument=json.dumps(trust))
    iam.put_role_policy(RoleName=name, PolicyName="reconcile", PolicyDocument=json.dumps(PERMISSIONS))


def _allow(action: str, resources: list[str]) -> str:
    statement = {"Effect": "Allow", "Action": action, "Resource": resources}
    return json.dumps({"Version": "2012-10-17", "Statement": [statement]})
