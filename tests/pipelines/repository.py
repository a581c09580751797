"""A bare git repository, and somebody who works with it."""

from __future__ import annotations

import subprocess
from collections.abc import Mapping
from pathlib import Path

_IDENTITY = (
    "-c", "user.name=Alice", "-c", "user.email=alice@example.com", "-c", "commit.gpgsign=false",
    "-c", "init.defaultBranch=main", "-c", "advice.detachedHead=false",
)  # fmt: skip


class Repository:
    """A bare repository with a branch main, and a clone of it to work in."""

    def __init__(self, folder: Path) -> None:
        self.bare, self._clone = folder / "iam.git", folder / "work"
        git(folder, "init", "--quiet", "--bare", str(self.bare))
        git(folder, "clone", "--quiet", str(self.bare), str(self._clone))

    def commit(self, branch: str, files: Mapping[str, str | None], *, start: str = "main") -> str:
        """Commit files to a branch, which begins at another one if it is new; push it, and return the commit."""
        there = self.git("branch", "--list", branch)
        self.git(
            "checkout", "--quiet", *([branch] if there else ["-B", branch, *([start] if self._has(start) else [])])
        )
        for name, text in files.items():
            path = self._clone / name
            if text is None:
                path.unlink()
            else:
                path.parent.mkdir(parents=True, exist_ok=True)
                path.write_text(text)
        self.git("add", "--all")
        self.git("commit", "--quiet", "--allow-empty", "-m", f"Change {', '.join(files)}")
        return self._push(branch)

    def preview(self, number: int, branch: str, base: str = "main") -> str:
        """Push what a pull request would be merged to, as GitHub does, and return that commit."""
        self.git("checkout", "--quiet", "--detach", base)
        self.git("merge", "--quiet", "--no-ff", "-m", f"Merge {branch} into {base}", branch)
        commit = self.git("rev-parse", "HEAD")
        self.git("push", "--quiet", "--force", "origin", f"HEAD:refs/pull/{number}/merge")
        return commit

    def merge(self, branch: str, base: str = "main", *, squash: bool = False) -> str:
        """Merge a branch to another, and return the commit."""
        self.git("checkout", "--quiet", base)
        if squash:
            self.git("merge", "--quiet", "--squash", branch)
            self.git("commit", "--quiet", "-m", f"Squash {branch}")
        else:
            self.git("merge", "--quiet", "--no-ff", "-m", f"Merge {branch}", branch)
        return self._push(base)

    def checkout(self, commit: str, folder: Path) -> None:
        """Clone the bare repository at a commit."""
        git(folder.parent, "clone", "--quiet", "--no-checkout", str(self.bare), str(folder))
        git(folder, "fetch", "--quiet", "origin", commit)
        git(folder, "checkout", "--quiet", "--detach", commit)

    def read(self, commit: str, path: str) -> str:
        """Return a file as a commit has it."""
        return git(self.bare, "show", f"{commit}:{path}") + "\n"

    def git(self, *words: str) -> str:
        return git(self._clone, *words)

    def _has(self, name: str) -> bool:
        return bool(self.git("branch", "--list", name))

    def _push(self, branch: str) -> str:
        self.git("push", "--quiet", "origin", branch)
        return self.git("rev-parse", "HEAD")


def git(folder: Path, *words: str) -> str:
    done = subprocess.run(["git", *_IDENTITY, *words], cwd=folder, capture_output=True, text=True, check=False)
    assert done.returncode == 0, f"git {' '.join(words)}\n{done.stdout}{done.stderr}"
    return done.stdout.strip()
