"""Which files make a manifest. What cannot be read or followed is a problem: left out, its grants would be deleted."""

from __future__ import annotations

import errno
import os
import stat
from collections.abc import Iterable, Iterator
from pathlib import Path

from reconciler.errors import Place, Problem
from reconciler.files import NotRegularError, read_regular

SUFFIXES = (".yaml", ".yml")
"""How the files of a directory end that are manifests, in whatever case."""

_ALLOW = "let yourself read it, or move it out of here"


def manifest_files(paths: Iterable[str], problems: list[Problem]) -> list[tuple[Path, Path]]:
    """Return each file once, with the folder that its policy files must lie in; append what is wrong to `problems`.

    Of a directory: all files below it that end in one of `SUFFIXES`, without hidden names. A link to a file is
    followed. A link to a directory is not, since it may lead outside, or in circles; it is a problem.
    """
    found: dict[Path, tuple[Path, Path]] = {}
    for given in paths:
        # An empty one would be the current directory, and comes of a variable that is not set.
        path = Path(given or "''")
        try:
            # Not Path.is_dir, which takes some of what cannot be read for what is not there.
            mode = path.stat().st_mode
        except (FileNotFoundError, NotADirectoryError):
            what = "a link that leads nowhere" if path.is_symlink() else "no such file or directory"
            problems.append(_problem(path, f"{what}; name the manifests to read, as PATH or with --manifest"))
        except (OSError, ValueError) as error:
            problems.append(_problem(path, unreadable(error)))
        else:
            if not stat.S_ISDIR(mode):
                found.setdefault(path.resolve(), (path, path.parent))
                continue
            before = len(problems)
            inside = sorted(_below(path, problems))
            if not inside and len(problems) == before:
                problems.append(_problem(path, "the directory holds no *.yaml or *.yml; name another"))
            for file in inside:
                found.setdefault(file.resolve(), (file, path))
    return list(found.values())


def unreadable(error: OSError | ValueError, way_out: str = "let yourself read it, or name another") -> str:
    """Say why a file cannot be read, and what to do."""
    if isinstance(error, NotRegularError):
        return f"{error.strerror}; name one that is"
    return f"this cannot be read: {(error.strerror if isinstance(error, OSError) else None) or error}; {way_out}"


def read_text(path: Path) -> str:
    """Return the text of a file; raises as `read_regular`, and UnicodeDecodeError."""
    return read_regular(path).decode("utf-8-sig").replace("\r\n", "\n").replace("\r", "\n")


def _below(top: Path, problems: list[Problem]) -> Iterator[Path]:
    def refuse(error: OSError) -> None:
        problems.append(_problem(Path(error.filename or top), unreadable(error, _ALLOW)))

    for folder, folders, names in os.walk(top, onerror=refuse, followlinks=False):
        # Hidden names are those of editors and of git; in place, so that the walk leaves them out.
        folders[:] = sorted(name for name in folders if not name.startswith("."))
        for name in folders:
            if (link := Path(folder, name)).is_symlink():
                message = "a link to a directory is not followed; name that directory on the command line, and move"
                problems.append(_problem(link, f"{message} the link out of here"))
        for name in sorted(names):
            if not name.startswith(".") and _is_manifest(file := Path(folder, name), problems):
                yield file


def _is_manifest(file: Path, problems: list[Problem]) -> bool:
    try:
        mode = file.stat().st_mode
    except OSError as error:
        # What a link led to may have been a directory of manifests, whatever its name is.
        nowhere = error.errno in (errno.ENOENT, errno.ELOOP)
        message = "a link that leads nowhere; mend the link, or remove it" if nowhere else unreadable(error, _ALLOW)
        problems.append(_problem(file, message))
        return False
    if file.suffix.lower() not in SUFFIXES:
        return False
    if not stat.S_ISREG(mode):
        problems.append(_problem(file, "it is no regular file, as a manifest is; move it out of here"))
        return False
    return True


def _problem(path: Path, message: str) -> Problem:
    return Problem("XG001", message, Place(str(path)))
