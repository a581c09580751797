"""Who runs xgrant, where, and on which commit, as far as the machine says without being asked twice."""

from __future__ import annotations

import argparse
import getpass
import os
import platform
import re
import shlex
import shutil
import subprocess
from pathlib import Path

from reconciler.model import Caller

_COMMITS = ("GITHUB_SHA", "CI_COMMIT_SHA")
_PEOPLE = ("GITHUB_ACTOR", "GITLAB_USER_LOGIN")
_COMMIT = re.compile(r"[0-9a-f]{40}|[0-9a-f]{64}")
_PATIENCE = 5


def caller(arguments: argparse.Namespace) -> Caller:
    """Return who runs this command; its command line is not masked yet."""
    return Caller(
        user=user(),
        host=platform.node() or "an unnamed host",
        process=os.getpid(),
        command=shlex.join(arguments.command_line),
        commit=_commit(arguments.paths[-1]),
    )


def user() -> str:
    """Return who runs this process, and for whom where a pipeline says that."""
    try:
        name = getpass.getuser()
    except (KeyError, OSError, ImportError):  # A container may run as a number that has no name.
        name = f"user {os.getuid()}" if hasattr(os, "getuid") else "an unnamed user"
    person = next(filter(None, map(os.environ.get, _PEOPLE)), None)
    return f"{name} ({person})" if person else name


def _commit(path: str) -> str:
    """Return the git commit of the manifests, and whether they are changed since; empty where nobody knows it."""
    folder = Path(path) if Path(path).is_dir() else Path(path).parent
    stated = next(filter(_COMMIT.fullmatch, (os.environ.get(name, "") for name in _COMMITS)), "")
    commit = stated or _git(folder, "rev-parse", "--verify", "HEAD")
    if not _COMMIT.fullmatch(commit):
        return ""
    changed = _git(folder, "status", "--porcelain", "--untracked-files=all", "--", ".")
    return f"{commit} and changes that are not committed" if changed else commit


def _git(folder: Path, *arguments: str) -> str:
    """Return what git says in a folder; nothing where it fails."""
    git = shutil.which("git")
    if git is None or not folder.is_dir():
        return ""
    try:
        return subprocess.run(  # noqa: S603 - no argument is the user's
            [git, *arguments], cwd=folder, capture_output=True, text=True, timeout=_PATIENCE, check=False
        ).stdout.strip()
    except (OSError, subprocess.TimeoutExpired):
        return ""
