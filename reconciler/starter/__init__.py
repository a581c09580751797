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


def _tree(name: str) -> Iterator[tuple[str, str]]:
    top = Path(__file__).parent / name
    for path in top.rglob("*"):
        if path.is_file():
            parts = (re.sub("^dot-", ".", part) for part in path.relative_to(top).parts)
            yield str(PurePosixPath(*parts)), path.read_text(encoding="utf-8")
