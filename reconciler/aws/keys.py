"""Access keys, until when they are good, and where they are kept."""

from __future__ import annotations

import math
import threading
from collections.abc import Callable
from dataclasses import dataclass, field, replace

from reconciler import clock
from reconciler.aws.errors import bare
from reconciler.errors import AwsError

RENEWED_BEFORE = 600.0
"""Seconds before its end from which a session is used no more: whoever uses it is done in half of that (a step has a
ceiling of 300)."""


@dataclass(frozen=True, slots=True)
class Keys:
    """What a client signs with; without an access key the caller's own credentials, which botocore renews itself.

    `renewed` is the time, by `clock.now`, from which others are to be fetched.
    """

    access_key: str = ""
    secret_key: str = field(default="", repr=False)
    token: str = field(default="", repr=False)
    renewed: float = math.inf

    def good(self) -> bool:
        """Return whether they may still be used."""
        return clock.now() < self.renewed

    def parameters(self) -> dict[str, str]:
        """Return what a boto3 client takes them by."""
        if not self.access_key:
            return {}
        named = {"aws_access_key_id": self.access_key, "aws_secret_access_key": self.secret_key}
        return {**named, "aws_session_token": self.token} if self.token else named


@dataclass(slots=True)
class Place:
    """The keys of one account or hub: whoever comes first fetches them, and all others wait for those."""

    _lock: threading.Lock = field(default_factory=threading.Lock)
    _keys: Keys | None = None
    _error: AwsError | None = None

    def get(self, fetch: Callable[[Keys | None], Keys]) -> Keys:
        """Return what `fetch` makes of the keys that are there; it is to return them as long as they are good.

        Raises:
            AwsError: that of `fetch`. Where there never were keys it is final: AWS is not asked again.

        """
        with self._lock:
            if self._error is not None:
                raise bare(self._error)
            try:
                self._keys = fetch(self._keys)
            except AwsError as error:
                if self._keys is None:
                    self._error = bare(error)
                raise
            return self._keys

    def end(self, keys: Keys) -> None:
        """Note that keys are of no use any more, though their time is not over; others are fetched next time."""
        with self._lock:
            if self._keys == keys:
                self._keys = replace(keys, renewed=-math.inf)
