"""Files that are read whole: only regular ones, so that a pipe or a device makes nobody wait."""

from __future__ import annotations

import os
import stat
from pathlib import Path

# To open a pipe waits for its other end, unless it is opened so. Windows has no such pipes, and texts to switch off.
_AT_ONCE: int = getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_BINARY", 0)


class NotRegularError(OSError):
    """What the name leads to is a pipe, a device, a socket or a directory."""

    def __init__(self, path: str) -> None:
        super().__init__(None, "it is no regular file", path)


def read_regular(path: str | Path, most: int = -1) -> bytes:
    """Return the content of a file, its first `most` bytes if that is not negative.

    Raises:
        NotRegularError: it is no regular file; nothing was read of it.
        OSError, ValueError: it cannot be read, or the name cannot be one.

    """
    descriptor = os.open(path, os.O_RDONLY | _AT_ONCE)
    if not stat.S_ISREG(os.fstat(descriptor).st_mode):
        os.close(descriptor)
        raise NotRegularError(str(path))
    with open(descriptor, "rb") as file:  # noqa: PTH123 - a descriptor has no path
        return file.read(most)
