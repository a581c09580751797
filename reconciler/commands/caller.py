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
        user=_user(),
        host=platform.node() or "an unnamed host",
        process=os.getpid(),
        command=shlex.join(arguments.command_line),
        commit=_commit(arguments.paths[-1]),
    )


def _user() -> str:
    try:
        user = getpass.getuser()
    except (KeyError, OSError, ImportError):  # A container may run as a number that has no name.
        user = f"user {os.getuid()}" if hasattr(os, "getuid") else "an unnamed user"
    person = next(filter(None, map(os.environ.get, _PEOPLE)), None)
    return f"{user} ({person})" if person else user


def _commit(path: str) -> str:
    """Return the git commit of the manifests; empty where nobody knows it."""
    for name in _COMMITS:
        if _COMMIT.fullmatch(os.environ.get(name, "")):
            return os.environ[name]
    folder = Path(path) if Path(path).is_dir() else Path(path).parent
    git = shutil.which("git")
    if git is None or not folder.is_dir():
        return ""
    try:
        found = subprocess.run(  # noqa: S603 - no argument is the user's
            [git, "rev-parse", "--verify", "HEAD"],
            cwd=folder,
            capture_output=True,
            text=True,
            timeout=_PATIENCE,
            check=False,
        ).stdout.strip()
    except (OSError, subprocess.TimeoutExpired):
        return ""
    return found if _COMMIT.fullmatch(found) else ""
