"""The one place where xgrant waits. Tests put another clock here."""

from __future__ import annotations

import time


def monotonic() -> float:
    """Return seconds that only ever grow."""
    return time.monotonic()


def sleep(seconds: float) -> None:
    """Wait so many seconds."""
    time.sleep(seconds)
