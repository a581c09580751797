"""Which folders `policies` count for manifests. None vanishes in silence: what looks like one and is none is told."""

from __future__ import annotations

import json
import os
from collections.abc import Iterable, Iterator
from pathlib import Path

from reconciler.errors import ManifestError, Place, Problem
from reconciler.manifest.files import SUFFIXES, read_text, unreadable

FOLDER = "policies"
"""What the folder is called."""


def policy_folders(paths: Iterable[str], problems: list[Problem]) -> list[Path]:
    """Return the folders `policies` for manifests at these paths, the nearest first; append what is wrong.

    They are all that have a file *.yaml: for a manifest file in its folder, else beside the directory, and from there
    on upwards to the top of the git repository. Outside of a repository nothing above is looked at: in a directory
    that everybody may write, like /tmp, anybody could add a check, which is a program. Paths are taken as they are
    stated, whatever links lead to.

    Raises:
        ManifestError: manifests at two paths are held to different folders.

    """
    found = {path: _of(path, problems) for path in paths}
    first = next(iter(found), "")
    for path, folders in found.items():
        if folders != found[first]:
            message = (
                f"these manifests are held to {_in_words(folders)}, and {first} to {_in_words(found[first])}; read "
                "them in runs of their own, or name the folder that counts for all: --policies FOLDER"
            )
            raise ManifestError((Problem("XG066", message, Place(path)),))
    return found.get(first, [])


def _in_words(folders: list[Path]) -> str:
    return ", ".join(map(shown, folders)) or "no folder policies"


def shown(folder: Path) -> str:
    """Return a folder as people name it: from where they are, if it is below."""
    here = Path.cwd()
    return str(folder.relative_to(here)) if folder.is_relative_to(here) else str(folder)


def _of(path: str, problems: list[Problem]) -> list[Path]:
    # Not resolved: a link in a pull request would lead away from what reviewers see.
    named = Path(os.path.abspath(path))  # noqa: PTH100 - `..` is of the text, and not of where a link leads
    top = next((above for above in (named, *named.parents) if (above / ".git").exists()), None)
    # A directory of manifests may be called so itself.
    candidates = (folder / FOLDER for folder in _around(named, top))
    return [folder for folder in candidates if folder != named and _counts(folder, problems)]


def _around(named: Path, top: Path | None) -> Iterator[Path]:
    directory = named
    if not named.is_dir():
        directory = named.parent
        yield directory
    if top is None:
        yield directory.parent
        return
    for folder in directory.parents:
        if folder.is_relative_to(top):
            yield folder


def _counts(folder: Path, problems: list[Problem]) -> bool:
    """Return whether a folder has files *.yaml; append a problem where it has others, or cannot be looked into."""
    try:
        if folder.is_symlink() and not folder.exists():
            problems.append(_problem(folder, "a link that leads nowhere; mend the link, or remove it"))
            return False
        if not folder.is_dir():
            return False
        files = [file for file in folder.rglob("*") if not _is_hidden(file.relative_to(folder)) and not file.is_dir()]
    except OSError as error:
        problems.append(_problem(folder, unreadable(error)))
        return False
    if any(file.suffix.lower() in SUFFIXES for file in files):
        return True
    # A folder of policy documents, which grants name, may be called so, too.
    if not all(map(_is_document, files)):
        problems.append(
            _problem(folder, f"guardrails stand in files *.yaml, and there is none; this has {files[0].name}")
        )
    return False


def _is_hidden(file: Path) -> bool:
    return any(part.startswith(".") for part in file.parts)


def _is_document(file: Path) -> bool:
    try:
        found = json.loads(read_text(file))
    except (OSError, ValueError, RecursionError):
        return False
    return isinstance(found, dict) and "Statement" in found


def _problem(folder: Path, message: str) -> Problem:
    return Problem("XG001", message, Place(shown(folder)))
