"""Plan files on disk: written whole or not at all, and readable by nobody else."""

from __future__ import annotations

import os
import tempfile
from pathlib import Path

from reconciler.errors import PlanFileError
from reconciler.files import read_regular

MAX_BYTES = 256 * 1024 * 1024
"""More than the plan of a hundred thousand resources needs."""


def write_private(path: str, text: str) -> None:
    """Write a file with mode 0600 under a temporary name beside it, then rename it. Raises OSError."""
    target = Path(path)
    descriptor, name = tempfile.mkstemp(prefix=f".{target.name[:100]}.", dir=target.parent)
    try:
        with os.fdopen(descriptor, "w", encoding="utf-8") as file:
            file.write(text)
            file.flush()
            os.fsync(file.fileno())
        Path(name).replace(target)
    except BaseException:
        Path(name).unlink(missing_ok=True)
        raise


def read_bytes(path: str) -> bytes:
    """Return the content of a plan file; PlanFileError if it cannot be read or is too large to be one."""
    try:
        content = read_regular(path, MAX_BYTES + 1)
    except (OSError, ValueError) as error:
        why = error.strerror if isinstance(error, OSError) else str(error)
        raise PlanFileError(
            f"{path}: the plan file cannot be read: {why}; name one that `xgrant plan -o` wrote"
        ) from None
    if len(content) > MAX_BYTES:
        raise PlanFileError(f"{path}: the file is too large for a plan file; name one that `xgrant plan -o` wrote")
    return content
