"""Where the keys of an account come from: the caller's own credentials, a profile, or a role that is assumed with them.

Safe for threads: what two of them want at the same time is fetched once, and nobody waits who wants something else.
"""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from email.utils import parsedate_to_datetime
from typing import TYPE_CHECKING, Any

from reconciler import clock
from reconciler.aws.calls import Retries
from reconciler.aws.clients import Clients, light_session
from reconciler.aws.errors import aws_errors, endpoint_errors
from reconciler.aws.keys import RENEWED_BEFORE, Keys
from reconciler.errors import AwsError
from reconciler.model import Account
from reconciler.policy.arn import split_path

if TYPE_CHECKING:
    from types_boto3_sts import STSClient

_SECONDS = 3600
"""The length of a session: what role chaining allows, and never 900 seconds (facts sheet 1.4, 5.5)."""


@dataclass(slots=True)
class _Profile:
    """What botocore has found for a profile; it renews that itself, if it can be renewed."""

    lock: threading.Lock = field(default_factory=threading.Lock)
    found: Any = None


class Credentials:
    """The keys of a run's accounts."""

    def __init__(self, stack: str, clients: Clients, retries: Retries) -> None:
        self._stack = stack
        self._clients = clients
        self._retries = retries
        self._lock = threading.Lock()
        self._profiles: dict[str, _Profile] = {}

    def keys(self, account: Account, old: Keys | None) -> Keys:
        """Return what an account is asked with: the old keys, or new ones where those are none or end soon.

        Raises:
            AwsError: there are no credentials, or the role cannot be assumed.

        """
        if account.access.role is None:
            return self._starting(account)
        return old if old is not None and old.good() else self._assumed(account)

    @contextmanager
    def starting_sts(self, account: Account) -> Iterator[STSClient]:
        """Yield the STS client that goes with a profile or the caller, for calls about this account."""
        keys = self._starting(account)
        profile = account.access.profile
        who = f"{f'profile {profile}' if profile else 'the caller'} in {account.partition}"

        def make() -> STSClient:
            made: STSClient = self._clients.make("sts", account.name, account.partition, keys, caller=who)
            return made

        with self._clients.use(f"sts of {who}", keys, make) as sts, self._retries.about(account.name):
            yield sts

    def _starting(self, account: Account) -> Keys:
        name = account.access.profile
        if name is None:
            return Keys()
        with self._lock:
            profile = self._profiles.setdefault(name, _Profile())
        with profile.lock, aws_errors(account.name, "profile"), endpoint_errors(account.name):
            if profile.found is None:
                profile.found = light_session(name).get_credentials()
            if profile.found is None:
                raise AwsError(
                    account.name, "profile", "NoCredentials", f"the profile {name} holds no credentials",
                    hint="log in to that profile",
                )  # fmt: skip
            frozen = profile.found.get_frozen_credentials()
        return Keys(frozen.access_key, frozen.secret_key, frozen.token or "")

    def _assumed(self, account: Account) -> Keys:
        access = account.access
        path, name = split_path(access.role or "")
        arn = f"arn:{account.partition}:iam::{account.id}:role{path}{name}"
        external: dict[str, Any] = {"ExternalId": access.external_id} if access.external_id else {}
        denied = f"the role {arn} has to exist, trust these credentials, and they need sts:AssumeRole on it"
        before = clock.now()
        with self.starting_sts(account) as sts, aws_errors(account.name, "AssumeRole", denied=denied):
            answer = sts.assume_role(
                RoleArn=arn, RoleSessionName=f"xgrant-{self._stack}", DurationSeconds=_SECONDS, **external
            )
        found = answer["Credentials"]
        # Both are times of AWS: the clock of this machine may be wrong.
        asked = parsedate_to_datetime(answer["ResponseMetadata"]["HTTPHeaders"]["date"])
        seconds = (found["Expiration"] - asked).total_seconds()
        return Keys(
            found["AccessKeyId"], found["SecretAccessKey"], found["SessionToken"],
            renewed=before + seconds - RENEWED_BEFORE,
        )  # fmt: skip
