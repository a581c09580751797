"""Makes the AWS clients of a run from one boto3 Session, keeps those that are in use, and lets go of the others.

A client costs 0.39 MiB, a Session for each account twenty times that (facts sheet 5.4). Sessions and the making of
clients are not safe for threads, so that is done under a lock; clients themselves are.
"""

from __future__ import annotations

import functools
import os
import threading
from collections import OrderedDict
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from urllib.parse import urlsplit

import boto3
import botocore.loaders
import botocore.session
from botocore.config import Config
from botocore.handlers import json_decode_policies
from botocore.utils import parse_timestamp

from reconciler import __version__
from reconciler.aws.calls import Retries
from reconciler.aws.errors import aws_errors, endpoint_errors
from reconciler.aws.keys import Keys

PARALLEL_CALLS = 32
"""Calls to one account at a time, at most; more would open connections and throw them away (facts sheet 5.3)."""

IDLE_CLIENTS = 64
"""Clients that nobody uses and that are kept all the same, at most: an apply comes back to them step by step."""

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


_LEAST = {"cloudtrail": {"LookupEvents": 0.55}}
"""Seconds between two calls of an operation: LookupEvents an account may call twice a second in each region (8.2).

A little more than the half: what is sent evenly does not come in so.
"""


@dataclass(slots=True, eq=False)
class _Kept:
    """A client with the keys that it signs with, and how many use it at this moment."""

    client: Any
    keys: Keys
    users: int = 0


class Clients:
    """The clients of a run, by name. Safe for threads."""

    def __init__(self, retries: Retries, profile: str | None = None) -> None:
        """Begin with none; they are made as the profile says it, or as AWS's tools find it."""
        self._retries = retries
        self._profile = profile
        # Reentrant: a client is made while the ones that are kept are looked at.
        self._lock = threading.RLock()
        self._session: boto3.Session | None = None
        self._kept: OrderedDict[str, _Kept] = OrderedDict()

    @contextmanager
    def use(self, name: str, keys: Keys, make: Callable[[], Any]) -> Iterator[Any]:
        """Yield the client of a name with these keys; it is made if there is none, and not closed while in use."""
        with self._lock:
            kept = self._kept.get(name)
            if kept is None or kept.keys != keys:
                kept = self._put(name, _Kept(make(), keys))
            self._kept.move_to_end(name)
            kept.users += 1
        try:
            yield kept.client
        finally:
            for client in self._let_go(name, kept):
                client.close()

    def make(
        self, service: str, account: str, partition: str, keys: Keys, *, caller: str = "", region: str = ""
    ) -> Any:
        """Return a new client, whose calls are about an account, by its name; of a `caller` see `Retries.watch`.

        Without a region it is where the service is in a partition, or answers with certainty.

        Raises:
            AwsError: the environment or the configuration of AWS is of no use.

        """
        region = region or REGIONS[partition]
        if service == "organizations":
            region = _ORGANIZATIONS.get(partition, region)
        with self._lock, aws_errors(account, "client"), endpoint_errors(account):
            if self._session is None:
                self._session = new_session(self._profile)
            client: Any = self._session.client(
                service,  # type: ignore[call-overload]
                region_name=region,
                config=CONFIG,
                **keys.parameters(),
            )
            # botocore would look at the port only when it is to connect.
            _ = urlsplit(client.meta.endpoint_url).port
        # botocore would keep only the last of a key that stands twice in a policy document, and say nothing.
        client.meta.events.unregister("after-call.iam", json_decode_policies)
        self._retries.watch(client, account, caller, _LEAST.get(service, {}))
        return client

    def _put(self, name: str, kept: _Kept) -> _Kept:
        old = self._kept.pop(name, None)
        self._kept[name] = kept
        if old is not None and not old.users:
            old.client.close()
        return kept

    def _let_go(self, name: str, kept: _Kept) -> list[Any]:
        """Return the clients that are to be closed now that one has a user less."""
        with self._lock:
            kept.users -= 1
            if kept.users:
                return []
            if self._kept.get(name) is not kept:
                return [kept.client]  # Another one, with newer keys, has its name.
            self._kept.move_to_end(name)
            idle = [other for other, found in self._kept.items() if not found.users]
            return [self._kept.pop(other).client for other in idle[: max(0, len(idle) - IDLE_CLIENTS)]]


def new_session(profile: str | None = None) -> boto3.Session:
    """Return a new Session, with the credentials of this moment, that reads the models of services only once."""
    return boto3.Session(botocore_session=light_session(profile))


def light_session(profile: str | None = None) -> botocore.session.Session:
    """Return a new session of botocore, which shares what it reads of services with all others."""
    session = botocore.session.Session(profile=profile)
    session.register_component("data_loader", _loader())
    session.get_component("response_parser_factory").set_parser_defaults(timestamp_parser=_time)
    return session


def _time(text: Any) -> datetime:
    """Return the time that AWS has written: its usual form is read in a hundredth of the time that botocore takes."""
    if isinstance(text, str):
        with suppress(ValueError):
            found = datetime.fromisoformat(text)
            if found.tzinfo is not None:
                return found
    return parse_timestamp(text)


@functools.cache
def _loader() -> Any:
    # That of a session would be looked for in its profile, which AWS_PROFILE may name wrongly where --as names another.
    return botocore.loaders.create_loader(os.environ.get("AWS_DATA_PATH"))
