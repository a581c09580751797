"""Where the keys of an account come from: the caller's own credentials, a profile, or a role that is assumed.

Safe for threads: what two of them want at the same time is fetched once, and nobody waits who wants something else.
"""

from __future__ import annotations

import threading
from collections.abc import Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass, field
from datetime import datetime
from email.utils import parsedate_to_datetime
from typing import TYPE_CHECKING, Any

from reconciler import clock
from reconciler.aws.calls import Retries
from reconciler.aws.clients import Clients, light_session
from reconciler.aws.errors import aws_errors, ended_early, endpoint_errors
from reconciler.aws.keys import RENEWED_BEFORE, Keys, Place
from reconciler.errors import AwsError
from reconciler.model import Account, Hub
from reconciler.policy.arn import account_of, iam_arn, split_path

if TYPE_CHECKING:
    from types_boto3_sts import STSClient

_SECONDS = 3600
"""The length of a session: what role chaining allows, and never 900 seconds (facts sheet 1.4, 5.5)."""

_BY_THE_CALLER = "trust these credentials, and they need"


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
        self._hubs: dict[Hub, Place] = {}

    def keys(self, account: Account, old: Keys | None) -> Keys:
        """Return what an account is asked with: the old keys, or new ones where those are none or end soon.

        Raises:
            AwsError: there are no credentials, or the role, or the hub before it, cannot be assumed.

        """
        access = account.access
        if access.role is None:
            return self._starting(access.profile, account.name)
        if old is not None and old.good():
            return old
        path, name = split_path(access.role)
        arn = iam_arn(account.partition, account.id, "role", path, name)
        by = f"trust the hub role {access.hub.arn}, and that needs" if access.hub else _BY_THE_CALLER
        try:
            with self.sts(account) as sts:
                return self._assumed(sts, account.name, arn, access.external_id, by)
        except AwsError as error:
            if access.hub is None or ended_early(error, access.hub.arn) is None:
                raise
        # The hub's session ended early, so there is another one now.
        with self.sts(account) as sts:
            return self._assumed(sts, account.name, arn, access.external_id, by)

    @contextmanager
    def sts(self, account: Account) -> Iterator[STSClient]:
        """Yield the STS client by which the role of an account is assumed, for calls about this account.

        It is the hub's, if there is one, or that of the profile or the caller.
        """
        hub = account.access.hub
        if hub is None:
            with self._starting_sts(account.access.profile, account.partition, account.name) as sts:
                yield sts
            return
        with self._lock:
            place = self._hubs.setdefault(hub, Place())
        keys = place.get(lambda old: self._hub_keys(hub, old))
        with self._sts(f"hub {hub.arn}", keys, account.partition, account.name) as sts:
            try:
                yield sts
            except AwsError as error:
                if (ended := ended_early(error, f"the hub {hub.arn}")) is None:
                    raise
                place.end(keys)
                raise ended from error

    def _hub_keys(self, hub: Hub, old: Keys | None) -> Keys:
        if old is not None and old.good():
            return old
        # Not the name of the account that is reached by it: what is wrong with it is one error for all of them.
        about = f"{account_of(hub.arn)} (hub)"
        with self._starting_sts(hub.profile, hub.arn.split(":")[1], about) as sts:
            return self._assumed(sts, about, hub.arn, hub.external_id, _BY_THE_CALLER)

    def _starting_sts(self, profile: str | None, partition: str, about: str) -> AbstractContextManager[STSClient]:
        who = f"profile {profile}" if profile else "the caller"
        return self._sts(who, self._starting(profile, about), partition, about)

    @contextmanager
    def _sts(self, who: str, keys: Keys, partition: str, about: str) -> Iterator[STSClient]:
        caller = f"{who} in {partition}"

        def make() -> STSClient:
            made: STSClient = self._clients.make("sts", about, partition, keys, caller=caller)
            return made

        with self._clients.use(f"sts of {caller}", keys, make) as sts, self._retries.about(about):
            yield sts

    def _starting(self, name: str | None, about: str) -> Keys:
        """Return the keys of a profile; without one they are the caller's own."""
        if name is None:
            return Keys()
        with self._lock:
            profile = self._profiles.setdefault(name, _Profile())
        with profile.lock, aws_errors(about, "profile"), endpoint_errors(about):
            if profile.found is None:
                profile.found = light_session(name).get_credentials()
            if profile.found is None:
                raise AwsError(
                    about, "profile", "NoCredentials", f"the profile {name} holds no credentials",
                    hint="log in to that profile",
                )  # fmt: skip
            frozen = profile.found.get_frozen_credentials()
        return Keys(frozen.access_key, frozen.secret_key, frozen.token or "")

    def _assumed(self, sts: STSClient, about: str, arn: str, external_id: str | None, by: str) -> Keys:
        external: dict[str, Any] = {"ExternalId": external_id} if external_id else {}
        before = clock.now()
        with aws_errors(about, "AssumeRole", denied=f"the role {arn} has to exist, {by} sts:AssumeRole on it"):
            answer = sts.assume_role(
                RoleArn=arn, RoleSessionName=f"xgrant-{self._stack}", DurationSeconds=_SECONDS, **external
            )
        found = answer["Credentials"]
        seconds = lasts(found["Expiration"], answer["ResponseMetadata"]["HTTPHeaders"])
        return Keys(
            found["AccessKeyId"], found["SecretAccessKey"], found["SessionToken"],
            renewed=before + seconds - RENEWED_BEFORE,
        )  # fmt: skip


def lasts(expiration: datetime, headers: Mapping[str, str]) -> float:
    """Return how many seconds a session lasts from the answer with these headers on.

    Both are times of AWS, since the clock of this machine may be wrong. Where something on the way has taken the
    answer's time away, it is what was asked for.
    """
    if "date" not in headers:
        return _SECONDS
    return (expiration - parsedate_to_datetime(headers["date"])).total_seconds()
