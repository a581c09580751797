"""A store in S3: entries are swapped by conditional writes, a line of a log is an object of its own.

S3 honours `If-None-Match: *` and `If-Match` on PutObject (S3 User Guide, "How to prevent object overwrites with
conditional writes"): 412 where the condition does not hold, 404 where there is nothing to match, 409 where another
write came between.
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from email.utils import parsedate_to_datetime
from typing import TYPE_CHECKING, Any

from botocore.config import Config
from botocore.exceptions import BotoCoreError, ClientError

from reconciler import __version__
from reconciler.aws.calls import tell
from reconciler.aws.clients import REGIONS, new_session
from reconciler.aws.errors import store_errors
from reconciler.events import Notice
from reconciler.locking.locks import PARALLEL
from reconciler.ports import Entry

if TYPE_CHECKING:
    from types_boto3_s3 import S3Client

# A lease runs out while a call waits, so it does not wait long.
CONFIG = Config(
    retries={"mode": "standard", "total_max_attempts": 3},
    connect_timeout=5,
    read_timeout=10,
    max_pool_connections=PARALLEL,
    user_agent_extra=f"xgrant/{__version__}",
)

_MISSING = ("NoSuchKey", "404")
_NOT_MET = ("PreconditionFailed", "412", "ConditionalRequestConflict", "409", *_MISSING)
_PARALLEL = 8


class S3Store:
    """A `Store` below `s3://bucket/prefix`, with the credentials that xgrant was started with.

    botocore renews them where that is possible, for as long as the client lives.
    """

    def __init__(self, url: str, notify: Callable[[Notice], None] = lambda _: None) -> None:
        self.place = url.rstrip("/")
        self._bucket, _, self._prefix = self.place.removeprefix("s3://").partition("/")
        with store_errors(self.place, "client"):
            # Without a region boto3 asks for one that S3 redirects from to the bucket's own.
            self._client: S3Client = new_session().client("s3", config=CONFIG)
        tell(self._client, self.place, notify)
        self._numbers: dict[str, int] = {}
        self._mutex = threading.Lock()

    def read(self, key: str) -> Entry | None:
        """Return the entry as it is now; its age is between two times of S3's."""
        with store_errors(self.place, "GetObject"):
            try:
                found = self._client.get_object(Bucket=self._bucket, Key=self._name(key))
                content = found["Body"].read()
            except ClientError as error:
                if error.response["Error"].get("Code") in _MISSING:
                    return None
                raise
        asked = parsedate_to_datetime(found["ResponseMetadata"]["HTTPHeaders"]["date"])
        return Entry(content, found["ETag"], (asked - found["LastModified"]).total_seconds())

    def create(self, key: str, content: bytes) -> str | None:
        """Write a new entry, if there is none."""
        return self._put(key, content, IfNoneMatch="*")

    def replace(self, key: str, content: bytes, etag: str) -> str | None:
        """Write an entry in the place of this very one."""
        return self._put(key, content, IfMatch=etag)

    def keys(self, prefix: str) -> tuple[str, ...]:
        """Return the keys of the entries below a prefix."""
        return tuple(sorted(self._listed(prefix, "Contents", "Key")))

    def append(self, log: str, line: bytes) -> None:
        """Add a line to a log, as an object with the next number."""
        with self._mutex:
            while True:
                self._numbers[log] = number = self._numbers.get(log, 0) + 1
                if self.create(f"{log}/{number:06d}.jsonl", line + b"\n") is not None:
                    return

    def lines(self, log: str, *, ends: bool = False) -> tuple[bytes, ...]:
        """Return the lines of a log, or its first and last."""
        keys = self.keys(f"{log}/")
        if ends and len(keys) > 1:
            keys = (keys[0], keys[-1])
        with ThreadPoolExecutor(_PARALLEL, "history") as pool:
            entries = list(pool.map(self.read, keys))
        return tuple(entry.content.rstrip(b"\n") for entry in entries if entry is not None)

    def logs(self, prefix: str) -> tuple[str, ...]:
        """Return the logs directly below a prefix."""
        return tuple(sorted(name.rstrip("/") for name in self._listed(prefix, "CommonPrefixes", "Prefix", "/")))

    def _put(self, key: str, content: bytes, **condition: Any) -> str | None:
        with store_errors(self.place, "PutObject"):
            try:
                return self._client.put_object(
                    Bucket=self._bucket, Key=self._name(key), Body=content, ContentType="application/json", **condition
                )["ETag"]
            except ClientError as error:
                if error.response["Error"].get("Code") not in _NOT_MET:
                    raise
        # It may be our own write, whose answer got lost, that stands in the way of its repetition.
        found = self.read(key)
        return found.etag if found is not None and found.content == content else None

    def _listed(self, prefix: str, part: str, name: str, delimiter: str = "") -> list[str]:
        with store_errors(self.place, "ListObjectsV2"):
            pages: Any = self._client.get_paginator("list_objects_v2").paginate(
                Bucket=self._bucket, Prefix=self._name(prefix), Delimiter=delimiter
            )
            found = [item[name] for page in pages for item in page.get(part, ())]
        start = len(self._prefix) + 1 if self._prefix else 0
        return [key[start:] for key in found]

    def _name(self, key: str) -> str:
        return f"{self._prefix}/{key}" if self._prefix else key


def starting_identity(partition: str, notify: Callable[[Notice], None]) -> str:
    """Return the ARN of the credentials that xgrant was started with; empty where they cannot be asked.

    It takes no permission (STS API reference, GetCallerIdentity). There may be no such credentials: accounts may be
    reached by profiles.
    """
    quick = CONFIG.merge(Config(retries={"mode": "standard", "total_max_attempts": 1}))
    try:
        sts = new_session().client("sts", region_name=REGIONS[partition], config=quick)
        tell(sts, "the starting credentials", notify)
        arn: str = sts.get_caller_identity()["Arn"]
    except (BotoCoreError, ClientError):
        return ""
    return arn
