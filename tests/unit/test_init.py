"""`xgrant init`: a new repository that is valid as it stands, and never over a file that is there."""

import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.conftest import EXAMPLE, Run
from tests.pages import ROOT
from tests.support import HEAD


def _files(top: Path) -> dict[str, bytes]:
    return {path.relative_to(top).as_posix(): path.read_bytes() for path in top.rglob("*") if path.is_file()}


def test_a_new_repository_is_valid_and_has_nothing_denied(xgrant: Run, tmp_path: Path) -> None:
    made = xgrant("init", tmp_path / "grants", "--stack", "data")
    assert (made.code, made.out.splitlines()[0]) == (0, "wrote .gitignore")
    checked = xgrant("validate", tmp_path / "grants" / "manifests")
    assert (checked.code, checked.out) == (0, "valid: stack data, 1 grant, 2 accounts\n")


@pytest.mark.parametrize("host", ["github", "gitlab"])
def test_what_it_writes_is_said_file_by_file(xgrant: Run, tmp_path: Path, host: str) -> None:
    made = xgrant("init", tmp_path, "--ci", host, "--owner", "@acme/security")
    assert made.out.splitlines() == [f"wrote {name}" for name in sorted(_files(tmp_path))]


def test_a_second_time_nothing_is_missing(xgrant: Run, tmp_path: Path) -> None:
    xgrant("init", tmp_path)
    before = _files(tmp_path)
    again = xgrant("init", tmp_path)
    assert (again.code, again.out, _files(tmp_path)) == (0, "no file is missing\n", before)


def test_a_file_that_is_there_stays_as_it_is_and_is_named(xgrant: Run, tmp_path: Path) -> None:
    (tmp_path / "README.md").write_text("ours\n")
    (tmp_path / ".gitignore").symlink_to(tmp_path / "nowhere")
    made = xgrant("init", tmp_path)
    assert "left as it is: README.md\n" in made.out
    assert "left as it is: .gitignore, which lacks:\n  .xgrant/\n  /plan*.json\n" in made.out
    assert ((tmp_path / "README.md").read_text(), (tmp_path / ".gitignore").is_symlink()) == ("ours\n", True)


def test_no_example_is_put_beside_manifests_that_are_in_use(xgrant: Run, tmp_path: Path) -> None:
    inside = tmp_path / "manifests" / "data"
    inside.mkdir(parents=True)
    (inside / "ours.yml").write_text(HEAD)
    made = xgrant("init", tmp_path)
    assert "left out: manifests/shared-bucket.yaml, since there are others\n" in made.out
    assert [path.name for path in (tmp_path / "manifests").rglob("*.y*ml")] == ["ours.yml"]


def test_git_takes_the_manifests_and_leaves_plans_and_locks(xgrant: Run, tmp_path: Path) -> None:
    xgrant("init", tmp_path)
    (tmp_path / "plan.json").write_text("{}")
    (tmp_path / ".xgrant").mkdir()
    (tmp_path / ".xgrant" / "lock").write_text("x")
    subprocess.run(["git", "init", "-q", tmp_path], check=True)
    listed = subprocess.run(
        ["git", "-C", tmp_path, "status", "--short", "-uall"], check=True, capture_output=True, text=True
    ).stdout
    names = {line[3:] for line in listed.splitlines()}
    assert names == set(_files(tmp_path)) - {"plan.json", ".xgrant/lock"} - {
        name for name in _files(tmp_path) if name.startswith(".git/")
    }


def test_the_editor_finds_the_schemas_that_are_written_beside(xgrant: Run, tmp_path: Path) -> None:
    xgrant("init", tmp_path)
    schemas = json.loads((tmp_path / ".vscode" / "settings.json").read_text())["yaml.schemas"]
    for name in schemas:
        assert (tmp_path / name).read_bytes() == (ROOT / name).read_bytes()
    first = (tmp_path / "manifests" / "shared-bucket.yaml").read_text().splitlines()[0]
    (stated,) = (part.removeprefix("$schema=") for part in first.split() if part.startswith("$schema="))
    assert (tmp_path / "manifests" / stated).resolve().is_file()


def test_the_example_is_that_of_the_project(xgrant: Run, tmp_path: Path) -> None:
    xgrant("init", tmp_path)
    assert (tmp_path / "manifests" / "shared-bucket.yaml").read_bytes() == EXAMPLE.read_bytes()


@pytest.mark.parametrize(
    ("host", "file", "guarded"),
    [
        ("github", ".github/CODEOWNERS", ["/manifests/", "/policies/", "/.github/"]),
        ("gitlab", ".gitlab/CODEOWNERS", ["/manifests/", "/policies/", "/.gitlab-ci.yml", "/.gitlab/"]),
    ],
)
def test_code_owners_guard_what_gives_access(
    xgrant: Run, tmp_path: Path, host: str, file: str, guarded: list[str]
) -> None:
    xgrant("init", tmp_path, "--ci", host, "--owner", "@acme/security", "--owner", "bob@example.com")
    lines = (tmp_path / file).read_text().splitlines()
    assert lines[1:] == [f"{path} @acme/security bob@example.com" for path in guarded]


@pytest.mark.parametrize(
    ("host", "there", "counts"),
    [
        ("github", ["CODEOWNERS", "docs/CODEOWNERS"], "CODEOWNERS"),
        ("github", ["docs/CODEOWNERS"], "docs/CODEOWNERS"),
        ("github", [".github/CODEOWNERS", "CODEOWNERS"], ".github/CODEOWNERS"),
        ("gitlab", ["CODEOWNERS", ".gitlab/CODEOWNERS"], "CODEOWNERS"),
        ("gitlab", ["docs/CODEOWNERS"], "docs/CODEOWNERS"),
        ("gitlab", [".gitlab/CODEOWNERS"], ".gitlab/CODEOWNERS"),
    ],
)
def test_where_there_are_code_owners_none_are_put_before_them_and_what_they_lack_is_said(
    xgrant: Run, tmp_path: Path, host: str, there: list[str], counts: str
) -> None:
    for name in there:
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text("* @me\n/manifests/   @acme/security\n")
    made = xgrant("init", tmp_path, "--ci", host, "--owner", "@acme/security")
    assert f"left as it is: {counts}, which lacks:\n  /policies/ @acme/security\n" in made.out
    assert "  /manifests/" not in made.out
    assert sorted(name for name in _files(tmp_path) if name.endswith("CODEOWNERS")) == sorted(there)


def test_what_a_list_of_hooks_lacks_is_said_once(xgrant: Run, tmp_path: Path) -> None:
    hooks = tmp_path / ".pre-commit-config.yaml"
    hooks.write_text("repos: []\n")
    lacks = xgrant("init", tmp_path).out
    assert "left as it is: .pre-commit-config.yaml, which lacks:\n    - repo: local\n" in lacks
    hooks.write_text("repos:\n  - repo: local\n    hooks:\n      - id: xgrant-validate\n")
    assert "left as it is: .pre-commit-config.yaml\n" in xgrant("init", tmp_path).out


@pytest.mark.parametrize("host", ["github", "gitlab"])
def test_pipelines_are_written_only_where_their_host_looks_for_them(xgrant: Run, tmp_path: Path, host: str) -> None:
    subprocess.run(["git", "init", "-q", tmp_path], check=True)
    refused = xgrant("init", tmp_path / "infra", "--ci", host)
    assert (refused.code, (tmp_path / "infra").exists()) == (64, False)
    assert f"only at the top of a repository, which is {tmp_path}; run `xgrant init --ci {host}` there" in refused.err
    assert xgrant("init", tmp_path / "infra").code == 0
    assert xgrant("init", tmp_path, "--ci", host).code == 0


@pytest.mark.parametrize("host", ["github", "gitlab"])
def test_what_is_installed_has_to_be_filled_in_and_pip_says_so(xgrant: Run, tmp_path: Path, host: str) -> None:
    made = xgrant("init", tmp_path, "--ci", host)
    name = f".{host}/xgrant-requirements.txt"
    assert f"1. say in {name} where you have xgrant\n" in made.err
    install = [sys.executable, "-I", "-m", "pip", "install", "--disable-pip-version-check", "--quiet", "-r", name]
    done = subprocess.run(install, cwd=tmp_path, capture_output=True, text=True, check=False)
    line = len((tmp_path / name).read_text().splitlines())
    assert (done.returncode, "SAY HERE WHERE YOU HAVE XGRANT" in done.stderr) == (1, True)
    assert f"(from line {line} of {name})" in done.stderr


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (["--owner", "@acme"], "--owner: say where the pipelines run, by --ci github or --ci gitlab"),
        (["--ci", "github", "--owner", "a b"], "--owner: a code owner is @NAME, @ORGANIZATION/TEAM or an address"),
        (["--stack", "Data"], "--stack: a stack is a-z, 0-9 and -, at most 32; this is 'Data'"),
    ],
)
def test_what_cannot_be_is_refused_before_anything_is_written(
    xgrant: Run, tmp_path: Path, arguments: list[str], says: str
) -> None:
    refused = xgrant("init", tmp_path / "grants", *arguments)
    assert (refused.code, says in refused.err, (tmp_path / "grants").exists()) == (64, True, False)


def _file_in_the_way(top: Path) -> None:
    (top / "manifests").write_text("")


def _nobody_may_write(top: Path) -> None:
    (top / "manifests").symlink_to("/proc/self/fdinfo")


@pytest.mark.parametrize("prepare", [_file_in_the_way, _nobody_may_write])
def test_what_cannot_be_written_is_an_error_with_its_path(
    xgrant: Run, tmp_path: Path, prepare: Callable[[Path], None]
) -> None:
    prepare(tmp_path)
    failed = xgrant("init", tmp_path)
    assert (failed.code, str(tmp_path / "manifests") in failed.err, "Traceback" in failed.err) == (1, True, False)
