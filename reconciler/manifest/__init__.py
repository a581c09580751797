"""YAML files to a Manifest: grants, accounts and the stack, or every problem with its place."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from dataclasses import replace
from pathlib import Path

from reconciler.errors import ManifestError, Place, Problem
from reconciler.manifest.merge import merge
from reconciler.manifest.source import Source, read_source
from reconciler.model import Manifest

__all__ = ["load"]


def load(paths: Iterable[str]) -> Manifest:
    """Read files, and directories with all `*.yaml` and `*.yml` below them, as one manifest.

    Raises:
        ManifestError: with every problem of every file.

    """
    problems: list[Problem] = []
    sources: list[tuple[Source, Path]] = []
    for path, root in _files(paths, problems):
        try:
            sources.append((read_source(path, str(path)), root))
        except ManifestError as error:
            problems.extend(error.problems)
    manifest = merge(sources, problems)
    if manifest is None or problems:
        raise ManifestError(tuple(problems))
    return replace(manifest, digest=_digest(sources))


def _digest(sources: list[tuple[Source, Path]]) -> str:
    """Return a digest over the content of all files, which does not depend on where they lie."""
    files = {Path(source.file) for source, _ in sources}
    for source, _ in sources:
        for grant in source.data.get("grants", {}).values():
            policy = grant.get("policy", {})
            if "file" in policy:
                files.add(Path(source.file).parent / policy["file"])
    contents = sorted(hashlib.sha256(file.read_bytes()).hexdigest() for file in {file.resolve() for file in files})
    return hashlib.sha256("\n".join(contents).encode()).hexdigest()


def _files(paths: Iterable[str], problems: list[Problem]) -> list[tuple[Path, Path]]:
    """Return each file once, with the folder that its policy files must lie in."""
    found: dict[Path, tuple[Path, Path]] = {}
    for given in paths:
        path = Path(given)
        if path.is_dir():
            inside = sorted(
                file
                for file in path.rglob("*")
                if file.suffix in (".yaml", ".yml")
                and file.is_file()
                and not any(part.startswith(".") for part in file.relative_to(path).parts)
            )
            if not inside:
                problems.append(Problem("XG001", "the directory holds no *.yaml or *.yml; name another", Place(given)))
            for file in inside:
                found.setdefault(file.resolve(), (file, path))
        elif path.exists():
            found.setdefault(path.resolve(), (path, path.parent))
        else:
            problems.append(Problem("XG001", "no such file or directory; name the manifests to read", Place(given)))
    return list(found.values())
