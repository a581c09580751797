"""An external id is rotated by two patches of the manifest; between them both are accepted."""

from __future__ import annotations

import re
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from reconciler.manifest import load
from reconciler.model import Identity
from reconciler.use.conditions import value_for
from tests.conftest import Run
from tests.support import HEAD, grant_yaml, manifest_yaml

OLD = "agreed-long-ago"
SPELLINGS = {
    "in a line": f'    require: {{mfa: false, external_id: "{OLD}", source_org: o-abcdefghij}}  # agreed\n',
    "in a block": f"    require:\n      external_id: {OLD}   # agreed with them\n      mfa: false\n",
    "as a list": f"    require:\n      external_id:\n        - {OLD}\n\n      # what follows\n      mfa: false\n",
    "as a list below its key": f"    require:\n      external_id:\n      - {OLD}\n      mfa: false\n",
    "as a list that is told of": (
        f"    require:\n      external_id:  # agreed\n        # the first\n        - {OLD}  # of 2020: {OLD}\n"
    ),
    "as a list in brackets": f"    require:\n      external_id: [\n        {OLD}\n      ]\n",
    "in lines that end otherwise": f"    require:\r\n      external_id:\r\n      - {OLD}\r\n      mfa: false\r\n",
    "at the end": f"    require:\n      external_id: {OLD}",
}


ANYBODY = Identity("arn:aws:iam::555555555555:user/anybody", "555555555555", temporary=False)


def manifest(folder: Path, require: str, head: str = HEAD) -> Path:
    path = folder / "manifests"
    path.mkdir(exist_ok=True)
    text = (
        head + "grants:\n  # theirs, since 2020\n  vendor-reads:\n    from: {account: vendor, entire_account: true}\n"
        '    to: {account: storage}\n    permissions: [{actions: "s3:GetObject", resources: "*"}]\n' + require
    )
    (path / "vendor.yaml").write_text(text)
    return path


def accepted(path: Path) -> tuple[str, ...]:
    return load([str(path)]).grants[0].external_ids


def apply_patch(folder: Path, text: str) -> None:
    subprocess.run(["git", "apply", "-"], cwd=folder, input=text, text=True, check=True)


@pytest.mark.parametrize("require", SPELLINGS.values(), ids=list(SPELLINGS))
def test_both_are_accepted_and_then_the_new_one_and_nothing_else_changes(
    tmp_path: Path, xgrant: Run, require: str
) -> None:
    path = manifest(tmp_path, require)
    begun = xgrant("rotate", "vendor-reads", "--manifest", "manifests")
    assert (begun.code, OLD in begun.err) == (0, False), begun.err
    apply_patch(tmp_path, begun.out)
    new, old = accepted(path)
    assert (old, len(new)) == (OLD, 32)
    assert new not in begun.err
    assert value_for(load([str(path)]).grants[0].conditions, "sts:externalid", ANYBODY) == new
    done = xgrant("rotate", "vendor-reads", "--finish", "--manifest", "manifests")
    assert (done.code, new in done.err) == (0, False)
    apply_patch(tmp_path, done.out)
    assert accepted(path) == (new,)
    lines = [line for line in (path / "vendor.yaml").read_text().splitlines() if new not in line]
    assert [line for line in require.splitlines() if OLD not in line] == lines[9 + 3 :]


def test_a_patch_goes_to_a_new_file_that_nobody_else_may_read(tmp_path: Path, xgrant: Run) -> None:
    path = manifest(tmp_path, SPELLINGS["in a block"])
    done = xgrant("rotate", "vendor-reads", "--manifest", path, "-o", "change.patch")
    assert (done.code, done.out) == (0, "")
    assert (tmp_path / "change.patch").stat().st_mode & 0o777 == 0o600
    again = xgrant("rotate", "vendor-reads", "--manifest", path, "-o", "change.patch")
    assert (again.code, "exists; name a new file" in again.err) == (64, True)


REFUSED: dict[str, tuple[str, str, list[str], str]] = {
    "nothing to finish": (SPELLINGS["in a line"], HEAD, ["--finish"], "nothing to finish"),
    "under way": (f"    require: {{external_id: [new-one, {OLD}]}}\n", HEAD, [], "--finish"),
    "of defaults": ("", HEAD + f"defaults: {{require: {{external_id: {OLD}}}}}\n", [], "from defaults"),
    "shared": (
        (f"    require: {{external_id: &id {OLD}}}\n  other:\n    from: {{account: vendor, entire_account: true}}\n"
        "    to: {account: dev}\n    permissions: [{actions: 's3:GetObject', resources: '*'}]\n"
        "    require: {external_id: *id}\n"),
        HEAD, [], "where an alias takes it up",
    ),
    "told of in brackets": (
        f"    require: {{external_id: [new-one,  # theirs\n      {OLD}]}}\n", HEAD, ["--finish"], "its list has comments",
    ),
    "beside another": (SPELLINGS["in a line"], HEAD, ["other"], "name it alone"),
}  # fmt: skip


@pytest.mark.parametrize(("require", "head", "arguments", "words"), REFUSED.values(), ids=list(REFUSED))
def test_what_cannot_be_said_in_one_place_is_refused(
    tmp_path: Path, xgrant: Run, require: str, head: str, arguments: list[str], words: str
) -> None:
    path = manifest(tmp_path, require, head)
    result = xgrant("rotate", "vendor-reads", *arguments, "--manifest", path)
    assert (result.code in (1, 3, 64), result.out) == (True, "")
    assert words in result.err
    assert not re.search(f"{OLD}|from-a-tag", result.err)


def test_an_id_that_is_made_of_variables_stays_so_until_it_is_dropped(tmp_path: Path, xgrant: Run) -> None:
    head = HEAD.replace('{id: "987654321098"', '{id: "987654321098", tags: {id: from-a-tag}')
    path = manifest(tmp_path, "    require: {external_id: '${target.tags.id}'}\n", head)
    begun = xgrant("rotate", "vendor-reads", "--manifest", "manifests")
    assert "from-a-tag" not in begun.out
    apply_patch(tmp_path, begun.out)
    assert accepted(path)[1:] == ("from-a-tag",)


def test_of_two_ids_in_a_list_what_is_said_of_the_old_one_goes_with_it(tmp_path: Path, xgrant: Run) -> None:
    require = f"    require:\n      external_id:\n      - new-one  # theirs\n      # until June\n      - {OLD}  # ours\n      mfa: false\n"
    path = manifest(tmp_path, require)
    apply_patch(tmp_path, xgrant("rotate", "vendor-reads", "--finish", "--manifest", "manifests").out)
    stated = (path / "vendor.yaml").read_text().split("external_id:\n")[1]
    assert stated == "      - new-one  # theirs\n      mfa: false\n"


def marked(path: Path) -> Path:
    file = path / "vendor.yaml"
    file.write_bytes(b"\xef\xbb\xbf" + file.read_bytes().replace(b"version: 1\n", b"version: 1  # ours\n"))
    return path


def behind_a_link(path: Path) -> Path:
    (path / "vendor.yaml").rename(path.parent / "theirs.yaml")
    (path / "vendor.yaml").symlink_to(path.parent / "theirs.yaml")
    return path


@pytest.mark.parametrize("made", [marked, behind_a_link])
def test_git_takes_the_patch_of_a_file(tmp_path: Path, xgrant: Run, made: Callable[[Path], Path]) -> None:
    head = "grants:\n  vendor-reads:\n    require: {external_id: agreed-long-ago}\n"
    path = manifest(tmp_path, "")
    text = (path / "vendor.yaml").read_text().partition("grants:\n")
    (path / "vendor.yaml").write_text(head + text[2].partition("vendor-reads:\n")[2] + text[0])
    made(path)
    apply_patch(tmp_path, xgrant("rotate", "vendor-reads", "--manifest", "manifests").out)
    assert (len(accepted(path)), accepted(path)[1]) == (2, OLD)


def test_a_file_that_is_not_below_this_folder_gets_no_patch(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, xgrant: Run
) -> None:
    manifest(tmp_path, SPELLINGS["in a line"])
    (tmp_path / "below").mkdir()
    monkeypatch.chdir(tmp_path / "below")
    result = xgrant("rotate", "vendor-reads", "--manifest", "../manifests")
    assert (result.code, result.out) == (64, "")
    assert "in a folder above it, the top of the repository" in result.err


@pytest.mark.parametrize(
    ("option", "says"),
    [
        (("--finish",), "--finish: of reader no grant has an external id, so there is none to drop"),
        (("-o", "x.patch"), "-o: of reader no grant has an external id, so there is no patch; name one that has, or"),
    ],
)
def test_what_is_only_for_external_ids_is_told_as_such(
    tmp_path: Path, xgrant: Run, option: tuple[str, ...], says: str
) -> None:
    (tmp_path / "m.yaml").write_text(manifest_yaml(grant_yaml()))
    result = xgrant("rotate", "reader", "--manifest", tmp_path / "m.yaml", *option)
    assert (result.code, says in result.err) == (64, True), result.err
