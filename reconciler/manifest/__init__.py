"""YAML files to a Manifest: grants, accounts and the stack, or every problem with its place."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import replace
from pathlib import Path

from reconciler.collector import uncollected
from reconciler.errors import ManifestError, Problem
from reconciler.files import read_regular
from reconciler.manifest.accounts import organization_of
from reconciler.manifest.files import manifest_files
from reconciler.manifest.merge import merge, usable_parts
from reconciler.manifest.source import Source, parse_yaml, read_source
from reconciler.model import Manifest, UnreadTagsError
from reconciler.ports import Directory

__all__ = ["load"]


@uncollected()
def load(
    paths: Iterable[str], *, more: Mapping[str, str] | None = None, instead: Mapping[str, str] | None = None,
    directory: Directory | None = None,
) -> Manifest:  # fmt: skip
    """Read files, and directories with all `*.yaml` and `*.yml` below them (see `manifest_files`), as one manifest.

    `more` are texts that count as files too, by what messages call them; `instead` are those that stand in the place of
    files that are read. `directory` is asked for the accounts of the
    organization, if the manifest names one; without it, grants over those accounts are checked as far as that goes, and
    are `unresolved`.

    Raises:
        ManifestError: with every problem of every file.
        AwsError: the organization cannot be asked.

    """
    paths = list(paths)
    problems: list[Problem] = []
    sources: list[tuple[Source, Path]] = []
    for path, root in manifest_files(paths, problems):
        try:
            text = (instead or {}).get(str(path))
            source = read_source(path, str(path)) if text is None else parse_yaml(text, str(path))
        except ManifestError as error:
            problems.extend(error.problems)
            continue
        if isinstance(source.data, dict) and "format_version" in source.data:
            message = "this is a plan file; `xgrant apply` takes it first, named *.json, and other commands take none"
            problems.append(Problem("XG006", message, source.key_place(("format_version",))))
            continue
        sources.append((source, root))
    texts = [(parse_yaml(text, name), _root(name, paths)) for name, text in (more or {}).items()]
    manifest = _merged([*sources, *texts], problems, directory)
    if manifest is None or problems:
        raise ManifestError(tuple(problems))
    return replace(manifest, digest=_digest(sources, more or {}), path=next(iter(paths), ""))


def _root(name: str, paths: Iterable[str]) -> Path:
    """Return the folder that the policy files of a text must lie in: as if it were read as the file of that name."""
    file = Path(name).resolve()
    around = (Path(path) for path in paths if Path(path).is_dir() and file.is_relative_to(Path(path).resolve()))
    return next(around, Path(name).parent)


def _merged(
    sources: list[tuple[Source, Path]], problems: list[Problem], directory: Directory | None
) -> Manifest | None:
    usable, refused = usable_parts(sources)
    wrong: list[Problem] = []
    organization = organization_of(usable, wrong)
    # Where a file cannot be read, or cannot say whom to ask, the answer would be of no use.
    if organization is None or directory is None or problems or wrong:
        return merge(usable, refused, problems)
    try:
        found: list[Problem] = []
        manifest = merge(usable, refused, found, directory.accounts(organization, tags=False))
    except UnreadTagsError:
        found = []
        manifest = merge(usable, refused, found, directory.accounts(organization, tags=True))
    problems += found
    return manifest


def _digest(sources: Iterable[tuple[Source, Path]], texts: Mapping[str, str]) -> str:
    """Return a digest over all files, policy files too: content, and place below what the command line names."""
    contents = {name: text.encode() for name, text in texts.items()}
    for source, root in sources:
        for file in (Path(source.file), *_policy_files(source)):
            contents[Path(os.path.relpath(file, root)).as_posix()] = read_regular(file)
    each = [f"{name}\0{hashlib.sha256(content).hexdigest()}" for name, content in sorted(contents.items())]
    return hashlib.sha256("\n".join(each).encode()).hexdigest()


def _policy_files(source: Source) -> Iterator[Path]:
    for grant in source.data.get("grants", {}).values():
        for policy in (grant.get("policy", {}), *grant.get("inline_policies", {}).values()):
            if "file" in policy:
                yield Path(source.file).parent / policy["file"]
