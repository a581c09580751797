"""What a new repository of manifests begins with: the files in the folders beside this one, and the schemas.

`common` is for all, `github` and `gitlab` for those that have their pipelines there. The folders have the files as they
lie in the repository, with `dot-` for the dot that a name begins with.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from pathlib import Path, PurePosixPath

from reconciler.data import data_path

SCHEMAS = ("schemas/manifest.schema.json", "schemas/policies.schema.json")
EXAMPLE = "manifests/shared-bucket.yaml"
STACK = "platform"
"""The stack that the example states."""

OWNERS = {
    "github": (".github/CODEOWNERS", "CODEOWNERS", "docs/CODEOWNERS"),
    "gitlab": ("CODEOWNERS", "docs/CODEOWNERS", ".gitlab/CODEOWNERS"),
}
"""Where a host looks for the file of code owners: the first that is there counts, and no other (GitHub Docs, "About
code owners"; GitLab Docs, "Code Owners")."""

REQUIREMENTS = {"github": ".github/xgrant-requirements.txt", "gitlab": ".gitlab/xgrant-requirements.txt"}
"""What the pipelines install; to be filled in by whoever has the repository."""

_OWNERS = {"github": ".github/CODEOWNERS", "gitlab": ".gitlab/CODEOWNERS"}
_WHY_OWNERS = "# Whoever changes these says who gets what, and what runs with credentials.\n"
_GUARDED = {
    "github": ("/manifests/", "/policies/", "/.github/"),
    "gitlab": ("/manifests/", "/policies/", "/.gitlab-ci.yml", "/.gitlab/"),
}


def files(host: str | None = None, *, stack: str = STACK, owners: Sequence[str] = ()) -> dict[str, str]:
    """Return the texts of the files by their paths in the repository.

    `host` is `github` or `gitlab`. `owners`, such as `@acme/security`, are whose review the host asks for;
    they need a `host`.
    """
    example = data_path(EXAMPLE).read_text(encoding="utf-8")
    found = {
        EXAMPLE: example.replace(f"\nstack: {STACK}\n", f"\nstack: {stack}\n"),
        **{name: data_path(name).read_text(encoding="utf-8") for name in SCHEMAS},
        **dict(_tree("common")),
    }
    if host is not None:
        found.update(_tree(host))
        if owners:
            found[_OWNERS[host]] = _WHY_OWNERS + "".join(f"{path} {' '.join(owners)}\n" for path in _GUARDED[host])
    return dict(sorted(found.items()))


def lacking(name: str, wanted: str, standing: str) -> tuple[str, ...]:
    """Return the lines that a file which was there before lacks of ours, where it has to have them.

    `name` is the path of ours in the repository, `wanted` its text. Of other files nothing is told: they are a team's.
    """
    lines = tuple(line for line in wanted.splitlines() if line and not line.startswith("#"))
    if name.endswith("CODEOWNERS") or name == ".gitignore":
        there = {" ".join(line.split()) for line in standing.splitlines()}
        return tuple(line for line in lines if line not in there)
    if name == ".pre-commit-config.yaml":
        return () if "id: xgrant-validate" in standing else lines[1:]  # It has `repos:` of its own.
    return ()


def _tree(name: str) -> Iterator[tuple[str, str]]:
    top = Path(__file__).parent / name
    for path in top.rglob("*"):
        if path.is_file():
            parts = (re.sub("^dot-", ".", part) for part in path.relative_to(top).parts)
            yield str(PurePosixPath(*parts)), path.read_text(encoding="utf-8")
