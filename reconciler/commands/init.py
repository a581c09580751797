"""`xgrant init`: makes a new repository of manifests, or adds what one lacks. Never over a file that is there."""

from __future__ import annotations

import argparse
import re
from pathlib import Path

from reconciler.commands.output import say, warn, write_new
from reconciler.errors import UsageError, XgrantError
from reconciler.manifest.files import SUFFIXES
from reconciler.render.escape import escape
from reconciler.starter import files

_OWNER = re.compile(r"@[A-Za-z0-9][\w.-]*(/[\w.-]+)*|[\w.+-]+@[\w-]+(\.[\w-]+)+")
_OWN = ("manifests/", "policies/")
_STACK = re.compile(r"[a-z0-9-]{1,32}")


def run(arguments: argparse.Namespace) -> int:
    """Write the files that are missing, and say what to do next; UsageError for a name that cannot be."""
    if not _STACK.fullmatch(arguments.stack):
        raise UsageError(f"--stack: a stack is a-z, 0-9 and -, at most 32; this is {arguments.stack!r}")
    if arguments.owner and arguments.ci is None:
        raise UsageError("--owner: say where the pipelines run, by --ci github or --ci gitlab")
    for owner in arguments.owner:
        if not _OWNER.fullmatch(owner):
            raise UsageError(f"--owner: a code owner is @NAME, @ORGANIZATION/TEAM or an address; this is {owner!r}")
    top = Path(arguments.directory)
    wanted = files(arguments.ci, stack=arguments.stack, owners=arguments.owner)
    # All is looked at before anything is written, so that no file is there because of another one of these.
    missing = {name: text for name, text in wanted.items() if _is_missing(top, name, text)}
    for name, text in missing.items():
        _write(top / name, text)
        say(f"wrote {escape(name)}")
    if not missing:
        say("nothing is missing")
    warn(_next(arguments.ci), end="")
    return 0


def _is_missing(top: Path, name: str, text: str) -> bool:
    """Return whether a file is to be written; say why not, unless it is there just so."""
    path = top / name
    if path.exists() or path.is_symlink():
        if not path.is_file() or path.read_bytes() != text.encode():
            say(f"left as it is: {escape(name)}")
        return False
    # An example beside manifests that are in use would be applied with them, and policies are the team's own.
    if name.startswith(_OWN) and any(found.suffix.lower() in SUFFIXES for found in path.parent.rglob("*")):
        say(f"left out: {escape(name)}, since there are others")
        return False
    return True


def _write(path: Path, text: str) -> None:
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        why = error.strerror or error
        raise XgrantError(f"{path.parent} cannot be made: {why}; make room or name another directory") from error
    write_new("init", path, text, mode=0o644)


def _next(host: str | None) -> str:
    steps = ["state your accounts and grants in manifests/, then run `xgrant validate` and `xgrant plan`"]
    if host is None:
        steps.append("`xgrant init --ci github` (or gitlab) adds pipelines that plan, review and apply")
    else:
        steps.append("make the roles of the pipelines with `xgrant bootstrap`; docs/pipelines.md has the steps")
    return "Next:\n" + "".join(f"  {number}. {step}\n" for number, step in enumerate(steps, start=1))
