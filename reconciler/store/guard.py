"""One process at a time: a lock of the operating system on a file, which ends with the process."""

from __future__ import annotations

import os
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from reconciler.errors import StoreError

PATIENCE = 10.0
"""Seconds to wait for the guard; whoever has it swaps one small file."""


@contextmanager
def guarded(path: Path, place: str) -> Iterator[None]:
    """Have the guard inside the block.

    Raises:
        StoreError: there are no such locks on this system, or somebody does not give the guard back.
        OSError: the file cannot be opened.

    """
    try:
        import fcntl
    except ImportError:
        raise StoreError(
            "this system has no fcntl, which locks in files need; say `store: s3://BUCKET/PREFIX` in the manifest"
        ) from None
    descriptor = os.open(path, os.O_RDWR | os.O_CREAT, 0o600)
    try:
        end = time.monotonic() + PATIENCE
        while True:
            try:
                fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
                break
            except BlockingIOError:
                if time.monotonic() > end:
                    raise StoreError(
                        f"{place}: another process has had the guard {path.name} for {PATIENCE:.0f} s; "
                        "see which one, and end it"
                    ) from None
                time.sleep(0.01)
        yield
    finally:
        os.close(descriptor)
