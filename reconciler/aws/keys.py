"""Access keys, and until when they are good."""

from __future__ import annotations

import math
from dataclasses import dataclass, field

from reconciler import clock

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
