"""One boto3 Session, and an IAM client for each account with that account's credentials.

A Session for each account would cost ten times the memory and time (facts sheet 5.4). Sessions and the making of
clients are not safe for threads, so clients are made here, one after the other; clients themselves are.
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Iterable, Mapping
from typing import TYPE_CHECKING, Any, TypeVar
from urllib.parse import urlsplit

import boto3
import botocore.loaders
import botocore.session
from botocore.config import Config
from botocore.handlers import json_decode_policies

from reconciler import __version__
from reconciler.aws.calls import Retries
from reconciler.aws.errors import aws_errors, endpoint_errors
from reconciler.aws.threads import threads
from reconciler.errors import AwsError, SeveralAccountsError, XgrantError
from reconciler.events import Notice
from reconciler.model import Account
from reconciler.policy.arn import split_path

if TYPE_CHECKING:
    from types_boto3_iam import IAMClient
    from types_boto3_sts import STSClient

T = TypeVar("T")

PARALLEL_ACCOUNTS = 8
PARALLEL_CALLS = 32
"""Calls to one account at a time, at most; more would open connections and throw them away (facts sheet 5.3)."""

# What is tried again, and how long, is decided in `retry.py`.
CONFIG = Config(
    retries={"mode": "standard", "total_max_attempts": 1},
    connect_timeout=10,
    read_timeout=60,
    max_pool_connections=PARALLEL_CALLS,
    user_agent_extra=f"xgrant/{__version__}",
)

# IAM is one service for each partition. STS answers in every region, but one that is off in an account refuses: these
# are on by default (facts sheet 5.3).
REGIONS = {
    "aws": "us-east-1",
    "aws-cn": "cn-north-1",
    "aws-us-gov": "us-gov-west-1",
    "aws-iso": "us-iso-east-1",
    "aws-iso-b": "us-isob-east-1",
    "aws-iso-e": "eu-isoe-west-1",
    "aws-iso-f": "us-isof-south-1",
    "aws-eusc": "eusc-de-east-1",
}

_ORGANIZATIONS = {"aws-cn": "cn-northwest-1"}
"""Where AWS Organizations is in another region than IAM (facts sheet 5.3)."""

Keys = Mapping[str, str]


class Connections:
    """The IAM clients of a run, made once for each account and checked to be of that account."""

    def __init__(self, stack: str, notify: Callable[[Notice], None] = lambda _: None) -> None:
        self._stack = stack
        self.notify = notify
        """Is told of every call and of what is read, in whatever thread it happens."""
        self.retries = Retries(notify)
        self._session: boto3.Session | None = None
        self._profiles: dict[str, Keys] = {}
        self._clients: dict[str, IAMClient] = {}

    def open(self, accounts: Iterable[Account]) -> Mapping[str, IAMClient]:
        """Return a client for each account, by its name.

        Raises:
            AwsError, SeveralAccountsError: an account cannot be reached, or the credentials are of another account.

        """
        errors = self.open_each(accounts)
        gather(errors.values())
        return self._clients

    def open_each(self, accounts: Iterable[Account]) -> Mapping[str, XgrantError]:
        """Connect to each account as far as that goes; return by name why one cannot be reached."""
        missing = [account for account in accounts if account.name not in self._clients]
        errors: dict[str, XgrantError] = {}
        stses: dict[str, STSClient] = {}
        # Profiles are found one after the other: sessions are not safe for threads.
        for account in missing:
            _sort(account, attempt(lambda a=account: self._sts(a)), stses, errors)  # type: ignore[misc]
        reached = [account for account in missing if account.name in stses]
        keys: dict[str, Keys] = {}
        with threads(PARALLEL_ACCOUNTS, "connect") as pool:
            found = pool.map(lambda a: attempt(lambda: self._keys(a, stses[a.name])), reached)
            for account, result in zip(reached, found, strict=True):
                _sort(account, result, keys, errors)
        checks = {
            account: self._client("sts", account, keys[account.name]) for account in reached if account.name in keys
        }
        checked: dict[str, None] = {}
        with threads(PARALLEL_ACCOUNTS, "check") as pool:
            answers = pool.map(lambda pair: attempt(lambda: _check(*pair)), checks.items())
            for account, answer in zip(checks, answers, strict=True):
                _sort(account, answer, checked, errors)
        for account in checks:
            if account.name in checked:
                self._clients[account.name] = self._client("iam", account, keys[account.name])
        return errors

    def client(self, account: Account) -> IAMClient:
        """Return the client of an account that was reached."""
        return self._clients[account.name]

    def organizations(self, account: Account) -> Any:
        """Return a client for AWS Organizations, with the credentials of the account; AwsError if there are none."""
        keys = self._keys(account, self._sts(account))
        region = _ORGANIZATIONS.get(account.partition, REGIONS[account.partition])
        return self._client("organizations", account, keys, region)

    def _sts(self, account: Account) -> STSClient:
        client: STSClient = self._client("sts", account, self._caller_keys(account))
        return client

    def _caller_keys(self, account: Account) -> Keys:
        profile = account.access.profile
        if profile is None:
            return {}
        if profile not in self._profiles:
            with aws_errors(account.name, "profile"), endpoint_errors(account.name):
                # botocore's own session is light: it only finds the credentials, and makes no client of ours.
                found = botocore.session.Session(profile=profile).get_credentials()
                if found is None:
                    raise AwsError(
                        account.name, "profile", "NoCredentials", f"the profile {profile} holds no credentials",
                        hint="log in to that profile",
                    )  # fmt: skip
                frozen: Any = found.get_frozen_credentials()
            self._profiles[profile] = _client_keys(frozen.access_key, frozen.secret_key, frozen.token)
        return self._profiles[profile]

    def _keys(self, account: Account, sts: STSClient) -> Keys:
        access = account.access
        if access.role is None:
            return self._caller_keys(account)
        path, name = split_path(access.role)
        arn = f"arn:{account.partition}:iam::{account.id}:role{path}{name}"
        external: dict[str, Any] = {"ExternalId": access.external_id} if access.external_id else {}
        denied = f"the role {arn} has to exist, trust these credentials, and they need sts:AssumeRole on it"
        with aws_errors(account.name, "AssumeRole", denied=denied):
            # One hour: what role chaining allows, and never 900 seconds (facts sheet 1.4, 5.5).
            found = sts.assume_role(
                RoleArn=arn, RoleSessionName=f"xgrant-{self._stack}", DurationSeconds=3600, **external
            )["Credentials"]
        return _client_keys(found["AccessKeyId"], found["SecretAccessKey"], found["SessionToken"])

    def _client(self, service: str, account: Account, keys: Keys, region: str = "") -> Any:
        with aws_errors(account.name, "client"), endpoint_errors(account.name):
            if self._session is None:
                self._session = new_session()
            client = self._session.client(
                service,  # type: ignore[call-overload]
                region_name=region or REGIONS[account.partition],
                config=CONFIG,
                **keys,
            )
            # botocore would look at the port only when it is to connect.
            _ = urlsplit(client.meta.endpoint_url).port
        # botocore would keep only the last of a key that stands twice in a policy document, and say nothing.
        client.meta.events.unregister("after-call.iam", json_decode_policies)
        self.retries.watch(client, account.name)
        return client


def attempt(call: Callable[[], T]) -> T | XgrantError:
    """Return what the call returns, or the error that it raises: a thread's failure is a value."""
    try:
        return call()
    except XgrantError as error:
        return error


def _sort(account: Account, result: T | XgrantError, good: dict[str, T], bad: dict[str, XgrantError]) -> None:
    if isinstance(result, XgrantError):
        bad[account.name] = result
    else:
        good[account.name] = result


def gather(results: Iterable[T | XgrantError]) -> list[T]:
    """Return all results, or raise every error among them, each once."""
    found = list(results)
    unique = {str(result): result for result in found if isinstance(result, XgrantError)}
    errors = tuple(unique.values())
    if len(errors) == 1:
        raise errors[0]
    if errors:
        raise SeveralAccountsError(errors)
    return [result for result in found if not isinstance(result, XgrantError)]


def _check(account: Account, sts: STSClient) -> None:
    with aws_errors(account.name, "GetCallerIdentity"):
        identity = sts.get_caller_identity()
    if identity["Account"] != account.id:
        raise AwsError(
            account.name,
            "GetCallerIdentity",
            "WrongAccount",
            f"the manifest says that {account.name} is {account.id}, but its credentials are of {identity['Account']} "
            f"({identity['Arn']})",
            hint="mend the account's id, `profile` or `assume_role`; nothing of it was read or changed",
        )


def _client_keys(access_key: str, secret_key: str, token: str | None) -> Keys:
    keys = {"aws_access_key_id": access_key, "aws_secret_access_key": secret_key}
    return {**keys, "aws_session_token": token} if token else keys


def new_session() -> boto3.Session:
    """Return a new Session, with the credentials of this moment, that reads the models of services only once."""
    session = botocore.session.Session()
    session.register_component("data_loader", _loader())
    return boto3.Session(botocore_session=session)


@functools.cache
def _loader() -> Any:
    return botocore.session.Session().get_component("data_loader")
