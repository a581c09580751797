"""The one place where xgrant asks what time it is. As a module it is the Clock of `reconciler.ports`."""

from __future__ import annotations

import sys
import time
from datetime import UTC, datetime


def now() -> datetime:
    """Return the time in UTC, to the second."""
    return datetime.now(UTC).replace(microsecond=0)


def instant() -> datetime:
    """Return the time in UTC, to the microsecond."""
    return datetime.now(UTC)


def elapsed() -> float:
    """Return seconds that only grow, the time that this machine sleeps included where the system counts it."""
    if sys.platform == "linux":
        return time.clock_gettime(time.CLOCK_BOOTTIME)
    elif sys.platform == "darwin":  # noqa: RET505 - so mypy sees that it is one of them
        return time.clock_gettime(time.CLOCK_MONOTONIC)  # Unlike time.monotonic() there.
    else:
        return time.monotonic()


def sleep(seconds: float, /) -> None:
    """Wait."""
    time.sleep(seconds)
