"""When a request is made, as the sandbox judges it. Tests put another clock here."""

from __future__ import annotations

import time


def now() -> float:
    """Return the seconds since 1970."""
    return time.time()
