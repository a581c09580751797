"""Threads for reading: whoever interrupts does not wait for them."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager


@contextmanager
def threads(number: int, name: str) -> Iterator[ThreadPoolExecutor]:
    """Yield a pool whose threads are waited for at the end of the block, unless it is left by an exception."""
    pool = ThreadPoolExecutor(number, name)
    try:
        yield pool
    except BaseException:
        pool.shutdown(wait=False, cancel_futures=True)
        raise
    pool.shutdown()
