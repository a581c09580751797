"""From an audit to a patch of the manifests without what nobody uses. Nothing is applied."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from reconciler.audit import Removal, Unjudged
from reconciler.errors import ManifestError
from reconciler.files import read_regular
from reconciler.manifest.difference import diff
from reconciler.manifest.patch import top_of
from reconciler.manifest.removal import Names, NotPatchedError, without
from reconciler.model import Manifest


@dataclass(frozen=True, slots=True)
class Patch:
    """A patch for git, by the folder below which its files have their names; empty where nothing can go.

    `removals` are those that are in it; `left` are those that cannot be cut out, with why.
    """

    text: str
    folder: str
    removals: tuple[Removal, ...]
    left: tuple[Unjudged, ...]


def unused_patch(manifest: Manifest, removals: Sequence[Removal]) -> Patch:
    """Return the patch that takes these out of the manifest files.

    Raises:
        OSError: a file cannot be read any more.

    """
    files = {grant.name: grant.place.file for grant in manifest.grants}
    by_file: dict[str, list[Removal]] = {}
    for removal in removals:
        by_file.setdefault(files[removal.grant], []).append(removal)
    folder = _folder(sorted(by_file))
    texts: list[str] = []
    done: list[Removal] = []
    left: list[Unjudged] = []
    for file, each in sorted(by_file.items()):
        before = read_regular(file).decode("utf-8")
        after, refused = _without(before, each, is_json=Path(file).suffix.lower() == ".json")
        texts.append(diff(Path(os.path.relpath(os.path.realpath(file), folder)).as_posix(), before, after))
        done += [removal for removal in each if removal.grant not in refused]
        left += [Unjudged(name, "", f"nobody uses it, but {file} {why}") for name, why in refused.items()]
    return Patch("".join(texts), folder, tuple(done), tuple(left))


def _without(text: str, removals: Sequence[Removal], *, is_json: bool) -> tuple[str, Mapping[str, str]]:
    """Return the text without all that can go, and by grant why it cannot: one that cannot go must not keep others."""
    wanted: dict[str, Names] = {removal.grant: removal.principals for removal in removals}
    try:
        return without(text, wanted, is_json=is_json), {}
    except NotPatchedError:
        pass  # One of them is it; which one is found by trying each.
    refused: dict[str, str] = {}
    for name, principals in wanted.items():
        try:
            without(text, {name: principals}, is_json=is_json)
        except NotPatchedError as error:
            refused[name] = f"cannot be patched: {error}"
    good = {name: principals for name, principals in wanted.items() if name not in refused}
    try:
        return without(text, good, is_json=is_json), refused
    except (NotPatchedError, ManifestError) as error:
        return text, dict.fromkeys(wanted, f"cannot be patched: {error}")


def _folder(files: Sequence[str]) -> str:
    """Return the top of the repository that has all files; else the folder that has all of them below it."""
    if not files:
        return ""
    folders = [os.path.dirname(os.path.realpath(file)) for file in files]  # noqa: PTH120 - a link is resolved
    common = Path(os.path.commonpath(folders))
    return str(top_of(common) or common)
