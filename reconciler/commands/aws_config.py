"""Changes the AWS configuration file: whole or not at all, and with the mode and the owner that it has."""

from __future__ import annotations

import os
import stat
import tempfile
from collections.abc import Callable
from pathlib import Path

from reconciler.errors import XgrantError
from reconciler.files import read_regular


def rewrite(path: Path, change: Callable[[bytes], bytes]) -> bool:
    """Write what `change` makes of a file's content, if that is another; return whether it is.

    A link stays one: what it leads to is replaced. A new file is readable by its owner only, as AWS's tools make it.

    Raises:
        XgrantError: it cannot be read or written, is not to be written by its mode, has a second name that would go on
            with the old content, or somebody wrote it meanwhile; it is then as it was.

    """
    try:
        target = path.resolve()
        before = _content(target)
        try:
            after = change(before or b"")
        except XgrantError as error:
            raise type(error)(f"{path}: {error}") from error
        if after == (before or b""):
            return False
        _replace(target, before, after)
    except (OSError, RuntimeError, ValueError) as error:  # resolve() raises RuntimeError for links in a circle.
        why = error.strerror if isinstance(error, OSError) else str(error)
        raise XgrantError(
            f"{path}: the AWS configuration file cannot be changed: {why}; nothing was written"
        ) from error
    return True


def config_file() -> Path:
    """Return the AWS configuration file, read from its variable as botocore does; XgrantError where that is no path."""
    path = os.path.expanduser(os.path.expandvars(os.environ.get("AWS_CONFIG_FILE") or "~/.aws/config"))  # noqa: PTH111 - as botocore
    if path.startswith("~"):
        raise XgrantError(f"AWS_CONFIG_FILE: {path}: there is no such user; name the file by its whole path")
    return Path(path)


def _check_replaceable(target: Path) -> None:
    """Raise XgrantError for a file that should not be replaced, though its folder would allow it."""
    found = target.stat()
    if not found.st_mode & (stat.S_IWUSR | stat.S_IWGRP | stat.S_IWOTH):
        raise XgrantError(f"{target}: the file is not to be written, by its mode; chmod u+w it, if you may")
    if found.st_nlink > 1:
        raise XgrantError(
            f"{target}: the file has a second name (a hard link), which would go on with the old content; make that a "
            "symbolic link, or add by hand what `xgrant config` prints"
        )


def _content(target: Path) -> bytes | None:
    try:
        return read_regular(target)
    except FileNotFoundError:
        return None


def _replace(target: Path, before: bytes | None, after: bytes) -> None:
    if before is not None:
        _check_replaceable(target)
    target.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    descriptor, name = tempfile.mkstemp(prefix=f".{target.name[:100]}.", dir=target.parent)
    try:
        with os.fdopen(descriptor, "wb") as file:
            file.write(after)
            if before is not None:
                _as(target, name)
            file.flush()
            os.fsync(file.fileno())
        if _content(target) != before:
            raise XgrantError(f"{target}: somebody else has changed it at this moment; run the same command again")
        Path(name).replace(target)
    except BaseException:
        Path(name).unlink(missing_ok=True)
        raise


def _as(target: Path, name: str) -> None:
    """Give a file the mode and the owner of another."""
    wanted, found = target.stat(), Path(name).stat()
    if hasattr(os, "chown") and (wanted.st_uid, wanted.st_gid) != (found.st_uid, found.st_gid):
        os.chown(name, wanted.st_uid, wanted.st_gid)
    Path(name).chmod(stat.S_IMODE(wanted.st_mode))
