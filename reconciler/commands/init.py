"""`xgrant init`: makes a new repository of manifests, or adds what one lacks. Never over a file that is there."""

from __future__ import annotations

import argparse
import re
from pathlib import Path

from reconciler.commands.output import say, warn, write_new
from reconciler.errors import UsageError, XgrantError
from reconciler.manifest.files import SUFFIXES
from reconciler.render.escape import escape
from reconciler.starter import OWNERS, REQUIREMENTS, files, lacking

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
    if arguments.ci is not None:
        _check_top(top, arguments.ci)
    wanted = files(arguments.ci, stack=arguments.stack, owners=arguments.owner)
    # All is looked at before anything is written, so that no file is there because of another one of these.
    missing = {name: text for name, text in wanted.items() if _is_missing(top, name, text, arguments.ci)}
    for name, text in missing.items():
        _write(top / name, text)
        say(f"wrote {escape(name)}")
    if not missing:
        say("no file is missing")
    warn(_next(arguments.ci), end="")
    return 0


def _check_top(top: Path, host: str) -> None:
    """Check that pipelines would lie where their host looks for them; UsageError if not."""
    here = top.resolve()
    if (here / ".git").exists():
        return
    if above := next((folder for folder in here.parents if (folder / ".git").exists()), None):
        raise UsageError(
            f"--ci: {host} looks for pipelines only at the top of a repository, which is {above}; run `xgrant init "
            f"--ci {host}` there and name the folder of the manifests in what it writes, or leave --ci out here"
        )


def _is_missing(top: Path, name: str, text: str, host: str | None) -> bool:
    """Return whether a file is to be written; say why not, unless it is there just so."""
    standing = _standing(top, name, host)
    if standing is not None:
        path = top / standing
        if not path.is_file() or path.read_bytes() != text.encode():
            _left(standing, lacking(name, text, _text(path)))
        return False
    path = top / name
    # An example beside manifests that are in use would be applied with them, and policies are the team's own.
    if name.startswith(_OWN) and any(found.suffix.lower() in SUFFIXES for found in path.parent.rglob("*")):
        say(f"left out: {escape(name)}, since there are others")
        return False
    return True


def _standing(top: Path, name: str, host: str | None) -> str | None:
    """Return the file that stands in the place of one, which may be another that the host finds before it; or None."""
    same = OWNERS[host] if host is not None and name in OWNERS[host] else (name,)
    return next((one for one in same if (top / one).exists() or (top / one).is_symlink()), None)


def _text(path: Path) -> str:
    return path.read_text(encoding="utf-8", errors="replace") if path.is_file() else ""


def _left(name: str, lines: tuple[str, ...]) -> None:
    """Say that a file is left as it is, and what it lacks, which somebody has to add."""
    say(f"left as it is: {escape(name)}{', which lacks:' if lines else ''}")
    for line in lines:
        say(f"  {escape(line)}")


def _write(path: Path, text: str) -> None:
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        why = error.strerror or error
        raise XgrantError(f"{path.parent} cannot be made: {why}; make room or name another directory") from error
    write_new("init", path, text, mode=0o644)


def _next(host: str | None) -> str:
    steps = [f"say in {REQUIREMENTS[host]} where you have xgrant"] if host is not None else []
    steps += ["state your accounts and grants in manifests/, then run `xgrant validate` and `xgrant plan`"]
    if host is None:
        steps.append("`xgrant init --ci github` (or gitlab) adds pipelines that plan, review and apply")
    else:
        steps.append("make the roles of the pipelines with `xgrant bootstrap`; docs/pipelines.md has the steps")
    return "Next:\n" + "".join(f"  {number}. {step}\n" for number, step in enumerate(steps, start=1))
