"""Which files make a manifest: what cannot be read or followed is said, since left out it would be deleted."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from reconciler.errors import ManifestError
from reconciler.manifest import load
from tests.conftest import Run
from tests.support import HEAD, grant_yaml, manifest_yaml


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A directory with one whole manifest, and another one below it, named from where it stands."""
    monkeypatch.chdir(tmp_path)
    tmp_path.chmod(0o755)
    Path("m/team").mkdir(parents=True)
    Path("m/base.yaml").write_text(manifest_yaml(grant_yaml("one")))
    Path("m/team/more.yaml").write_text("version: 1\ngrants:\n" + grant_yaml("two"))
    return Path("m")


@contextmanager
def barred(path: str | Path) -> Iterator[None]:
    """Let nobody read the path; where the tests run as root, for whom no mode holds, go on as nobody."""
    Path(path).chmod(0)
    before = os.geteuid()
    if before == 0:
        os.seteuid(65534)
    yield
    os.seteuid(before)
    Path(path).chmod(0o755)


def problems(*paths: Path) -> list[str]:
    with pytest.raises(ManifestError) as caught:
        load([str(path) for path in paths])
    return [str(problem) for problem in caught.value.problems]


def grants(*paths: Path) -> list[str]:
    return [grant.name for grant in load([str(path) for path in paths]).grants]


def test_a_directory_is_searched_with_all_below_it(folder: Path) -> None:
    assert grants(folder) == ["one", "two"]


@pytest.mark.parametrize("name", ["more.YAML", "more.yml", "more.Yml"])
def test_the_case_of_a_suffix_does_not_count(folder: Path, name: str) -> None:
    (folder / "team" / "more.yaml").rename(folder / "team" / name)
    assert grants(folder) == ["one", "two"]


def test_hidden_names_are_left_out_whatever_they_are(folder: Path) -> None:
    (folder / ".hidden.yaml").write_text("nonsense")
    (folder / ".git").mkdir()
    (folder / ".git" / "x.yaml").write_text("nonsense")
    (folder / ".#lock").symlink_to("nowhere")
    (folder / ".loop").symlink_to(".")
    assert grants(folder) == ["one", "two"]


@pytest.mark.parametrize("where", ["m", "m/team", "m/base.yaml"])
def test_what_may_not_be_read_is_named_and_nothing_is_planned_without_it(folder: Path, xgrant: Run, where: str) -> None:
    with barred(where):
        (problem,) = problems(folder)
        assert xgrant("validate", folder).code == 3
    assert problem.startswith(f"{where}:1:1: XG001 this cannot be read: Permission denied; let yourself read it")


def test_a_named_directory_behind_one_that_may_not_be_entered_is_a_problem_too(folder: Path) -> None:
    with barred(folder):
        (problem,) = problems(folder / "team")
    assert problem.startswith("m/team:1:1: XG001 this cannot be read: Permission denied; ")


def test_a_link_to_a_directory_is_refused_and_never_followed_in_circles(folder: Path) -> None:
    (folder / "loop").symlink_to(".")
    (folder / "team" / "shared").symlink_to("../..", target_is_directory=True)
    found = problems(folder)
    assert [line.split(":")[0] for line in found] == ["m/loop", "m/team/shared"]
    assert all(
        "XG001 a link to a directory is not followed; name that directory on the command line" in f for f in found
    )


def test_a_named_link_to_a_directory_is_that_directory(folder: Path) -> None:
    Path("named").symlink_to("m")
    assert grants(Path("named")) == ["one", "two"]


def test_a_link_to_a_file_is_followed_and_the_file_counts_once(folder: Path) -> None:
    (folder / "again.yaml").symlink_to("team/more.yaml")
    assert grants(folder) == ["one", "two"]


@pytest.mark.parametrize(("name", "to"), [("x.yaml", "nowhere"), ("folder", "nowhere"), ("self", "self")])
def test_a_link_that_leads_nowhere_may_have_led_to_manifests(folder: Path, name: str, to: str) -> None:
    (folder / name).symlink_to(to)
    (problem,) = problems(folder)
    assert problem == f"m/{name}:1:1: XG001 a link that leads nowhere; mend the link, or remove it"


@pytest.mark.timeout(20)
@pytest.mark.parametrize("command", ["validate", "plan", "show"])
def test_a_pipe_makes_nobody_wait(folder: Path, xgrant: Run, command: str) -> None:
    os.mkfifo("pipe.yaml")
    result = xgrant(command, "pipe.yaml")
    assert (result.code, "no regular file" in result.err) == (3, True)


@pytest.mark.timeout(20)
def test_a_pipe_among_manifests_or_in_place_of_a_policy_file_is_refused(folder: Path) -> None:
    os.mkfifo(folder / "pipe.yaml")
    os.mkfifo(folder / "not-a-manifest")
    assert problems(folder) == ["m/pipe.yaml:1:1: XG001 it is no regular file, as a manifest is; move it out of here"]
    (folder / "pipe.yaml").unlink()
    os.mkfifo(folder / "policy.json")
    text = manifest_yaml(grant_yaml(permissions="", policy="{file: policy.json}"))
    (folder / "base.yaml").write_text(text)
    assert problems(folder) == ["m/policy.json:1:1: XG001 it is no regular file; name one that is"]


@pytest.mark.parametrize(
    ("path", "says"),
    [
        ("", "'':1:1: XG001 no such file or directory; name the manifests to read, as PATH or with --manifest"),
        ("base.yaml/x", "base.yaml/x:1:1: XG001 no such file or directory"),
        (
            "nowhere",
            "nowhere:1:1: XG001 a link that leads nowhere; name the manifests to read, as PATH or with --manifest",
        ),
        ("a\0b", "a\0b:1:1: XG001 this cannot be read: embedded null byte; let yourself read it, or name another"),
        ("x" * 300, "XG001 this cannot be read: File name too long"),
    ],
)
def test_a_path_that_cannot_be_one_is_said(folder: Path, monkeypatch: pytest.MonkeyPatch, path: str, says: str) -> None:
    monkeypatch.chdir(folder)
    Path("nowhere").symlink_to("elsewhere")
    with pytest.raises(ManifestError) as caught:
        load([path])
    assert says in str(caught.value)


def test_every_file_that_cannot_be_read_is_said_beside_what_else_is_wrong(folder: Path) -> None:
    (folder / "a.yaml").symlink_to("nowhere")
    (folder / "b.yaml").write_text("version: 1\nnonsense: 1\n")
    assert [line.split(" ")[1] for line in problems(folder)] == ["XG001", "XG010"]


@pytest.mark.parametrize("command", ["plan", "drift", "validate"])
@pytest.mark.parametrize("name", ["plan.json", "plan.yaml"])
def test_a_plan_file_in_place_of_a_manifest_is_called_one(tmp_path: Path, xgrant: Run, command: str, name: str) -> None:
    manifest, file = tmp_path / "m.yaml", tmp_path / name
    manifest.write_text(HEAD)
    file.write_text('{\n  "format_version": "1.1",\n  "stack": "platform"\n}\n')
    result = xgrant(command, manifest, file)
    assert result.code == 3
    says = "this is a plan file; `xgrant apply` takes it first, named *.json, and other commands take none"
    assert result.err.splitlines()[0] == f"{file}:2:3: XG006 {says}"
    assert result.err.count("\n") == 2


@pytest.mark.parametrize("text", ["{", '{"version": 1, "version": 1}', '{"version": ' + "9" * 5000 + "}"])
def test_what_is_no_json_says_what_to_do(tmp_path: Path, text: str) -> None:
    (tmp_path / "m.json").write_text(text)
    (problem,) = problems(tmp_path / "m.json")
    assert "XG002" in problem
    assert problem.endswith("; mend the file")
    assert "set_int_max_str_digits" not in problem
