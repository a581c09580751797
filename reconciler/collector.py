"""Python's collector of cyclic garbage, where it would cost more than the work."""

from __future__ import annotations

import gc
from collections.abc import Iterator
from contextlib import contextmanager


@contextmanager
def uncollected() -> Iterator[None]:
    """Look for no cyclic garbage inside the block, in whatever thread.

    Where a great many values are made that all stay, the collector walks over all of them again and again, and finds
    nothing: of the time to read ten thousand grants it took half.
    """
    enabled = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if enabled:
            gc.enable()
