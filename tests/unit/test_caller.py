"""Who runs xgrant is told as far as the machine knows."""

from __future__ import annotations

import argparse
import subprocess
from pathlib import Path

import pytest

from reconciler.commands.caller import caller
from reconciler.model import Caller

GIT = ["git", "-c", "user.name=a", "-c", "user.email=a@b.c", "-c", "commit.gpgsign=false"]


@pytest.fixture(autouse=True)
def _no_pipeline(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("GITHUB_SHA", "CI_COMMIT_SHA", "GITHUB_ACTOR", "GITLAB_USER_LOGIN"):
        monkeypatch.delenv(name, raising=False)


def found(*paths: Path) -> Caller:
    return caller(argparse.Namespace(command_line=["xgrant", "apply", "a b"], paths=[str(path) for path in paths]))


def test_the_commit_is_that_of_the_manifests(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GIT_CEILING_DIRECTORIES", str(tmp_path.parent))
    (tmp_path / "manifests").mkdir()
    assert found(tmp_path / "manifests").commit == ""
    subprocess.run([*GIT, "init", "-q"], cwd=tmp_path, check=True)
    assert found(tmp_path / "manifests").commit == ""
    subprocess.run([*GIT, "commit", "-q", "--allow-empty", "-m", "x"], cwd=tmp_path, check=True)
    head = subprocess.run([*GIT, "rev-parse", "HEAD"], cwd=tmp_path, check=True, capture_output=True, text=True)
    assert found(tmp_path / "manifests").commit == head.stdout.strip()
    assert found(tmp_path / "plan.json", tmp_path / "manifests" / "m.yaml").commit == head.stdout.strip()
    assert found(tmp_path / "none" / "m.yaml").commit == ""


def test_a_commit_that_is_not_all_that_was_applied_says_so(tmp_path: Path) -> None:
    manifest = tmp_path / "manifests" / "m.yaml"
    manifest.parent.mkdir()
    manifest.write_text("a")
    subprocess.run([*GIT, "init", "-q"], cwd=tmp_path, check=True)
    subprocess.run([*GIT, "add", "."], cwd=tmp_path, check=True)
    subprocess.run([*GIT, "commit", "-q", "-m", "x"], cwd=tmp_path, check=True)
    (tmp_path / "elsewhere").touch()
    clean = found(manifest).commit
    assert len(clean) == 40
    for path, text in ((manifest, "b"), (manifest.parent / "new.yaml", "c")):
        path.write_text(text)
        assert found(manifest).commit == f"{clean} and changes that are not committed"
        subprocess.run([*GIT, "stash", "-q", "-u"], cwd=tmp_path, check=True)


def test_a_pipeline_knows_the_commit_and_the_person(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GITHUB_SHA", "no commit")
    monkeypatch.setenv("CI_COMMIT_SHA", "b" * 40)
    monkeypatch.setenv("GITLAB_USER_LOGIN", "octocat")
    one = found(tmp_path)
    assert (one.commit, one.user.rsplit(" ", 1)[-1]) == ("b" * 40, "(octocat)")
    assert one.command == "xgrant apply 'a b'"


def test_a_machine_without_git_or_a_name_for_its_user_is_no_error(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def nameless() -> str:
        raise KeyError("uid not found")

    monkeypatch.setattr("getpass.getuser", nameless)
    monkeypatch.setenv("PATH", str(tmp_path))
    one = found(tmp_path)
    assert (one.commit, one.user.startswith("user ")) == ("", True)
