"""Connects to an account when it is first used, checks that it is that account, and renews its credentials."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager
from typing import TYPE_CHECKING, Any, TypeVar

from reconciler.aws.calls import Retries
from reconciler.aws.clients import Clients
from reconciler.aws.credentials import Credentials
from reconciler.aws.errors import aws_errors, ended_early
from reconciler.aws.keys import Keys, Place
from reconciler.errors import AwsError, SeveralAccountsError, XgrantError
from reconciler.events import Notice
from reconciler.model import Access, Account

if TYPE_CHECKING:
    from types_boto3_iam import IAMClient

T = TypeVar("T")

PARALLEL_ACCOUNTS = 8


class Connections:
    """The accounts of a run, each reached when it is first used, as its `access` says. Safe for threads."""

    def __init__(self, stack: str, notify: Callable[[Notice], None] = lambda _: None) -> None:
        self.notify = notify
        """Is told of every call and of what is read, in whatever thread it happens."""
        self.retries = Retries(notify)
        self._clients = Clients(self.retries)
        self._credentials = Credentials(stack, self._clients, self.retries)
        self._lock = threading.Lock()
        # Not by the name alone: two manifests may call different accounts by it, or reach one in different ways.
        self._places: dict[tuple[str, str, str, Access], Place] = {}

    def client(self, account: Account) -> AbstractContextManager[IAMClient]:
        """Return what yields an IAM client of the account; use it for minutes at most, and ask again.

        Raises:
            AwsError: on entering, if the account cannot be reached, or the credentials are of another one. That is
                found out once: from then on it is said again without asking AWS.

        """
        return self._client("iam", account)

    def once_more(self, account: Account, work: Callable[[Any], T], service: str = "iam", region: str = "") -> T:
        """Return what work does with a client; it is done once more where the session of a role has ended early.

        The client is one for IAM, unless another service is named; in the region of IAM, unless one is named.

        Raises:
            AwsError: as `client`, and that of `work`.

        """
        try:
            with self._client(service, account, region) as client:
                return work(client)
        except AwsError as error:
            if account.access.role is None or ended_early(error, account.access.role) is None:
                raise
        with self._client(service, account, region) as client:
            return work(client)

    def cloudtrail(self, account: Account, region: str) -> AbstractContextManager[Any]:
        """Return what yields a client for CloudTrail in a region; as `client`."""
        return self._client("cloudtrail", account, region)

    def identity(self, account: Account) -> str:
        """Return the ARN of the user or of the role's session with which an account is asked; AwsError as `client`."""
        with self._client("sts", account) as sts, aws_errors(account.name, "GetCallerIdentity"):
            arn: str = sts.get_caller_identity()["Arn"]
            return arn

    def organizations(self, account: Account) -> AbstractContextManager[Any]:
        """Return what yields a client for AWS Organizations; as `client`, but whose it is is not asked."""
        return self._client("organizations", account)

    def analyzer(self, account: Account) -> AbstractContextManager[Any]:
        """Return what yields a client for Access Analyzer; as `client`."""
        return self._client("accessanalyzer", account)

    @contextmanager
    def _client(self, service: str, account: Account, region: str = "") -> Iterator[Any]:
        def fetch(old: Keys | None) -> Keys:
            found = self._credentials.keys(account, old)
            # A role that is assumed is one of the account by its very ARN; of all others AWS has to say it.
            if old is None and service not in ("organizations", "sts") and account.access.role is None:
                self._check(account)
            return found

        key = (account.name, account.id, account.partition, account.access)
        with self._lock:
            place = self._places.setdefault(key, Place())
        keys = place.get(fetch)

        def make() -> Any:
            return self._clients.make(service, account.name, account.partition, keys, region=region)

        name = f"{account.name} {account.partition} {account.id} {service} {region}"
        with self._clients.use(name, keys, make) as client:
            if account.access.role is None:
                yield client
                return
            self.retries.memory.note_assumed(account.name)
            try:
                yield client
            except AwsError as error:
                if (ended := ended_early(error, f"the role {account.access.role}")) is None:
                    raise
                place.end(keys)
                raise ended from error

    def _check(self, account: Account) -> None:
        with self._credentials.sts(account) as sts, aws_errors(account.name, "GetCallerIdentity"):
            identity = sts.get_caller_identity()
        if identity["Account"] != account.id:
            raise AwsError(
                account.name,
                "GetCallerIdentity",
                "WrongAccount",
                f"the manifest says that {account.name} is {account.id}, but its credentials are of "
                f"{identity['Account']} ({identity['Arn']})",
                hint="mend the account's id, or the profile by which it is reached; nothing of it was read or changed",
            )


def gather(results: Iterable[T | XgrantError], ids: Mapping[str, str] | None = None) -> list[T]:
    """Return all results, or raise every error among them, each once; `ids` are those of the accounts by names."""
    found = list(results)
    unique = {str(result): result for result in found if isinstance(result, XgrantError)}
    errors = tuple(unique.values())
    if len(errors) == 1:
        raise errors[0]
    if errors:
        raise SeveralAccountsError(errors, ids)
    return [result for result in found if not isinstance(result, XgrantError)]
