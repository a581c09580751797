"""Assumes the role of a grant for whoever uses it, with a profile or the caller's own credentials. Keeps nothing."""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass
from datetime import UTC
from typing import Any

from reconciler.aws.calls import Retries
from reconciler.aws.clients import Clients, light_session
from reconciler.aws.errors import aws_errors, endpoint_errors
from reconciler.aws.keys import Keys
from reconciler.errors import AwsError
from reconciler.events import Notice
from reconciler.model import Identity, Session, SessionRequest

_ABOUT = "of the caller"
"""What messages call the account of who asks, which the manifest need not have."""

_NO_KEYS = "log in, set AWS_PROFILE, or name a profile with --as"
_SECRET = re.compile(r"[!-~]+")
_REGION = re.compile(r"[a-z0-9-]+")


@dataclass(frozen=True, slots=True)
class _Starting:
    """What the AWS configuration has for who asks."""

    keys: Keys
    mfa_serial: str
    region: str


class Caller:
    """Whoever asks: with a profile, or with the caller's own credentials, as AWS's tools find them."""

    def __init__(self, profile: str | None, partition: str, notify: Callable[[Notice], None]) -> None:
        """Find the credentials; AwsError where there are none."""
        self._partition = partition
        self._clients = Clients(Retries(notify))
        self._starting = _start(profile)

    def identity(self) -> Identity:
        """Return who it is; AwsError where AWS does not know the credentials."""
        with self._client("sts", _ABOUT) as sts, aws_errors(_ABOUT, "GetCallerIdentity"):
            found = sts.get_caller_identity()
        starting = self._starting
        return Identity(
            found["Account"],
            found["Arn"],
            # STS API reference: keys of sessions begin so.
            temporary=starting.keys.access_key.startswith("ASIA"),
            mfa_serial=starting.mfa_serial,
            region=starting.region,
        )

    def groups(self, user: str) -> frozenset[str]:
        """Return the groups of the IAM user who asks; AwsError where that may not be asked."""
        with self._client("iam", _ABOUT) as iam, aws_errors(_ABOUT, "ListGroupsForUser"):
            pages = iam.get_paginator("list_groups_for_user").paginate(UserName=user)
            return frozenset(group["GroupName"] for page in pages for group in page["Groups"])

    def assume(self, request: SessionRequest, account: str) -> Session:
        """Return a session of the role, which is in the account of this name; AwsError where AWS refuses."""
        sent: dict[str, Any] = {
            "RoleArn": request.role_arn, "RoleSessionName": request.session_name, "DurationSeconds": request.duration,
            "ExternalId": request.external_id, "SourceIdentity": request.source_identity,
            "SerialNumber": request.mfa_serial, "TokenCode": request.mfa_code,
            "Tags": [{"Key": key, "Value": value} for key, value in request.tags.items()],
        }  # fmt: skip
        with self._client("sts", account) as sts, aws_errors(account, "AssumeRole"):
            answer = sts.assume_role(**{name: value for name, value in sent.items() if value})
        found = answer["Credentials"]
        keys = (found["AccessKeyId"], found["SecretAccessKey"], found["SessionToken"])
        # They go to shells and files: what AWS never gives does not get there.
        if not all(map(_SECRET.fullmatch, keys)):
            raise AwsError(account, "AssumeRole", "BadAnswer", "the answer holds no credentials as AWS gives them",
                           hint="check AWS_ENDPOINT_URL, if it is set")  # fmt: skip
        expires = found["Expiration"].astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
        return Session(*keys, expires, answer["AssumedRoleUser"]["Arn"])

    @contextmanager
    def _client(self, service: str, about: str) -> Iterator[Any]:
        with closing(self._clients.make(service, about, self._partition, self._starting.keys)) as client:
            yield client


def has_profile(name: str) -> bool:
    """Return whether the AWS configuration files have a profile; AwsError where they cannot be read."""
    with aws_errors(_ABOUT, "profile"):
        return name in light_session().available_profiles


def _start(profile: str | None) -> _Starting:
    with aws_errors(_ABOUT, "credentials"), endpoint_errors(_ABOUT):
        try:
            session = light_session(profile)
            found = session.get_credentials()
            if found is None:
                where = f"the profile {profile} holds no credentials" if profile else "no credentials were found"
                raise AwsError(_ABOUT, "credentials", "NoCredentials", where, hint=_NO_KEYS)
            frozen = found.get_frozen_credentials()
            scoped = session.get_scoped_config()
        except RuntimeError as error:  # botocore's word for credentials that renew themselves, and have expired.
            raise AwsError(_ABOUT, "credentials", "Expired", str(error), hint=_NO_KEYS) from error
    region = "" if {"AWS_REGION", "AWS_DEFAULT_REGION"} & os.environ.keys() else str(scoped.get("region", ""))
    if region and _REGION.fullmatch(region) is None:
        raise AwsError(_ABOUT, "profile", "InvalidRegion", f"{region} is no region",
                       hint="mend region in the AWS configuration file")  # fmt: skip
    keys = Keys(frozen.access_key or "", frozen.secret_key or "", frozen.token or "")
    return _Starting(keys, str(scoped.get("mfa_serial", "")), region)
