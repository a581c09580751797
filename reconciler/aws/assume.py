"""Assumes the role of a grant for whoever uses it, with a profile or the caller's own credentials. Keeps nothing."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from datetime import UTC
from typing import Any

from reconciler.aws.calls import Retries
from reconciler.aws.clients import REGIONS, Clients
from reconciler.aws.errors import ENDED, aws_errors
from reconciler.aws.starting import ABOUT, FORGET, AskCode, start
from reconciler.errors import AwsError
from reconciler.events import Notice
from reconciler.model import Identity, Session, SessionRequest

_SECRET = re.compile(r"[!-~]+")
# IAM quotas, "IAM name requirements": a path may have all of ASCII that is printed, names of roles and users have less.
_CALLER = re.compile(r"arn:[a-z-]+:(?:iam|sts)::([0-9]{12}):[!-~]+")


class Caller:
    """Whoever asks: with a profile, or with the caller's own credentials, as AWS's tools find them."""

    def __init__(
        self, profile: str | None, partition: str | None, notify: Callable[[Notice], None], ask_code: AskCode
    ) -> None:
        """Find the credentials; without a partition it is that of the profile's region.

        Raises:
            AwsError: there are none, the configuration is of no use, or there is no region and no partition.
            UsageError: the profile assumes a role with MFA, and `ask_code` could not ask for the code.

        """
        self._starting = start(profile, ask_code)
        self._partition = partition or self._starting.partition
        if self._partition not in REGIONS:
            raise AwsError(ABOUT, "profile", "NoPartition", "the manifests have accounts of several partitions",
                           hint="set region in the profile that has your credentials")  # fmt: skip
        self._clients = Clients(Retries(notify), profile)

    def region(self) -> str:
        """Return the region of the profile; empty where it has none of this partition."""
        return self._starting.region if self._starting.partition == self._partition else ""

    def identity(self) -> Identity:
        """Return who it is; AwsError where AWS does not know the credentials, or what answers is not AWS."""
        starting = self._starting
        try:
            with self._client("sts", ABOUT) as sts, aws_errors(ABOUT, "GetCallerIdentity"):
                found = sts.get_caller_identity()
        except AwsError as error:
            if error.code not in ENDED or not starting.from_variables:
                raise
            raise AwsError(error.account, error.operation, error.code, error.message, request_id=error.request_id,
                           hint=FORGET) from error  # fmt: skip
        with _whole(ABOUT, "GetCallerIdentity"):
            account, arn = found["Account"], found["Arn"]
        # It is told in lines of its own, and what is to be done in others: none of it may begin a line.
        if (named := _CALLER.fullmatch(arn)) is None or named.group(1) != account:
            raise _bad_answer(ABOUT, "GetCallerIdentity")
        return Identity(
            account,
            arn,
            # STS API reference: keys of sessions begin so.
            temporary=starting.keys.access_key.startswith("ASIA"),
            mfa_serial=starting.mfa_serial,
            from_variables=starting.from_variables,
            credential_source=starting.credential_source,
            settings=starting.settings,
            variables=starting.variables,
        )

    def groups(self, user: str) -> frozenset[str]:
        """Return the groups of the IAM user who asks; AwsError where that may not be asked."""
        with self._client("iam", ABOUT) as iam, aws_errors(ABOUT, "ListGroupsForUser"):
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
        with _whole(account, "AssumeRole"):
            found, arn = answer["Credentials"], answer["AssumedRoleUser"]["Arn"]
            keys = (found["AccessKeyId"], found["SecretAccessKey"], found["SessionToken"])
            expires = found["Expiration"].astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
        # They go to shells and files: what AWS never gives does not get there.
        if not all(map(_SECRET.fullmatch, keys)) or not _CALLER.fullmatch(arn):
            raise _bad_answer(account, "AssumeRole")
        return Session(*keys, expires, arn)

    @contextmanager
    def _client(self, service: str, about: str) -> Iterator[Any]:
        with closing(self._clients.make(service, about, self._partition, self._starting.keys)) as client:
            yield client


@contextmanager
def _whole(account: str, operation: str) -> Iterator[None]:
    """Turn the KeyError of an answer that lacks something into an AwsError."""
    try:
        yield
    except KeyError as error:
        raise _bad_answer(account, operation) from error


def _bad_answer(account: str, operation: str) -> AwsError:
    return AwsError(account, operation, "BadAnswer", "the answer holds no credentials as AWS gives them",
                    hint="check AWS_ENDPOINT_URL, if it is set, and endpoint_url of the profile")  # fmt: skip
