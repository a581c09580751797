"""The one place where xgrant waits, and sees what ends meanwhile. Tests put another clock here."""

from __future__ import annotations

import time
from collections.abc import Callable


def monotonic() -> float:
    """Return seconds that only ever grow."""
    return time.monotonic()


def now() -> float:
    """Return the seconds since 1970, which go on while the machine sleeps."""
    return time.time()


def sleep(seconds: float) -> None:
    """Wait so many seconds."""
    time.sleep(seconds)


def wait(seconds: float, stopped: Callable[[], str]) -> None:
    """Wait so many seconds, but not much longer than until `stopped` says why not."""
    until = monotonic() + seconds
    while not stopped() and (left := until - monotonic()) > 0:
        sleep(min(0.5, left))
