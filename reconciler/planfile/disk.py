"""Plan files on disk: written whole or not at all, and readable by nobody else."""

from __future__ import annotations

import os
import re
import stat
import tempfile
from pathlib import Path

from reconciler.errors import PlanFileError, UsageError
from reconciler.files import read_regular

MAX_BYTES = 256 * 1024 * 1024
"""More than the plan of a hundred thousand resources needs."""


_BEGINS = re.compile(rb'\s*\{\s*"format_version"\s*:\s*"')


def is_named_so(path: str) -> bool:
    """Return whether a name is one of plan files: `*.json`, in whatever case."""
    return path.lower().endswith(".json")


def begins_as_one(path: str) -> bool:
    """Return whether a file begins as a plan file does; OSError or ValueError where it cannot be read."""
    return _BEGINS.match(read_regular(path, 1000)) is not None


def check_target(path: str) -> None:
    """Check that a plan file may be written here; UsageError if anything would be lost, or apply would not take it.

    What stands there has to be a plan file, by how it begins: a manifest or a policy file begins otherwise.
    """
    if not is_named_so(path):
        raise UsageError(f"-o: a plan file is named *.json, since apply takes no other; this is {path!r}")
    try:
        mode = Path(path).lstat().st_mode
        ours = stat.S_ISREG(mode) and begins_as_one(path)
    except FileNotFoundError:
        return
    except (OSError, ValueError) as error:
        why = error.strerror if isinstance(error, OSError) else str(error)
        raise UsageError(f"-o: {path}: whether this is a plan file cannot be read: {why}; name another") from None
    if not ours:
        what = "is no plan file" if stat.S_ISREG(mode) else "is a link, a directory or a device"
        raise UsageError(f"-o: {path} exists and {what}, so it is not replaced; name another, or remove it")


def write_private(path: str, text: str) -> None:
    """Write a file with mode 0600 under a temporary name beside it, then rename it; OSError, or as `check_target`."""
    target = Path(path)
    descriptor, name = tempfile.mkstemp(prefix=f".{target.name[:100]}.", dir=target.parent)
    try:
        with os.fdopen(descriptor, "w", encoding="utf-8") as file:
            file.write(text)
            file.flush()
            os.fsync(file.fileno())
        check_target(path)
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
